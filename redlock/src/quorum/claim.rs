//! What one owner token may have left on the nodes, until each is certain to hold nothing of it.
//!
//! Design, section 4, "Stale requests" and "Stragglers": every node that was asked gets its release behind its acquire,
//! and an acquire that was never answered counts as released only when it can no longer take effect.

use std::time::Duration;

use crate::id::{Incarnation, Instant};

use super::Quorum;

/// The account of one owner token, a lane a node.
///
/// Every lock that is held has one, so that it is kept small.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    lanes: Box<[Lane]>,
    /// Releases have begun.
    closing: bool,
}

#[derive(Debug, Clone, Default)]
struct Lane {
    /// Acquires that are still awaited.
    awaited: u32,
    /// A release found the key of the one acquire that is still awaited: its answer will tell nothing new.
    consumed: bool,
    /// Acquires that have ended and that no release has dealt with.
    ended: Ended,
    /// Nothing of this owner is left after this point, whatever happened.
    gone_at: Instant,
    /// Whether the node has granted, and in what memory the last time.
    granted_in: Granted,
    /// A release is awaited: what had ended when it was sent. It says nothing of what ended later, which it may have
    /// overtaken over a new connection.
    releasing: Option<Counts>,
}

/// What is known of the memory that a node granted in.
#[derive(Debug, Clone, Copy, Default)]
enum Granted {
    /// It has not granted.
    #[default]
    Never,
    /// It does not say.
    Somewhere,
    In(Incarnation),
}

/// Acquires that may have left a key, or will.
#[derive(Debug, Clone, Copy, Default)]
struct Ended {
    counts: Counts,
    /// The latest deadline of those given up: they may run until then.
    deadline: Instant,
}

/// How many acquires have ended, and how.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    granted: u32,
    given_up: u32,
}

impl Ended {
    fn count(self) -> u32 {
        self.counts.granted.saturating_add(self.counts.given_up)
    }

    /// Until when those given up may run; `None`: there are none.
    fn deadline(self) -> Option<Instant> {
        (self.counts.given_up > 0).then_some(self.deadline)
    }

    fn give_up(&mut self, deadline: Instant) {
        self.deadline = self.deadline().max(Some(deadline)).unwrap_or(deadline);
        self.counts.given_up = self.counts.given_up.saturating_add(1);
    }

    /// Takes away what a release has dealt with.
    fn settle(&mut self, dealt_with: Counts) {
        self.counts.granted = self.counts.granted.saturating_sub(dealt_with.granted);
        self.counts.given_up = self.counts.given_up.saturating_sub(dealt_with.given_up);
    }
}

/// How an awaited acquire ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The node granted.
    Granted,
    /// It certainly had no effect.
    NoEffect,
    /// No answer came, or an error that says nothing; it may run until this deadline.
    GivenUp {
        /// The request's deadline.
        deadline: Instant,
    },
}

impl Claim {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { lanes: vec![Lane::default(); quorum.nodes()].into(), closing: false }
    }

    /// An acquire is about to be sent. `keeps_for` is how long a node may keep the key, drift included.
    pub(crate) fn asked(&mut self, node: usize, deadline: Instant, keeps_for: Duration) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.awaited = lane.awaited.saturating_add(1);
            // With two of them it can no longer be told whose key it was.
            lane.consumed = false;
            lane.gone_at = lane.gone_at.max(deadline.saturating_add(keeps_for));
        }
    }

    /// An extension is about to be sent: it creates nothing, but the key may live longer.
    pub(crate) fn prolonged(&mut self, node: usize, deadline: Instant, keeps_for: Duration) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.gone_at = lane.gone_at.max(deadline.saturating_add(keeps_for));
        }
    }

    /// An awaited acquire has ended.
    pub(crate) fn answered(&mut self, node: usize, answer: Answer) {
        let Some(lane) = self.lanes.get_mut(node) else { return };
        lane.awaited = lane.awaited.saturating_sub(1);
        let consumed = std::mem::take(&mut lane.consumed);
        match answer {
            Answer::NoEffect => {}
            // Its key was found and deleted: it has run, and runs only once.
            _ if consumed => {}
            Answer::Granted => lane.ended.counts.granted = lane.ended.counts.granted.saturating_add(1),
            Answer::GivenUp { deadline } => lane.ended.give_up(deadline),
        }
    }

    /// A node has granted, in this memory.
    pub(crate) fn granted_in(&mut self, node: usize, memory: Option<Incarnation>) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.granted_in = memory.map_or(Granted::Somewhere, Granted::In);
        }
    }

    /// Whether a node that has the memory `now` may be given the key if nobody has it: it never granted, or has lost its memory
    /// since. Otherwise it has lost the key alone, and the lock was lost there.
    pub(crate) fn may_restore(&self, node: usize, now: Option<Incarnation>) -> bool {
        let Some(lane) = self.lanes.get(node) else { return false };
        match lane.granted_in {
            // One whose answer is still awaited may have voted, and lost the key since.
            Granted::Never => lane.awaited == 0,
            Granted::Somewhere => false,
            Granted::In(then) => now.is_some_and(|now| now != then),
        }
    }

    /// Whether releases have begun: nothing is to be given to this owner any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// The nodes that need a release now, each with what [`ReleaseRequest::unsettled`](crate::node::ReleaseRequest)
    /// must say; marks them as being released. Nodes whose acquire is still awaited are included only if
    /// `behind_awaited`: a release sent behind it finds its key in most cases.
    pub(crate) fn start_release(
        &mut self,
        now: Instant,
        behind_awaited: bool,
    ) -> Vec<(usize, Option<Instant>)> {
        self.closing = true;
        let mut due = Vec::new();
        for (node, lane) in self.lanes.iter_mut().enumerate() {
            let owes = lane.ended.count() > 0 || (behind_awaited && lane.awaited > 0 && !lane.consumed);
            if owes && lane.releasing.is_none() && now < lane.gone_at {
                lane.releasing = Some(lane.ended.counts);
                due.push((node, lane.ended.deadline()));
            }
        }
        due
    }

    /// A release was answered.
    pub(crate) fn released(&mut self, node: usize, was_held: bool, settled: bool) {
        let Some(lane) = self.lanes.get_mut(node) else { return };
        let known = lane.releasing.take().unwrap_or_default();
        let unresolved = lane.awaited.saturating_add(lane.ended.count());
        if was_held && unresolved == 1 {
            // The key was that acquire's: it has run, and runs only once.
            lane.consumed = lane.awaited == 1;
            lane.ended = Ended::default();
        } else {
            let given_up = if settled { known.given_up } else { 0 };
            lane.ended.settle(Counts { given_up, ..known });
        }
    }

    /// A release was not answered, or failed.
    pub(crate) fn release_failed(&mut self, node: usize) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.releasing = None;
        }
    }

    /// Forgets what was given up without an answer: what a client without this safeguard does.
    pub(crate) fn forget_given_up(&mut self) {
        let all = Counts { granted: 0, given_up: u32::MAX };
        self.lanes.iter_mut().for_each(|lane| lane.ended.settle(all));
    }

    /// Forgets what is still awaited: what a client without that safeguard does.
    pub(crate) fn forget_awaited(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.awaited = 0);
    }

    /// Whether every node is certain to hold nothing of this owner, or will be without anybody's doing.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        self.lanes.iter().all(|lane| {
            now >= lane.gone_at || (lane.awaited == 0 && lane.ended.count() == 0 && lane.releasing.is_none())
        })
    }
}
