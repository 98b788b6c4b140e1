//! Who leads, as far as the nodes show.

use std::fmt;

use super::candidate::Candidate;
use super::record::Record;
use crate::node::{Inspection, OwnerId};
use crate::{FencingToken, Holder, LockView};

/// A leader, as it has announced itself on a majority of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// Who it is.
    pub candidate: Candidate,
    /// Its term: see [`Term::epoch`](crate::Term::epoch).
    pub epoch: FencingToken,
    /// What it has [proclaimed](crate::Term::proclaim); empty if nothing.
    pub value: String,
    /// Its machine, its process, and since when, as far as it says so
    /// ([`LocksBuilder::describe_holder`](crate::LocksBuilder::describe_holder)).
    pub holder: Holder,
}

impl fmt::Display for Leader {
    /// Such as `web-3 pid 812, epoch 1700000000123456: http://web-3:8080`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = Holder { text: String::new(), ..self.holder.clone() };
        if who.host.is_empty() {
            self.candidate.fmt(f)?
        } else {
            who.fmt(f)?
        }
        write!(f, ", epoch {}", self.epoch.get())?;
        if self.value.is_empty() { Ok(()) } else { write!(f, ": {}", self.value.escape_debug()) }
    }
}

/// No majority of nodes says who leads, nor that nobody does.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no majority of nodes says who leads{}", Failures(view))]
#[non_exhaustive]
pub struct Disconnected {
    /// What each node showed.
    pub view: LockView,
}

struct Failures<'a>(&'a LockView);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.0.nodes.iter().filter_map(|node| node.answer.as_ref().err()) {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}

/// What a look comes to.
#[derive(Debug)]
pub(super) enum Seen {
    /// A majority has one leader. Of two that it has left, the later has the greater revision.
    Leader { owner: OwnerId, revision: u64, leader: Box<Leader> },
    /// A majority has one owner, who has not announced itself as a leader: one that has just won, or no candidate at all.
    Winner(OwnerId),
    /// No owner can have a majority.
    Nobody,
    /// Too few nodes say anything.
    Unclear,
}

impl Seen {
    pub(super) fn of(view: &LockView) -> Self {
        let answers = || view.nodes.iter().filter_map(|node| node.answer.as_ref().ok());
        let of = |owner: OwnerId| answers().filter(move |answer| answer.owner == Some(owner));
        let mut owners = answers().filter_map(|answer| answer.owner);
        match owners.find(|&owner| of(owner).count() >= view.quorum.size()) {
            Some(owner) => Self::led_by(owner, of(owner)),
            None if view.is_held_by_nobody() => Self::Nobody,
            None => Self::Unclear,
        }
    }

    /// Of what the nodes of one owner say of it the latest counts: a node that was given back its lock may be behind.
    fn led_by<'a>(owner: OwnerId, nodes: impl Iterator<Item = &'a Inspection>) -> Self {
        let said = nodes.filter_map(|node| node.description.as_ref()).map(Holder::from);
        let records = said.filter_map(|holder| Some((Record::parse(&holder.text)?, holder)));
        let Some((record, holder)) = records.max_by_key(|(record, _)| (record.epoch, record.revision)) else {
            return Self::Winner(owner);
        };
        let Record { candidate, epoch, value, revision, .. } = record;
        Self::Leader { owner, revision, leader: Box::new(Leader { candidate, epoch, value, holder }) }
    }
}
