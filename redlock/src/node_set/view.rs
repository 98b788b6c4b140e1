//! What the markers say of a change, and what is to be done about each node.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Members, Memories, Plan, Progress};
use crate::id::{Charter, Marker, Stage, Standing};
use crate::node::{Node, NodeError};
use crate::node_set::NodeSetError;

/// The nodes as they were at one look.
pub(super) struct View<'a> {
    plan: &'a Plan,
    pub(super) standings: Vec<Standing>,
    /// No fencing counter of the node is above this, where it has said so.
    pub(super) ceilings: Vec<Option<u64>>,
    pub(super) failed: Vec<NodeError>,
}

/// What is to be done about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Its charter changes; it keeps its memory.
    Advance,
    /// It is one without memory: new, has forgotten, or was away for longer than a change.
    Anew,
}

impl<'a> View<'a> {
    pub(super) fn new(plan: &'a Plan, nodes: &[Arc<dyn Node>]) -> Self {
        let standings = nodes.iter().map(|node| node.standing()).collect();
        Self { plan, standings, ceilings: vec![None; nodes.len()], failed: Vec::new() }
    }

    fn marker(&self, node: usize) -> Option<Marker> {
        match self.standings[node] {
            Standing::Marked(marker) => Some(marker),
            _ => None,
        }
    }

    fn nodes(&self) -> impl Iterator<Item = usize> + '_ {
        0..self.standings.len()
    }

    /// The markers of nodes that are not about to be added: those say whose nodes they are.
    fn old_markers(&self) -> impl Iterator<Item = Marker> + '_ {
        self.nodes().filter(|&node| self.plan.is_old(node)).filter_map(|node| self.marker(node))
    }

    /// Refuses nodes that cannot be in a change.
    pub(super) fn check(&self, nodes: &[Arc<dyn Node>]) -> Result<(), NodeSetError> {
        if let Some(node) = self.nodes().find(|&node| self.standings[node] == Standing::Unguarded) {
            return Err(NodeSetError::Unguarded { node: nodes[node].address().to_owned() });
        }
        let theirs = self.old_markers().map(|marker| marker.charter.max_ttl);
        match theirs.into_iter().find(|&theirs| theirs != self.plan.max_ttl) {
            Some(theirs) => Err(NodeSetError::MaxTtl { theirs, ours: self.plan.max_ttl }),
            None => Ok(()),
        }
    }

    /// The fleet that most nodes are in.
    pub(super) fn fleet(&self) -> Result<u64, NodeSetError> {
        let fleets: Vec<u64> = self.old_markers().map(|marker| marker.charter.fleet).collect();
        let count = |one: &u64| fleets.iter().filter(|other| *other == one).count();
        match fleets.iter().max_by_key(|one| (count(one), std::cmp::Reverse(**one))) {
            Some(&fleet) => Ok(fleet),
            None if self.failed.is_empty() => Err(NodeSetError::Unused),
            None => Err(self.too_few(1, 0)),
        }
    }

    /// The nodes of this fleet whose markers are of the new set, at one of these stages.
    fn at(&self, is_it: impl Fn(Stage) -> bool) -> impl Iterator<Item = usize> {
        let fleet = self.fleet().ok();
        self.nodes().filter(move |&node| {
            self.marker(node).is_some_and(|Marker { charter, .. }| {
                Some(charter.fleet) == fleet && charter.epoch == self.plan.number && is_it(charter.stage)
            })
        })
    }

    /// How many nodes of the new set are open to its clients.
    pub(super) fn opened(&self) -> usize {
        self.at(|_| true).filter(|&node| self.plan.is_new(node)).count()
    }

    /// How many nodes of the new set have it in force, with counters that begin above those of the old one.
    pub(super) fn settled(&self) -> usize {
        let settled = self.at(|stage| stage == Stage::Settled).filter(|&node| self.plan.is_new(node));
        settled.filter(|&node| self.marker(node).is_some_and(|marker| marker.floor.is_some())).count()
    }

    /// The nodes of the old set that refuse its clients, each with its memory.
    pub(super) fn closed(&self) -> Memories {
        let closed = self.at(|stage| matches!(stage, Stage::Closed | Stage::Settled));
        let closed = closed.filter(|&node| self.plan.is_old(node));
        closed.filter_map(|node| Some((node, self.marker(node)?.incarnation))).collect()
    }

    /// How many nodes of the new set have said how far their counters have come, and have forgotten nothing.
    pub(super) fn remembering(&self) -> usize {
        let new = self.nodes().filter(|&node| self.plan.is_new(node) && self.ceilings[node].is_some());
        new.filter(|&node| self.marker(node).is_some_and(|marker| marker.floor.is_some())).count()
    }

    /// Whether there are nodes of the new set of which nothing is known.
    pub(super) fn misses_new_nodes(&self) -> bool {
        self.nodes().any(|node| self.plan.is_new(node) && self.standings[node] == Standing::Unknown)
    }

    /// No fencing counter of any node is above this.
    pub(super) fn ceiling(&self) -> u64 {
        self.ceilings.iter().flatten().copied().max().unwrap_or(0)
    }

    pub(super) fn too_few(&self, needed: usize, found: usize) -> NodeSetError {
        NodeSetError::TooFew { needed, found, nodes: self.failed.clone() }
    }

    /// How far the change has come.
    pub(super) fn progress(&self) -> Result<Progress, NodeSetError> {
        let Plan { number, before, after, .. } = *self.plan;
        let fleet = self.fleet()?;
        let charters =
            || self.old_markers().map(|marker| marker.charter).filter(|charter| charter.fleet == fleet);
        let from = number.saturating_sub(1);
        if let Some(found) = charters().map(|charter| charter.epoch).max().filter(|&found| found > number) {
            return Err(NodeSetError::OtherSet { found, from, to: number });
        }
        let any = |is_it: fn(Stage) -> bool| self.at(is_it).next().is_some();
        if self.settled() >= after.size() {
            return Ok(Progress::Done);
        }
        if any(|stage| matches!(stage, Stage::Closed | Stage::Settled)) {
            return Ok(Progress::Closing);
        }
        if self.opened() >= after.size() {
            return Ok(Progress::Open);
        }
        if any(|_| true) {
            return Ok(Progress::Opening);
        }
        let is_from = |charter: &Charter| charter.epoch == from;
        let settled =
            charters().filter(|charter| is_from(charter) && charter.stage == Stage::Settled).count();
        if settled >= before.size() {
            return Ok(Progress::NotBegun);
        }
        // Of those that do not answer now some may be settled.
        let silent = self.nodes().filter(|&node| self.standings[node] == Standing::Unknown);
        let may_be = settled + silent.filter(|&node| self.plan.is_old(node)).count();
        if settled > 0 && may_be >= before.size() {
            return Err(self.too_few(before.size(), settled));
        }
        if charters().any(|charter| is_from(&charter) && charter.stage != Stage::Settled) {
            return Err(NodeSetError::Unfinished { number: from });
        }
        match charters().map(|charter| charter.epoch).max() {
            Some(found) if found != from => Err(NodeSetError::OtherSet { found, from, to: number }),
            _ => Err(self.too_few(before.size(), settled)),
        }
    }

    /// Whether the node to be added can be had.
    pub(super) fn can_join(&self, node: usize, nodes: &[Arc<dyn Node>]) -> Result<(), NodeSetError> {
        let fleet = self.fleet()?;
        match self.standings[node] {
            Standing::Unknown => Err(self.too_few(1, 0)),
            Standing::Marked(Marker { charter, floor: Some(_), .. }) if charter.fleet != fleet => {
                Err(NodeSetError::InUse { node: nodes[node].address().to_owned(), fleet: charter.fleet })
            }
            _ => Ok(()),
        }
    }

    /// What brings a node to this charter; `None`: nothing needs to, or can.
    pub(super) fn step(&self, node: usize, charter: Charter) -> Option<Step> {
        let (is_new, joins) =
            (self.plan.is_new(node), matches!(self.plan.members, Members::Joins(one) if one == node));
        let anew = is_new.then_some(Step::Anew);
        let theirs = match self.standings[node] {
            Standing::Unmarked(_) => return anew,
            Standing::Marked(marker) => marker.charter,
            _ => return None,
        };
        if theirs.fleet != charter.fleet {
            return anew.filter(|_| joins);
        }
        match theirs.epoch.cmp(&charter.epoch) {
            Ordering::Greater => None,
            Ordering::Equal => (rank(theirs.stage) < rank(charter.stage)).then_some(Step::Advance),
            // Whatever it has, it has of an earlier time.
            Ordering::Less if joins => anew,
            // The node to be removed serves the clients of the old set until they are shut out.
            Ordering::Less if !is_new && matches!(charter.stage, Stage::Open { .. }) => None,
            Ordering::Less if theirs.epoch.saturating_add(1) == charter.epoch => Some(Step::Advance),
            Ordering::Less => anew,
        }
    }
}

/// Stages come one after the other.
fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::Open { .. } => 0,
        Stage::Closed => 1,
        Stage::Settled => 2,
    }
}
