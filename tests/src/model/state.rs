//! What there is at one moment: nodes, clients, and the requests on their way between them.

use redlock::Protections;

use super::Bound;
use super::sets::{self, Charter, Operator};

/// How many nodes there are.
pub(super) const NODES: usize = 3;

/// Ticks since the beginning.
pub(super) type Time = u8;

/// Everything, at one moment.
///
/// Two states that differ in the names of nodes and clients alone hash alike (`symmetry.rs`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) now: Time,
    pub(super) nodes: [Node; NODES],
    pub(super) clients: Vec<Client>,
    /// Sorted. One that is never delivered is lost.
    pub(super) flying: Vec<Request>,
    /// Where a release was answered after everything of the owner had to be over; only while that still matters.
    pub(super) settled: Vec<(Owner, usize)>,
    /// How many times nodes may still be told to forget.
    pub(super) flushes: u8,
    /// Who changes the set of nodes.
    pub(super) operator: Operator,
    /// The greatest token that was handed out.
    pub(super) highest: u8,
    pub(super) broken: Option<Broken>,
}

/// What must not happen and did, where the state does not show it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Broken {
    /// A token was not above all that were handed out before.
    TokenOrder,
    /// A lock whose validity had ended became valid again.
    Revived,
    /// A lock appeared on a node where everything of its owner was over.
    Ghost,
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) key: Option<Key>,
    /// The fencing counter; its floor is taken into it.
    pub(super) counter: u8,
    pub(super) memory: Memory,
    /// Which set it is a node of.
    pub(super) charter: Charter,
}

/// Who has the name on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) expires: Time,
}

/// What a node's marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Memory {
    /// It was admitted.
    Admitted,
    /// It has forgotten, and no marker shows it yet.
    Unmarked,
    /// It grants nothing new.
    Quarantined {
        until: Time,
        /// What was read of the others' counters.
        floor: Option<u8>,
        /// A renewal was granted there since.
        renewed: bool,
    },
}

/// An owner token: a client, and how many it has drawn before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Owner {
    pub(super) client: u8,
    pub(super) draw: u8,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    /// The number of the node set that it is configured with.
    pub(super) set: u8,
    /// Rounds begun.
    pub(super) rounds: u8,
    /// Owner tokens drawn.
    pub(super) draws: u8,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Asking(Asking),
    Holding(Holding),
}

/// A round of acquire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) owner: Owner,
    pub(super) started: Time,
    /// What the nodes that granted store, as far as the client has heard. (A refusal changes nothing: giving up is always possible.)
    pub(super) votes: [Option<u8>; NODES],
    /// The top of the span, once there was a quorum.
    pub(super) top: Option<u8>,
}

/// A hold, until its validity ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) owner: Owner,
    pub(super) token: u8,
    pub(super) top: u8,
    pub(super) valid_until: Time,
    pub(super) voted: [Voted; NODES],
    pub(super) extending: Option<Extending>,
    /// Extensions begun.
    pub(super) extensions: u8,
}

/// Whether a node has granted, as far as the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Voted {
    Never,
    InThisMemory,
    InOneThatIsLost,
}

/// A round of extend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extending {
    pub(super) started: Time,
    pub(super) short: bool,
    pub(super) votes: [bool; NODES],
}

/// A request on its way to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) node: usize,
    pub(super) owner: Owner,
    pub(super) what: What,
}

/// What is asked. Deadlines are in the node's time, which here is everybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum What {
    Acquire {
        deadline: Time,
    },
    Raise {
        deadline: Time,
        to: u8,
    },
    Extend {
        deadline: Time,
        /// Which of the hold's extensions it belongs to.
        nth: u8,
        short: bool,
        restore: bool,
        /// The top of the span, where extensions carry it.
        to: Option<u8>,
    },
    Release {
        /// Nothing of the owner can take effect later than this.
        over: Time,
    },
}

impl What {
    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            Self::Acquire { deadline } | Self::Raise { deadline, .. } | Self::Extend { deadline, .. } => {
                Some(deadline)
            }
            Self::Release { .. } => None,
        }
    }

    /// Whether it can give a node a key that it has not.
    pub(super) fn creates(self) -> bool {
        matches!(self, Self::Acquire { .. } | Self::Extend { restore: true, .. })
    }
}

impl State {
    pub(super) fn begin(bound: &Bound) -> Self {
        let node = Node { key: None, counter: 0, memory: Memory::Admitted, charter: sets::FIRST };
        let client = Client { set: 0, rounds: 0, draws: 0, phase: Phase::Idle };
        Self {
            now: 0,
            nodes: [node; NODES],
            clients: vec![client; bound.clients.into()],
            flying: Vec::new(),
            settled: Vec::new(),
            flushes: bound.flushes,
            operator: Operator::begin(bound),
            highest: 0,
            broken: None,
        }
    }

    /// The clients that hold the lock and are inside its validity, as they see it.
    pub(super) fn valid_holds(&self) -> impl Iterator<Item = &Holding> {
        self.clients.iter().filter_map(|client| match &client.phase {
            Phase::Holding(hold) if self.now < hold.valid_until => Some(hold),
            _ => None,
        })
    }

    /// Those clients.
    pub(super) fn valid_clients(&self) -> impl Iterator<Item = &Client> {
        let is_valid =
            |client: &&Client| matches!(&client.phase, Phase::Holding(hold) if self.now < hold.valid_until);
        self.clients.iter().filter(is_valid)
    }

    /// Ends a client's round or hold: a release goes to every node.
    pub(super) fn close(&mut self, client: usize, bound: &Bound) {
        let (owner, over) = match self.clients[client].phase {
            Phase::Idle => return,
            Phase::Asking(asking) => (asking.owner, asking.started + bound.node_timeout),
            Phase::Holding(hold) => (hold.owner, hold.valid_until),
        };
        self.clients[client].phase = Phase::Idle;
        let releases = (0..NODES).map(|node| Request { node, owner, what: What::Release { over } });
        self.flying.extend(releases);
    }

    /// Does what time brings by itself, and leaves out what cannot matter any more, so that states that differ in that alone
    /// are one.
    pub(super) fn settle(&mut self, bound: &Bound, on: &Protections) {
        let now = self.now;
        for node in &mut self.nodes {
            node.key = node.key.filter(|key| now < key.expires);
        }
        for client in 0..self.clients.len() {
            let over = match &self.clients[client].phase {
                Phase::Idle => false,
                Phase::Asking(asking) => on.validity_check && now >= asking.started + bound.validity(on),
                Phase::Holding(hold) => {
                    now >= hold.valid_until && (on.extend_in_time || hold.extending.is_none())
                }
            };
            if over {
                self.close(client, bound);
            }
        }
        if on.stale_deadline {
            self.flying.retain(|request| request.what.deadline().is_none_or(|deadline| now <= deadline));
        }
        self.leave_out_what_has_no_effect(on);
        self.flying.sort_unstable();
        self.flying.dedup();
        self.settled.sort_unstable();
        self.settled.dedup();
    }

    fn leave_out_what_has_no_effect(&mut self, on: &Protections) {
        let creating: Vec<(Owner, usize)> =
            self.flying.iter().filter(|request| request.what.creates()).map(Request::lane).collect();
        let nodes = self.nodes;
        let may_have_key = |(owner, node): (Owner, usize)| {
            nodes[node].key.is_some_and(|key| key.owner == owner) || creating.contains(&(owner, node))
        };
        self.settled.retain(|lane| creating.contains(lane));
        // With a token for several rounds, a later one may yet create the key.
        let reused =
            |owner: Owner| !on.fresh_owner && self.clients[usize::from(owner.client)].draws == owner.draw + 1;
        self.flying.retain(|request| match request.what {
            What::Acquire { .. } | What::Extend { restore: true, .. } => true,
            What::Raise { .. } => may_have_key(request.lane()),
            What::Extend { .. } => !on.extend_owner_check || may_have_key(request.lane()),
            What::Release { .. } => {
                !on.release_owner_check || may_have_key(request.lane()) || reused(request.owner)
            }
        });
    }
}

impl Request {
    fn lane(&self) -> (Owner, usize) {
        (self.owner, self.node)
    }
}
