//! What happens in a run, as invariants and situations see it.

use std::hash::{Hash, Hasher};

use redlock::node::{Inspection, Mark, NodeError, Reply};
use redlock::testing::faulty::Op;
use redlock::{Instant, LockName, LostReason, Observation, OwnerToken, Ttl};

/// Something that happened now.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A client has sent a request.
    Asked(&'a Asked),
    /// A client has an answer to a request that is still awaited.
    Heard(&'a Asked, &'a Result<Reply, NodeError>),
    /// A node has run an acquire, an extend or a raise.
    Ran(&'a Ran),
    /// A node has run a release.
    Released { node: usize, name: &'a LockName, owner: OwnerToken, was_held: bool },
    /// A node has changed its marker, or refused to.
    Marked { node: usize, mark: Mark, was_admitted: bool, is_admitted: bool },
    /// A node has lost its memory.
    Forgot { node: usize },
    /// An operator has deleted a name on a node.
    Deleted { node: usize, name: &'a LockName },
    /// A lock was handed to its caller: the number of the hold.
    Acquired { hold: usize },
    /// A holder has let go: from now on it holds nothing, whatever becomes of its release.
    LetGo { hold: usize },
    /// A client is shut down.
    ShutDown { client: usize },
    /// Somebody who waited in line does so no longer, and did not get the lock.
    Left { place: u64 },
    /// A holder that waited for it was told of its loss.
    Told { hold: usize, reason: LostReason },
    /// The clock of this client stood still until then; by now it must have noticed.
    Stood { client: usize, until: Instant },
    /// A leadership was given to a candidate: its number.
    Led { office: usize },
    /// The work of a leader has returned, or was dropped; what is left is to resign.
    WorkEnded { office: usize },
    /// A client that watches who leads was told something new.
    Observed { client: usize, observation: &'a Observation },
    /// A client dies now.
    Crashed { client: usize },
    /// Nothing that others saw: a moment to look.
    Look,
}

/// A request as its client sends it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) client: usize,
    pub(crate) node: usize,
    pub(crate) op: Op,
    pub(crate) name: LockName,
    pub(crate) owner: OwnerToken,
    pub(crate) sent: Instant,
}

/// A request as its node runs it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) node: usize,
    pub(crate) op: Op,
    pub(crate) name: LockName,
    pub(crate) owner: OwnerToken,
    pub(crate) ttl: Ttl,
    /// In the node's time.
    pub(crate) deadline: Instant,
    /// The node's time.
    pub(crate) node_time: Instant,
    /// What an acquire's counter may not begin below; 0 if there is no such point.
    pub(crate) floor: u64,
    /// How many tokens an acquire takes; 0 of everything else.
    pub(crate) span: u64,
    pub(crate) before: Inspection,
    pub(crate) after: Inspection,
    pub(crate) reply: Reply,
}

impl Ran {
    pub(crate) fn granted(&self) -> bool {
        matches!(self.reply, Reply::Granted(_))
    }
}

impl Event<'_> {
    /// Takes it into the trace of the run.
    pub(crate) fn trace(&self, trace: &mut impl Hasher) {
        match self {
            Self::Asked(_) | Self::Heard(..) | Self::Look => {}
            Self::Ran(ran) => {
                let name = ran.name.as_bytes();
                (1, ran.node, ran.op as u8, name, ran.granted(), ran.after.counter, ran.after.remaining)
                    .hash(trace);
            }
            Self::Released { node, name, was_held, .. } => (2, node, name, was_held).hash(trace),
            Self::Marked { node, was_admitted, is_admitted, .. } => {
                (3, node, was_admitted, is_admitted).hash(trace);
            }
            Self::Forgot { node } => (4, node).hash(trace),
            Self::Deleted { node, name } => (5, node, name).hash(trace),
            Self::Acquired { hold } => (6, hold).hash(trace),
            Self::LetGo { hold } => (9, hold).hash(trace),
            Self::ShutDown { client } => (11, client).hash(trace),
            Self::Left { place } => (10, place).hash(trace),
            Self::Told { hold, reason } => (7, hold, format!("{reason:?}")).hash(trace),
            Self::Stood { client, until } => (8, client, until).hash(trace),
            Self::Led { office } => (12, office).hash(trace),
            Self::WorkEnded { office } => (13, office).hash(trace),
            Self::Observed { client, observation } => {
                let epoch = match observation {
                    Observation::Leader(leader) => Some(leader.epoch.get()),
                    _ => None,
                };
                (14, client, epoch, std::mem::discriminant(*observation)).hash(trace);
            }
            Self::Crashed { client } => (15, client).hash(trace),
        }
    }
}
