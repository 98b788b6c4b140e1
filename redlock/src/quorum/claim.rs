//! What one owner token may have left on the nodes, until each is certain to hold nothing of it.
//!
//! Design, section 4, "Stale requests" and "Stragglers": every node that was asked gets its release behind its acquire,
//! and an acquire that was never answered counts as released only when it can no longer take effect.

use std::time::Duration;

use crate::id::Instant;

use super::Quorum;

/// The account of one owner token, a lane a node.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    lanes: Vec<Lane>,
}

#[derive(Debug, Clone, Default)]
struct Lane {
    /// Acquires that are still awaited.
    awaited: u32,
    /// The latest deadline of an acquire that was given up: it may run until then.
    given_up: Option<Instant>,
    /// An acquire was granted and not released since.
    granted: bool,
    /// A release found the key of an acquire whose answer is still awaited: the answer tells nothing new.
    consumed: bool,
    /// Nothing of this owner is left after this point, whatever happened.
    gone_at: Instant,
    /// A release is awaited.
    releasing: bool,
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

impl Default for Instant {
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl Claim {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { lanes: vec![Lane::default(); quorum.nodes()] }
    }

    /// An acquire is about to be sent. `keeps_for` is how long a node may keep the key, drift included.
    pub(crate) fn asked(&mut self, node: usize, deadline: Instant, keeps_for: Duration) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.awaited += 1;
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
            Answer::Granted => lane.granted |= !consumed,
            Answer::NoEffect => {}
            // Its key was found and deleted: it has run, and runs only once.
            Answer::GivenUp { .. } if consumed => {}
            Answer::GivenUp { deadline } => lane.given_up = lane.given_up.max(Some(deadline)),
        }
    }

    /// The nodes that need a release now, each with what [`ReleaseRequest::unsettled`](crate::node::ReleaseRequest)
    /// must say; marks them as being released. Nodes whose acquire is still awaited are included only if
    /// `behind_awaited`: a release sent behind it finds its key in most cases.
    pub(crate) fn start_release(
        &mut self,
        now: Instant,
        behind_awaited: bool,
    ) -> Vec<(usize, Option<Instant>)> {
        let mut due = Vec::new();
        for (node, lane) in self.lanes.iter_mut().enumerate() {
            let owes = lane.granted || lane.given_up.is_some() || (behind_awaited && lane.awaited > 0);
            if owes && !lane.releasing && now < lane.gone_at {
                lane.releasing = true;
                due.push((node, lane.given_up));
            }
        }
        due
    }

    /// A release was answered.
    pub(crate) fn released(&mut self, node: usize, was_held: bool, settled: bool) {
        let Some(lane) = self.lanes.get_mut(node) else { return };
        lane.releasing = false;
        // With nothing granted before, a key that was there is the awaited acquire's own: it has run.
        if was_held && !lane.granted && lane.given_up.is_none() && lane.awaited == 1 {
            lane.consumed = true;
        }
        lane.granted = false;
        if settled {
            lane.given_up = None;
        }
    }

    /// A release was not answered, or failed.
    pub(crate) fn release_failed(&mut self, node: usize) {
        if let Some(lane) = self.lanes.get_mut(node) {
            lane.releasing = false;
        }
    }

    /// Forgets what was given up without an answer: what a client without this safeguard does.
    pub(crate) fn forget_given_up(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.given_up = None);
    }

    /// Forgets what is still awaited: what a client without that safeguard does.
    pub(crate) fn forget_awaited(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.awaited = 0);
    }

    /// Whether every node is certain to hold nothing of this owner, or will be without anybody's doing.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        self.lanes.iter().all(|lane| {
            now >= lane.gone_at
                || (lane.awaited == 0 && !lane.granted && lane.given_up.is_none() && !lane.releasing)
        })
    }

    /// Whether answers are still awaited that [`Claim::is_settled`] depends on.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.lanes.iter().any(|lane| lane.awaited > 0 || lane.releasing)
    }
}
