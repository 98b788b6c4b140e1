//! Which server is the master now, as Redis Sentinel has it.
//!
//! All sentinels are asked at once, and what most of them name counts: one that was cut off with a former master goes on
//! naming it.

use std::time::Duration;

use fred::interfaces::Resp3Frame;
use futures::StreamExt;
use futures::future::{FutureExt, pending};
use futures::stream::FuturesUnordered;

use super::ask::ask;
use super::config::RedisConfig;
use super::failure::{Failure, not_redis};
use super::link::Shared;
use super::place::{Address, Place, list};
use super::reply;
use crate::env::jitter;
use crate::node::NodeErrorKind;

/// About how often sentinels are asked whether the master is still the one that we are connected to.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where to connect to now: the configuration of that one server.
pub(super) async fn find(shared: &Shared) -> Result<RedisConfig, Failure> {
    let Place::Sentinel { master_name, sentinels } = &shared.config.place else {
        return Ok(shared.config.clone());
    };
    let answers = ask_all(shared, master_name, sentinels).await;
    let random = usize::try_from(jitter(&*shared.env)).unwrap_or(0);
    answers
        .master(random)
        .map(|master| shared.config.at(&master))
        .map_err(|why| why.say(master_name, sentinels))
}

/// Completes when most sentinels name another master than the one at `current`.
pub(super) async fn moved(shared: &Shared, current: &RedisConfig) -> Failure {
    let Place::Sentinel { master_name, sentinels } = &shared.config.place else { return pending().await };
    let current = Address { host: current.host.clone(), port: current.port };
    for turn in jitter(&*shared.env) % 64.. {
        let pause = LOOK_EVERY / 2 + Duration::from_nanos(jitter(&*shared.env) % 2_500_000_000);
        shared.env.sleep_until(shared.env.now().saturating_add(pause)).await;
        // One of them, in turn; the others only if it names another master.
        let Some(one) = sentinels.get(usize::try_from(turn).unwrap_or(0) % sentinels.len().max(1)) else {
            break;
        };
        match ask_one(shared, master_name, one).await {
            Ok(Some(master)) if master != current => {}
            _ => continue,
        }
        if let Some(master) = ask_all(shared, master_name, sentinels).await.named_by_most()
            && master != current
        {
            let detail = format!("the sentinels name {master} as the master, and no longer {current}");
            return Failure::new(NodeErrorKind::Unreachable, detail);
        }
    }
    pending().await
}

/// Asks all at once; returns when more than half of them agree, or all have answered or failed.
async fn ask_all(shared: &Shared, master_name: &str, sentinels: &[Address]) -> Answers {
    let ask = |sentinel| ask_one(shared, master_name, sentinel).map(move |answer| (sentinel, answer));
    let mut asked: FuturesUnordered<_> = sentinels.iter().map(ask).collect();
    let mut answers = Answers { asked: sentinels.len(), ..Answers::default() };
    while let Some((sentinel, answer)) = asked.next().await {
        match answer {
            Ok(Some(master)) => answers.count(master),
            Ok(None) => answers.unknown += 1,
            Err(failure) => answers.failed.push((sentinel.clone(), failure)),
        }
        let first_is_enough = !shared.protections.sentinel_majority() && !answers.named.is_empty();
        if answers.named_by_most().is_some() || first_is_enough {
            break;
        }
    }
    answers
}

/// `None`: it does not know a master of that name.
async fn ask_one(shared: &Shared, master_name: &str, sentinel: &Address) -> Result<Option<Address>, Failure> {
    let arguments = vec!["get-master-addr-by-name".into(), master_name.into()];
    let config = shared.config.at_sentinel(sentinel);
    let frame = ask(&config, &shared.tls, &shared.env, "SENTINEL", arguments).await?;
    read(&frame)
}

fn read(frame: &Resp3Frame) -> Result<Option<Address>, Failure> {
    let nonsense = || not_redis("its answer about the master is no host and port; is it a sentinel?");
    let data = match frame {
        Resp3Frame::Null => return Ok(None),
        Resp3Frame::Array { data, .. } => data.as_slice(),
        _ => return Err(nonsense()),
    };
    let [host, port] = data else { return Err(nonsense()) };
    let port = reply::text(port).and_then(|port| port.parse().ok());
    let address = reply::text(host).zip(port).and_then(|(host, port)| Address::told(host, port));
    address.map(Some).ok_or_else(nonsense)
}

/// What a number of sentinels have said.
#[derive(Debug, Default)]
struct Answers {
    asked: usize,
    /// Each master that was named, and by how many.
    named: Vec<(Address, usize)>,
    /// How many know no master of that name.
    unknown: usize,
    failed: Vec<(Address, Failure)>,
}

impl Answers {
    fn count(&mut self, master: Address) {
        match self.named.iter_mut().find(|(named, _)| *named == master) {
            Some((_, votes)) => *votes += 1,
            None => self.named.push((master, 1)),
        }
    }

    /// The master that more than half of all sentinels name.
    fn named_by_most(&self) -> Option<Address> {
        self.named.iter().find(|(_, votes)| votes * 2 > self.asked).map(|(master, _)| master.clone())
    }

    /// The master that was named most often; among equals `random` decides, so that another attempt tries another.
    fn master(self, random: usize) -> Result<Address, NoMaster> {
        let most = self.named.iter().map(|&(_, votes)| votes).max().unwrap_or(0);
        let mut best: Vec<_> = self.named.iter().filter(|&&(_, votes)| votes == most).collect();
        match best.len() {
            0 => Err(NoMaster { unknown: self.unknown, failed: self.failed }),
            equals => Ok(best.swap_remove(random % equals).0.clone()),
        }
    }
}

/// No sentinel has named a master.
#[derive(Debug)]
struct NoMaster {
    unknown: usize,
    failed: Vec<(Address, Failure)>,
}

impl NoMaster {
    fn say(self, master_name: &str, sentinels: &[Address]) -> Failure {
        let failed: Vec<_> =
            self.failed.iter().map(|(sentinel, failure)| format!("{sentinel}: {}", failure.detail)).collect();
        let failed = failed.join("; ");
        if self.unknown > 0 {
            let others = if failed.is_empty() { failed } else { format!("; {failed}") };
            let detail = format!(
                "no sentinel knows a master called `{master_name}` (asked: {}{others}); expected the name in their \
                 `sentinel monitor` line",
                list(sentinels)
            );
            return Failure::new(NodeErrorKind::Unsupported, detail);
        }
        let kind = self.failed.iter().map(|(_, failure)| failure.kind).find(|kind| !kind.is_transient());
        let detail = format!("no sentinel has named the master `{master_name}`: {failed}");
        Failure::new(kind.unwrap_or(NodeErrorKind::Unreachable), detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    fn answers(asked: usize, named: &[u16]) -> Answers {
        let mut answers = Answers { asked, ..Answers::default() };
        named.iter().for_each(|&port| answers.count(address(port)));
        answers
    }

    #[test]
    fn what_most_of_all_sentinels_name_counts_and_not_what_comes_first() {
        assert_eq!(answers(3, &[1, 2, 2]).named_by_most(), Some(address(2)));
        assert_eq!(answers(3, &[1, 2, 2]).master(0).unwrap(), address(2));
        assert_eq!(answers(3, &[1, 2]).named_by_most(), None, "one is still missing");
        assert_eq!(answers(2, &[1]).named_by_most(), None, "half is not most");
        assert_eq!(answers(1, &[1]).named_by_most(), Some(address(1)));
    }

    #[test]
    fn without_a_majority_the_most_frequent_is_tried_and_among_equals_one_after_the_other() {
        assert_eq!(answers(5, &[1, 2, 2]).master(0).unwrap(), address(2));
        assert_eq!(answers(3, &[1]).master(7).unwrap(), address(1));
        assert_eq!(answers(3, &[1, 2]).master(0).unwrap(), address(1));
        assert_eq!(answers(3, &[1, 2]).master(1).unwrap(), address(2));
    }

    #[test]
    fn without_any_answer_the_error_says_what_each_sentinel_said() {
        let unreachable = (address(1), Failure::new(NodeErrorKind::Unreachable, "connection refused"));
        let denied = (address(2), Failure::new(NodeErrorKind::Denied, "NOAUTH"));
        let failed = vec![unreachable.clone(), denied];
        let failure = NoMaster { unknown: 0, failed }.say("m", &[]);
        assert_eq!(failure.kind, NodeErrorKind::Denied);
        assert_eq!(
            failure.detail,
            "no sentinel has named the master `m`: h:1: connection refused; h:2: NOAUTH"
        );
        let failure = NoMaster { unknown: 0, failed: vec![unreachable] }.say("m", &[]);
        assert_eq!(failure.kind, NodeErrorKind::Unreachable);
    }

    #[test]
    fn an_answer_is_a_host_and_a_port_or_none_at_all() {
        let text = |text: &str| Resp3Frame::BlobString { data: text.to_owned().into(), attributes: None };
        let array = |texts: &[&str]| Resp3Frame::Array {
            data: texts.iter().map(|&item| text(item)).collect(),
            attributes: None,
        };
        assert_eq!(read(&array(&["h", "7"])).unwrap(), Some(address(7)));
        assert_eq!(read(&Resp3Frame::Null).unwrap(), None);
        for bad in [
            array(&[]),
            array(&["h"]),
            array(&["h", "0"]),
            array(&["h", "x"]),
            array(&["a b", "1"]),
            text("h"),
        ] {
            assert_eq!(read(&bad).unwrap_err().kind, NodeErrorKind::Protocol, "{bad:?}");
        }
    }
}
