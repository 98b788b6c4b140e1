//! The set of nodes: the markers' numbers, the clients that work under each, and the operator who removes one node after the
//! other (`node_set.rs`, `quorum::restart::unfit`).

use redlock::Protections;

use super::Bound;
use super::state::{NODES, Node, Phase, State, Time};
use super::step::Step;

/// What a node's marker says of its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Charter {
    pub(super) number: u8,
    pub(super) stage: Stage,
}

/// How far the change to a set has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    Open,
    Closed,
    Settled,
}

/// How far the operator has come. Goes from node to node in their order, and may not reach some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Operator {
    /// How many changes there are to be.
    last: u8,
    /// What the nodes are brought to.
    pub(super) to: Charter,
    next: usize,
    /// When no quorum of the set before was left.
    closed: Option<Time>,
    /// How far the counters of the new set had come when the set before had ended.
    floor: u8,
}

/// The first set: all nodes.
pub(super) const FIRST: Charter = Charter { number: 0, stage: Stage::Settled };

/// Whether a node is in a set. Each has one less than the one before.
pub(super) fn is_in(node: usize, set: u8) -> bool {
    node >= usize::from(set)
}

fn size(set: u8) -> usize {
    NODES - usize::from(set)
}

/// How many nodes of a set must grant.
pub(super) fn quorum(set: u8) -> usize {
    size(set) / 2 + 1
}

impl Node {
    /// Whether what it gives now counts for a client of this set.
    pub(super) fn serves(&self, set: u8, on: &Protections) -> bool {
        let Charter { number, stage } = self.charter;
        !on.node_set_epoch || number == set || (number == set + 1 && stage == Stage::Open)
    }
}

impl Operator {
    pub(super) fn begin(bound: &Bound) -> Self {
        Self { last: bound.changes, to: FIRST, next: NODES, closed: None, floor: 0 }
    }

    /// Whether nodes differ by more than their names: some are to be removed.
    pub(super) fn is_there(&self) -> bool {
        self.last > 0
    }
}

impl State {
    /// What the operator may do, and who may be restarted.
    pub(super) fn steps_of_operator(&self, bound: &Bound, on: &Protections, steps: &mut Vec<Step>) {
        let Operator { last, to, next, .. } = self.operator;
        if last == 0 {
            return;
        }
        steps.extend((next..NODES).filter(|&node| self.can_bring(node)).map(Step::Bring));
        if self.can_proceed(bound, on) {
            steps.push(Step::Proceed);
        }
        if to.number > 0 && self.at(to.number, Stage::Open) >= quorum(to.number) {
            let may = |client: &usize| {
                let client = &self.clients[*client];
                client.phase == Phase::Idle && client.set < to.number && client.rounds < bound.rounds
            };
            steps.extend((0..self.clients.len()).filter(may).map(Step::Restart));
        }
    }

    /// How many nodes of this set are at this stage of it, or further.
    fn at(&self, number: u8, stage: Stage) -> usize {
        let nodes = self.nodes.iter().enumerate().filter(|(index, _)| is_in(*index, number));
        nodes.filter(|(_, node)| node.charter >= Charter { number, stage }).count()
    }

    fn can_bring(&self, node: usize) -> bool {
        let to = self.operator.to;
        // The node that is removed serves the clients of the set before until they are shut out.
        let first = if to.stage == Stage::Open { to.number } else { to.number.saturating_sub(1) };
        is_in(node, first) && self.nodes[node].charter < to
    }

    fn can_proceed(&self, bound: &Bound, on: &Protections) -> bool {
        let Operator { last, to, closed, .. } = self.operator;
        match to.stage {
            Stage::Open => self.at(to.number, Stage::Open) >= quorum(to.number),
            Stage::Closed => {
                closed.is_some_and(|closed| self.now >= closed + bound.quarantine() || !on.node_set_wait)
            }
            Stage::Settled => {
                let is_settled = to.number == 0 || self.at(to.number, Stage::Settled) >= quorum(to.number);
                is_settled && to.number < last
            }
        }
    }

    pub(super) fn bring(&mut self, node: usize) {
        let Operator { to, floor, .. } = self.operator;
        self.operator.next = node + 1;
        self.nodes[node].charter = to;
        if to.stage == Stage::Settled {
            self.nodes[node].counter = self.nodes[node].counter.max(floor);
        }
        if to.stage == Stage::Closed {
            let before = to.number - 1;
            let old = self.nodes.iter().enumerate().filter(|(index, _)| is_in(*index, before));
            let closed = old.filter(|(_, node)| node.charter >= to).count();
            // No quorum of the set before is left.
            if closed > size(before) - quorum(before) {
                self.operator.closed.get_or_insert(self.now);
            }
        }
    }

    pub(super) fn proceed(&mut self, on: &Protections) {
        let Charter { number, stage } = self.operator.to;
        let of_the_new = |(index, _): &(usize, &Node)| is_in(*index, number);
        let ceiling = self.nodes.iter().enumerate().filter(of_the_new).map(|(_, node)| node.counter).max();
        let operator = &mut self.operator;
        operator.next = 0;
        operator.to = match stage {
            Stage::Open => Charter { number, stage: Stage::Closed },
            Stage::Closed => Charter { number, stage: Stage::Settled },
            Stage::Settled => Charter { number: number + 1, stage: Stage::Open },
        };
        operator.floor = match stage {
            Stage::Closed if on.node_set_floor => ceiling.unwrap_or(0),
            _ => 0,
        };
        operator.closed = None;
    }
}
