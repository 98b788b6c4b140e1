//! Which master keeps which slots.

use std::sync::Arc;

use fred::interfaces::Resp3Frame;

use super::super::RedisNode;
use super::super::failure::{Failure, not_redis};
use super::super::place::Address;
use super::super::reply;
use crate::node::NodeErrorKind;

const SLOTS: i64 = 16_384;

/// What is known of a Cluster.
#[derive(Debug, Clone)]
pub(super) enum View {
    /// The first look is under way.
    Starting,
    Known(Arc<Map>),
    /// No look has succeeded yet; further ones follow.
    Unknown(Failure),
}

/// Slots in a row and who keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range<M> {
    first: u16,
    last: u16,
    pub(super) master: M,
}

/// The masters of a Cluster and their slots, as one look has shown them.
#[derive(Debug)]
pub(super) struct Map {
    /// In the order of their slots.
    ranges: Vec<Range<Arc<RedisNode>>>,
    masters: Vec<Arc<RedisNode>>,
}

impl Map {
    /// `node` gives the node of a master, one and the same for one address.
    pub(super) fn new(ranges: Vec<Range<Address>>, mut node: impl FnMut(&Address) -> Arc<RedisNode>) -> Self {
        let mut masters: Vec<(Address, Arc<RedisNode>)> = Vec::new();
        let mut known = |address: Address| match masters.iter().find(|(master, _)| *master == address) {
            Some((_, known)) => Arc::clone(known),
            None => {
                let master = node(&address);
                masters.push((address, Arc::clone(&master)));
                master
            }
        };
        let ranges = ranges
            .into_iter()
            .map(|Range { first, last, master }| Range { first, last, master: known(master) })
            .collect();
        Self { ranges, masters: masters.into_iter().map(|(_, master)| master).collect() }
    }

    pub(super) fn masters(&self) -> &[Arc<RedisNode>] {
        &self.masters
    }

    pub(super) fn master(&self, slot: u16) -> Option<&Arc<RedisNode>> {
        keeper(&self.ranges, slot)
    }
}

fn keeper<M>(ranges: &[Range<M>], slot: u16) -> Option<&M> {
    let range = ranges.get(ranges.partition_point(|range| range.last < slot))?;
    (range.first <= slot).then_some(&range.master)
}

/// Reads the answer of the member at `asked` to CLUSTER SLOTS: the slots that have a master, in order.
pub(super) fn read(frame: &Resp3Frame, asked: &Address) -> Result<Vec<Range<Address>>, Failure> {
    let Resp3Frame::Array { data, .. } = frame else { return Err(nonsense()) };
    let mut ranges: Vec<_> = data.iter().map(|entry| range(entry, asked)).collect::<Result<_, _>>()?;
    ranges.sort_unstable_by_key(|range| range.first);
    if ranges.is_empty() {
        let detail = "it knows no slots: it has not joined a Cluster yet, or nobody has given out the slots";
        return Err(Failure::new(NodeErrorKind::NotReady, detail));
    }
    if ranges.windows(2).any(|pair| pair[0].last >= pair[1].first) {
        return Err(nonsense());
    }
    Ok(ranges)
}

fn range(entry: &Resp3Frame, asked: &Address) -> Result<Range<Address>, Failure> {
    let Resp3Frame::Array { data, .. } = entry else { return Err(nonsense()) };
    // Replicas follow, which do not matter.
    let [first, last, Resp3Frame::Array { data: master, .. }, ..] = data.as_slice() else {
        return Err(nonsense());
    };
    let [host, Resp3Frame::Number { data: port, .. }, ..] = master.as_slice() else {
        return Err(nonsense());
    };
    let (first, last) = (slot(first)?, slot(last)?);
    let host = match host {
        Resp3Frame::Null => "",
        host => reply::text(host).ok_or_else(nonsense)?,
    };
    // What it does not know of itself it leaves to us.
    let host = if host.is_empty() || host == "?" { &asked.host[..] } else { host };
    let master = u64::try_from(*port).ok().and_then(|port| Address::told(host, port)).ok_or_else(nonsense)?;
    if first > last { Err(nonsense()) } else { Ok(Range { first, last, master }) }
}

fn slot(frame: &Resp3Frame) -> Result<u16, Failure> {
    match frame {
        Resp3Frame::Number { data, .. } if (0..SLOTS).contains(data) => {
            u16::try_from(*data).map_err(|_| nonsense())
        }
        _ => Err(nonsense()),
    }
}

fn nonsense() -> Failure {
    not_redis("its answer to CLUSTER SLOTS makes no sense")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(data: i64) -> Resp3Frame {
        Resp3Frame::Number { data, attributes: None }
    }

    fn text(text: &str) -> Resp3Frame {
        Resp3Frame::BlobString { data: text.to_owned().into(), attributes: None }
    }

    fn array(data: Vec<Resp3Frame>) -> Resp3Frame {
        Resp3Frame::Array { data, attributes: None }
    }

    fn entry(first: i64, last: i64, host: Resp3Frame, port: i64) -> Resp3Frame {
        let replica = array(vec![text("replica"), number(1), text("id")]);
        array(vec![number(first), number(last), array(vec![host, number(port), text("id")]), replica])
    }

    fn asked() -> Address {
        Address { host: "asked".to_owned(), port: 1 }
    }

    #[test]
    fn every_slot_is_found_with_its_master_and_those_without_one_are_not() {
        let slots = array(vec![
            entry(10, 16_383, text("B"), 7),
            entry(0, 4, text("a"), 7),
            entry(6, 6, text("a"), 8),
        ]);
        let ranges = read(&slots, &asked()).unwrap();
        let master = |slot| keeper(&ranges, slot).map(Address::to_string);
        for (slot, expected) in
            [(0, Some("a:7")), (4, Some("a:7")), (5, None), (6, Some("a:8")), (7, None), (10, Some("b:7"))]
        {
            assert_eq!(master(slot).as_deref(), expected, "{slot}");
        }
        assert_eq!(master(16_383).as_deref(), Some("b:7"));
    }

    #[test]
    fn a_member_that_does_not_know_its_own_host_is_where_it_was_asked() {
        for host in [text(""), text("?"), Resp3Frame::Null] {
            let ranges = read(&array(vec![entry(0, 16_383, host, 7)]), &asked()).unwrap();
            assert_eq!(ranges[0].master.to_string(), "asked:7");
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_no_map() {
        for bad in [
            text("x"),
            array(vec![text("x")]),
            array(vec![array(vec![number(0), number(1)])]),
            array(vec![entry(-1, 1, text("a"), 7)]),
            array(vec![entry(0, 16_384, text("a"), 7)]),
            array(vec![entry(2, 1, text("a"), 7)]),
            array(vec![entry(0, 1, text("a"), 0)]),
            array(vec![entry(0, 1, text("a b"), 7)]),
            array(vec![entry(0, 1, number(3), 7)]),
            array(vec![entry(0, 5, text("a"), 7), entry(5, 6, text("b"), 7)]),
        ] {
            assert_eq!(read(&bad, &asked()).unwrap_err().kind, NodeErrorKind::Protocol, "{bad:?}");
        }
        assert_eq!(read(&array(vec![]), &asked()).unwrap_err().kind, NodeErrorKind::NotReady);
    }
}
