//! The transactions: what they compare, what they change, and what their answers mean.
//!
//! A counter is stored as 16 decimal digits, so that etcd itself can compare counters as bytes. A comparison of a value is
//! false where there is no key: `is too high` is asked, never `is low enough`.

use etcd_client::{
    Compare, CompareOp, GetResponse, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};

use super::failure::Failure;
use super::keys::{Keys, TOP};
use crate::id::{FencingToken, OwnerToken};
use crate::node::{Description, NodeErrorKind};

/// So far above a counter the common ceiling is set, in microseconds, so that it need not be written for every one.
const STEP: u64 = 10_000_000;

/// What a lock's key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) owner: Vec<u8>,
    /// 0: on none.
    pub(super) lease: i64,
}

impl Lock {
    pub(super) fn is_of(&self, owner: &OwnerToken) -> bool {
        self.owner == owner.to_hex().as_bytes()
    }
}

/// A counter, and the lease that keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) value: u64,
    pub(super) lease: i64,
}

/// What a look at a name shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) lock: Option<Lock>,
    pub(super) counter: Option<Counter>,
    /// The store's revision then.
    pub(super) revision: i64,
}

/// How to count in the transaction that creates a lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// Where the counter goes, unless it is above `most`.
    pub(super) next: u64,
    pub(super) most: u64,
    /// The lease that keeps it.
    pub(super) lease: i64,
}

/// The counter's least value, and the lease that keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    pub(super) to: u64,
    pub(super) lease: i64,
}

/// What is to become of the key of an owner's lock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// It stays.
    None,
    /// From one lease to another.
    Attach { from: i64, to: i64 },
    /// It is made, if there is none.
    Create { to: i64 },
}

/// What has become of an attempt to create a lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Created {
    Done,
    /// The lock is free, but its counter is above what was thought; nothing was done.
    TooHigh(u64),
    /// Somebody has it: perhaps this very request, carried out before.
    Taken(Seen),
}

/// What has become of a change to an owner's lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// With the counter where there was a fence; `Err`: it stands higher, and may have to be kept for longer.
    Done(Option<Result<u64, Counter>>),
    /// The key is not as it was thought to be; nothing was done.
    Not(Option<Lock>),
}

fn digits(counter: u64) -> String {
    format!("{counter:016}")
}

fn put(key: &[u8], value: &str, lease: i64) -> TxnOp {
    TxnOp::put(key, value, Some(PutOptions::new().with_lease(lease)))
}

fn is_above(key: impl Into<Vec<u8>>, counter: u64) -> Compare {
    Compare::value(key, CompareOp::Greater, digits(counter))
}

/// Sees to it that no counter is above the common ceiling.
fn raise_top(counter: u64) -> TxnOp {
    let ceiling = digits(counter.saturating_add(STEP).min(FencingToken::MAX));
    let is_enough = is_above(TOP, counter.saturating_sub(1));
    TxnOp::txn(Txn::new().when([is_enough]).or_else([TxnOp::put(TOP, ceiling, None)]))
}

/// Reads a name. Not serializable: a majority has agreed to what is seen.
pub(super) fn look(keys: &Keys) -> Txn {
    Txn::new().and_then([TxnOp::get(&keys.main[..], None), TxnOp::get(&keys.counter[..], None)])
}

/// The same, with what the owner says of itself.
pub(super) fn inspect(keys: &Keys) -> Txn {
    let keys = [&keys.main, &keys.counter, &keys.said];
    Txn::new().and_then(keys.map(|key| TxnOp::get(&key[..], None)))
}

/// Reads what an owner says of itself.
pub(super) fn ask(keys: &Keys) -> Txn {
    Txn::new().and_then([TxnOp::get(&keys.said[..], None)])
}

/// Has an owner's word lie beside its lock.
fn say(keys: &Keys, said: Option<&Description>, lease: i64) -> Option<TxnOp> {
    said.map(|said| put(&keys.said, said.as_str(), lease))
}

/// Creates a lock that nobody has.
pub(super) fn create(
    keys: &Keys,
    owner: &OwnerToken,
    lease: i64,
    count: Option<Count>,
    said: Option<&Description>,
) -> Txn {
    let lock = put(&keys.main, &owner.to_hex(), lease);
    let said = say(keys, said, lease);
    let grant = match count {
        None => [lock].into_iter().chain(said).collect::<Vec<_>>(),
        Some(count) => {
            let counter = put(&keys.counter, &digits(count.next), count.lease);
            let inner = Txn::new()
                .when([is_above(&keys.counter[..], count.most)])
                .and_then([TxnOp::get(&keys.counter[..], None)])
                .or_else([lock, counter, raise_top(count.next)].into_iter().chain(said).collect::<Vec<_>>());
            vec![TxnOp::txn(inner)]
        }
    };
    Txn::new()
        .when([Compare::create_revision(&keys.main[..], CompareOp::Equal, 0)])
        .and_then(grant)
        .or_else([TxnOp::get(&keys.main[..], None), TxnOp::get(&keys.counter[..], None)])
}

/// Changes what an owner has. With `check_owner` off it is anybody's.
pub(super) fn change(
    keys: &Keys,
    owner: &OwnerToken,
    change: Change,
    least: Option<Least>,
    said: Option<&Description>,
    check_owner: bool,
) -> Txn {
    let text = owner.to_hex();
    let is_owners = Compare::value(&keys.main[..], CompareOp::Equal, text.as_bytes());
    let (mut compares, lock) = match change {
        Change::None => (vec![is_owners], None),
        Change::Attach { from, to } => {
            // The lease too: an extension that was given up must not take effect behind a later one.
            let is_on = Compare::lease(&keys.main[..], CompareOp::Equal, from);
            (vec![is_on, is_owners], Some(put(&keys.main, &text, to)))
        }
        Change::Create { to } => {
            let is_free = Compare::create_revision(&keys.main[..], CompareOp::Equal, 0);
            (vec![is_free], Some(put(&keys.main, &text, to)))
        }
    };
    if !check_owner && compares.len() > 1 {
        compares.truncate(1);
    }
    let said = match change {
        Change::None => None,
        Change::Attach { to, .. } | Change::Create { to } => say(keys, said, to),
    };
    let operations: Vec<_> =
        least.map(|least| raise(keys, least)).into_iter().chain(lock).chain(said).collect();
    Txn::new().when(compares).and_then(operations).or_else([TxnOp::get(&keys.main[..], None)])
}

/// Has the counter stand at `least` at least. Where it does exactly, its lease is replaced if need be; one that stands
/// higher is told, for it may have to be kept for longer than `least` has.
fn raise(keys: &Keys, least: Least) -> TxnOp {
    let key = &keys.counter[..];
    let is_there = Compare::value(key, CompareOp::Equal, digits(least.to));
    let lower = [put(key, &digits(least.to), least.lease), raise_top(least.to)];
    let not_there =
        Txn::new().when([is_above(key, least.to)]).and_then([TxnOp::get(key, None)]).or_else(lower);
    let there = Txn::new().when([Compare::lease(key, CompareOp::Equal, least.lease)]).or_else([put(
        key,
        &digits(least.to),
        least.lease,
    )]);
    TxnOp::txn(Txn::new().when([is_there]).and_then([TxnOp::txn(there)]).or_else([TxnOp::txn(not_there)]))
}

/// Keeps a counter on another lease, provided that it still stands there.
pub(super) fn keep(keys: &Keys, least: Least) -> Txn {
    let key = &keys.counter[..];
    Txn::new().when([Compare::value(key, CompareOp::Equal, digits(least.to))]).and_then([put(
        key,
        &digits(least.to),
        least.lease,
    )])
}

/// Takes a lock from its owner.
pub(super) fn delete(keys: &Keys, owner: &OwnerToken, check_owner: bool) -> Txn {
    let is_owners = Compare::value(&keys.main[..], CompareOp::Equal, owner.to_hex());
    let is_held = Compare::create_revision(&keys.main[..], CompareOp::Greater, 0);
    let options = etcd_client::DeleteOptions::new().with_prev_key();
    Txn::new()
        .when([if check_owner { is_owners } else { is_held }])
        .and_then([TxnOp::delete(&keys.main[..], Some(options)), TxnOp::delete(&keys.said[..], None)])
}

/// What [`look`] has shown.
pub(super) fn seen(answer: &TxnResponse) -> Result<Seen, Failure> {
    let revision = answer.header().map(etcd_client::ResponseHeader::revision);
    let Some(revision) = revision.filter(|&revision| revision > 0) else {
        return Err(Failure::nonsense("it has no revision"));
    };
    match &answer.op_responses()[..] {
        [TxnOpResponse::Get(lock), TxnOpResponse::Get(counter)] => {
            Ok(Seen { lock: lock_of(lock), counter: counter_of(counter)?, revision })
        }
        _ => Err(Failure::nonsense("a look is answered otherwise")),
    }
}

/// A lock, its counter, and what its owner says of itself.
type Inspected = (Option<Lock>, Option<Counter>, Option<Description>);

/// What [`inspect`] has shown.
pub(super) fn inspected(answer: &TxnResponse) -> Result<Inspected, Failure> {
    match &answer.op_responses()[..] {
        [TxnOpResponse::Get(lock), TxnOpResponse::Get(counter), TxnOpResponse::Get(said)] => {
            let lock = lock_of(lock);
            let said = lock.as_ref().and_then(|lock| said_on(said, lock.lease));
            Ok((lock, counter_of(counter)?, said))
        }
        _ => Err(Failure::nonsense("a look is answered otherwise")),
    }
}

/// What [`ask`] has shown of the owner of the lock on this lease.
pub(super) fn asked(answer: &TxnResponse, lease: i64) -> Result<Option<Description>, Failure> {
    match &answer.op_responses()[..] {
        [TxnOpResponse::Get(said)] => Ok(said_on(said, lease)),
        _ => Err(Failure::nonsense("a look is answered otherwise")),
    }
}

fn said_on(answer: &GetResponse, lease: i64) -> Option<Description> {
    let said = answer.kvs().first().filter(|said| lease != 0 && said.lease() == lease)?;
    Description::from_stored(said.value())
}

/// What [`create`] has done.
pub(super) fn created(answer: &TxnResponse) -> Result<Created, Failure> {
    if !answer.succeeded() {
        return seen(answer).map(Created::Taken);
    }
    match &answer.op_responses()[..] {
        [TxnOpResponse::Put(_), ..] => Ok(Created::Done),
        [TxnOpResponse::Txn(inner)] if !inner.succeeded() => Ok(Created::Done),
        [TxnOpResponse::Txn(inner)] => match &inner.op_responses()[..] {
            [TxnOpResponse::Get(counter)] => {
                Ok(Created::TooHigh(counter_of(counter)?.map_or(0, |counter| counter.value)))
            }
            _ => Err(Failure::nonsense("a grant is answered otherwise")),
        },
        _ => Err(Failure::nonsense("a grant is answered otherwise")),
    }
}

/// What [`change`] has done.
pub(super) fn changed(answer: &TxnResponse, least: Option<Least>) -> Result<Changed, Failure> {
    let operations = answer.op_responses();
    if !answer.succeeded() {
        return match &operations[..] {
            [TxnOpResponse::Get(lock)] => Ok(Changed::Not(lock_of(lock))),
            _ => Err(Failure::nonsense("a change is answered otherwise")),
        };
    }
    let Some(least) = least else { return Ok(Changed::Done(None)) };
    let Some(TxnOpResponse::Txn(outer)) = operations.first() else {
        return Err(Failure::nonsense("a raise is answered otherwise"));
    };
    match &outer.op_responses()[..] {
        [TxnOpResponse::Txn(_)] if outer.succeeded() => Ok(Changed::Done(Some(Ok(least.to)))),
        [TxnOpResponse::Txn(inner)] if !inner.succeeded() => Ok(Changed::Done(Some(Ok(least.to)))),
        [TxnOpResponse::Txn(inner)] => match &inner.op_responses()[..] {
            [TxnOpResponse::Get(counter)] => match counter_of(counter)? {
                Some(counter) => Ok(Changed::Done(Some(Err(counter)))),
                None => Err(Failure::nonsense("a counter is above another one and not there")),
            },
            _ => Err(Failure::nonsense("a raise is answered otherwise")),
        },
        _ => Err(Failure::nonsense("a raise is answered otherwise")),
    }
}

/// Whether [`delete`] has found the lock, and the lease that it was on.
pub(super) fn deleted(answer: &TxnResponse) -> Option<i64> {
    match (answer.succeeded(), &answer.op_responses()[..]) {
        (true, [TxnOpResponse::Delete(gone), ..]) => Some(gone.prev_kvs().first().map_or(0, KeyValue::lease)),
        _ => None,
    }
}

fn lock_of(answer: &GetResponse) -> Option<Lock> {
    answer.kvs().first().map(|key| Lock { owner: key.value().to_vec(), lease: key.lease() })
}

fn counter_of(answer: &GetResponse) -> Result<Option<Counter>, Failure> {
    let Some(key) = answer.kvs().first() else { return Ok(None) };
    Ok(Some(Counter { value: number(key.value())?, lease: key.lease() }))
}

/// A counter as it is stored.
pub(super) fn number(text: &[u8]) -> Result<u64, Failure> {
    let is_ours = text.len() == 16 && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_ours).and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let detail = "the key of its fencing counter (#redlock:aux:...) holds what no counter is; delete that key \
                      while nobody holds the lock";
        Failure::new(NodeErrorKind::WrongType, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_compare_as_bytes_as_they_do_as_numbers() {
        for (less, more) in [(0, 1), (9, 10), (1_700_000_000_000_000, FencingToken::MAX)] {
            assert!(digits(less) < digits(more));
            assert_eq!(number(digits(more).as_bytes()).unwrap(), more);
        }
        for odd in ["", "7", "+000000000000007", "00000000000000007"] {
            assert_eq!(number(odd.as_bytes()).unwrap_err().kind, NodeErrorKind::WrongType);
        }
    }
}
