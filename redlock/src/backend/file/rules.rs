//! What a request makes of a record. Pure: time comes in as an argument.

use std::time::Duration;

use super::record::Record;
use crate::id::{FencingToken, Instant, OwnerToken, Ttl};
use crate::node::fence::{keep_for, next_counter};
use crate::node::{
    AcquireRequest, ExtendRequest, Grant, Raise, RaiseRequest, Refusal, RefusalReason, ReleaseRequest, Reply,
};
use crate::protections::Protections;

/// When, and by which rules, a record is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Microseconds of the wall clock: what fencing counters follow.
    pub(super) wall: u64,
    /// Counters that were never used begin above this.
    pub(super) floor: u64,
    pub(super) protections: Protections,
}

/// The answer, and the record that must be written before it is given.
pub(super) type Decision<T> = (T, Option<Record>);

impl Moment {
    pub(super) fn acquire(&self, record: &Record, request: &AcquireRequest) -> Decision<Reply> {
        if self.is_stale(request.deadline) {
            return refused(RefusalReason::Stale, None);
        }
        let holder = record.holder(self.now);
        if let Some((owner, _)) = holder.filter(|(owner, _)| *owner != request.owner) {
            return self.held(record, owner);
        }
        // A repeated acquire must not take back what an extension has given meanwhile.
        let ends = self.end_of(request.ttl).max(holder.map_or(self.now, |(_, ends)| ends));
        let mut new = self.owned(record, request.owner, ends);
        new.said.clone_from(&request.description);
        let mut grant = Grant::default();
        if let Some(fence) = &request.fence {
            let counter = self.counter(record);
            let is_again = holder.is_some() && self.protections.fence_once();
            let next = if is_again && record.counter > 0 {
                Some(counter)
            } else {
                next_counter(counter, fence, self.wall, &self.protections)
            };
            let Some(next) = next else { return refused(RefusalReason::Exhausted, None) };
            grant = self.count(&mut new, Raise::new(next, fence.retention), request.ttl);
        }
        (Reply::Granted(grant), Some(new))
    }

    pub(super) fn extend(&self, record: &Record, request: &ExtendRequest) -> Decision<Reply> {
        if self.is_stale(request.deadline) {
            return refused(RefusalReason::Stale, None);
        }
        let asked = self.end_of(request.ttl);
        let (owner, ends) = match record.holder(self.now) {
            None if request.restore => (request.owner, asked),
            None => return refused(RefusalReason::Missing, None),
            Some((owner, _)) if owner != request.owner && self.protections.extend_owner_check() => {
                return self.held(record, owner);
            }
            Some((owner, ends)) if self.protections.never_shorten() => (owner, asked.max(ends)),
            Some((owner, _)) => (owner, asked),
        };
        let mut new = self.owned(record, owner, ends);
        if record.holder(self.now).is_none() || request.description.is_some() {
            new.said.clone_from(&request.description);
        }
        let grant = request.fence.map(|raise| self.count(&mut new, raise, request.ttl)).unwrap_or_default();
        (Reply::Granted(grant), Some(new))
    }

    pub(super) fn raise(&self, record: &Record, request: &RaiseRequest) -> Decision<Reply> {
        if self.is_stale(request.deadline) {
            return refused(RefusalReason::Stale, None);
        }
        match record.holder(self.now) {
            None => refused(RefusalReason::Missing, None),
            Some((owner, _)) if owner != request.owner => self.held(record, owner),
            Some((owner, ends)) => {
                let mut new = self.owned(record, owner, ends);
                let grant = self.count(&mut new, request.fence, request.ttl);
                (Reply::Granted(grant), Some(new))
            }
        }
    }

    /// Whether the owner had it.
    pub(super) fn release(&self, record: &Record, request: &ReleaseRequest) -> Decision<bool> {
        match record.holder(self.now) {
            Some((owner, _)) if owner == request.owner || !self.protections.release_owner_check() => {
                (true, Some(Record { owner: None, said: None, written: self.now, ..record.clone() }))
            }
            _ => (false, None),
        }
    }

    fn is_stale(&self, deadline: Instant) -> bool {
        self.protections.stale_deadline() && self.now > deadline
    }

    fn held(&self, record: &Record, owner: OwnerToken) -> Decision<Reply> {
        let refusal = Refusal::new(RefusalReason::Held, record.left(self.now));
        (Reply::Refused(refusal.of_owner((&owner).into())), None)
    }

    fn end_of(&self, ttl: Ttl) -> Instant {
        self.now.saturating_add(ttl.get())
    }

    fn owned(&self, record: &Record, owner: OwnerToken, ends: Instant) -> Record {
        Record { owner: Some(owner), ends, written: self.now, ..record.clone() }
    }

    /// Where the counter stands. One that was never used, or was forgotten, begins where no other has been.
    fn counter(&self, record: &Record) -> u64 {
        if record.counter == 0 { self.floor } else { record.counter }
    }

    /// Has the counter stand there at least.
    fn count(&self, record: &mut Record, raise: Raise, ttl: Ttl) -> Grant {
        // Beyond the end of all tokens nothing is stored: whoever asks for it sees that it is not there.
        let value = self.counter(record).max(raise.to.min(FencingToken::MAX));
        let keep: Duration = keep_for(value, self.wall, ttl.get(), raise.retention);
        record.kept = record.kept.max(self.now.saturating_add(keep));
        record.counter = value;
        Grant::with_counter(value)
    }
}

fn refused(reason: RefusalReason, left: Option<Duration>) -> Decision<Reply> {
    (Reply::Refused(Refusal::new(reason, left)), None)
}
