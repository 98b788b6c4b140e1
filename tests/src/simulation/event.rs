//! What happens in a run, as invariants and situations see it.

use std::hash::{Hash, Hasher};

use redlock::node::{Inspection, Mark, NodeError, Reply};
use redlock::testing::faulty::Op;
use redlock::{Instant, LockName, LostReason, OwnerToken, Ttl};

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
    /// A holder that waited for it was told of its loss.
    Told { hold: usize, reason: LostReason },
    /// The clock of this client stood still until then; by now it must have noticed.
    Stood { client: usize, until: Instant },
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
            Self::Told { hold, reason } => (7, hold, format!("{reason:?}")).hash(trace),
            Self::Stood { client, until } => (8, client, until).hash(trace),
        }
    }
}
