//! What a node does with a request: the rules that its scripts run, atomically.

use redlock::Protections;

use super::Bound;
use super::state::{Key, Memory, Node, Request, Time, What};

/// What a node says to a request that had an effect. (Refusals have none, and are not modelled.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its counter stands there.
    Granted(u8),
    Released,
}

impl Node {
    /// Carries a request out; `None` if it is refused or has no effect.
    pub(super) fn run(
        &mut self,
        request: &Request,
        now: Time,
        bound: &Bound,
        on: &Protections,
    ) -> Option<Answer> {
        if on.stale_deadline && request.what.deadline().is_some_and(|deadline| now > deadline) {
            return None;
        }
        match request.what {
            What::Acquire { .. } => self.acquire(request, now, bound, on),
            What::Raise { to, .. } => self.raise(request, to),
            What::Extend { short, restore, to, .. } => {
                self.extend(request, restore, to, now + bound.life(short), on)
            }
            What::Release { over } => self.release(request, now > over, on),
        }
    }

    fn acquire(&mut self, request: &Request, now: Time, bound: &Bound, on: &Protections) -> Option<Answer> {
        let may_grant = match self.memory {
            Memory::Admitted => true,
            Memory::Unmarked => !on.marker_check,
            Memory::Quarantined { .. } => false,
        };
        let holder = self.key;
        if !may_grant || holder.is_some_and(|key| key.owner != request.owner) {
            return None;
        }
        if holder.is_none() {
            self.counter += bound.span;
        }
        let expires = (now + bound.life(false)).max(holder.map_or(0, |key| key.expires));
        self.key = Some(Key { owner: request.owner, expires });
        Some(Answer::Granted(self.counter))
    }

    fn raise(&mut self, request: &Request, to: u8) -> Option<Answer> {
        self.key.filter(|key| key.owner == request.owner)?;
        self.counter = self.counter.max(to);
        Some(Answer::Granted(self.counter))
    }

    fn extend(
        &mut self,
        request: &Request,
        restore: bool,
        to: Option<u8>,
        expires: Time,
        on: &Protections,
    ) -> Option<Answer> {
        if on.marker_check && self.memory == Memory::Unmarked {
            return None;
        }
        if restore && self.key.is_none() {
            self.key = Some(Key { owner: request.owner, expires });
        }
        let key = self.key.as_mut()?;
        if on.extend_owner_check && key.owner != request.owner {
            return None;
        }
        key.expires = if on.never_shorten { key.expires.max(expires) } else { expires };
        self.counter = self.counter.max(to.unwrap_or(0));
        if let Memory::Quarantined { renewed, .. } = &mut self.memory {
            *renewed = true;
        }
        Some(Answer::Granted(self.counter))
    }

    fn release(&mut self, request: &Request, is_over: bool, on: &Protections) -> Option<Answer> {
        let may_delete = |key: &Key| key.owner == request.owner || !on.release_owner_check;
        // One that finds nothing says something all the same when nothing can come any more.
        (self.key.take_if(|key| may_delete(key)).is_some() || is_over).then_some(Answer::Released)
    }

    /// Forgets everything, as a server does that is told to (FLUSHALL): the process goes on.
    pub(super) fn flush(&mut self) {
        *self = Self { key: None, counter: 0, memory: Memory::Unmarked, ..*self };
    }

    /// A client makes a marker of the new memory. The process has run for long.
    pub(super) fn mark(&mut self, now: Time, bound: &Bound, on: &Protections) {
        let is_long = on.quarantine && on.quarantine_from_marker;
        let until = if is_long { now + bound.quarantine() } else { now };
        self.memory = Memory::Quarantined { until, floor: None, renewed: false };
    }
}
