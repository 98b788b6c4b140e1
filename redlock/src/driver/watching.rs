//! Waits until the nodes tell that a lock may be free.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;

use super::Driver;
use crate::env::jitter;
use crate::id::{Instant, LockName};
use crate::node::{NodeError, NodeFuture, Watch};

/// Who is told by enough nodes asks all the same after a time drawn from this one to twice as much: what no node tells
/// does not stay unknown for ever.
const ASK_ANYWAY: Duration = Duration::from_secs(6);

/// The watches of one waiter, a node each. Dropping it ends them.
pub(crate) struct Watching {
    driver: Arc<Driver>,
    name: LockName,
    /// Empty until something is watched.
    nodes: Vec<Node>,
}

enum Node {
    /// It tells nothing: not asked, or unable to.
    Silent,
    /// It is being asked to tell.
    Arming(NodeFuture<Watch>),
    /// Nothing is missed from now on.
    Watched(Watch),
    /// It has told that the name may be free there.
    Free,
}

impl Watching {
    /// Watches nothing yet.
    pub(crate) fn new(driver: &Arc<Driver>, name: &LockName) -> Self {
        Self { driver: Arc::clone(driver), name: name.clone(), nodes: Vec::new() }
    }

    /// Waits until so many nodes have told that the name may be free there that a quorum may be had: `true`. `false`: at
    /// `poll_at`, if so few nodes can tell that this might be missed; otherwise some seconds later.
    ///
    /// Watches are set first and hold the nodes' state of that moment, so that nothing is missed that happens between the
    /// round before and this. A release takes a quorum of nodes at about one moment; asking at the first of them would split
    /// the votes. Cancel safe: what is watched stays watched until this is dropped.
    pub(crate) async fn until_free(&mut self, poll_at: Instant) -> bool {
        self.arm();
        let env = Arc::clone(&self.driver.env);
        let spread = u64::try_from(ASK_ANYWAY.as_nanos()).unwrap_or(u64::MAX);
        let anyway = ASK_ANYWAY.saturating_add(Duration::from_nanos(jitter(&*env) % spread));
        let mut anyway = env.sleep_until(env.now().saturating_add(anyway));
        let mut poll = env.sleep_until(poll_at);
        std::future::poll_fn(|context| {
            let (free, watched) = self.poll_nodes(context);
            let quorum = self.driver.quorum.size();
            if free >= quorum {
                return Poll::Ready(true);
            }
            let waiting = if free + watched >= quorum { &mut anyway } else { &mut poll };
            waiting.poll_unpin(context).map(|()| false)
        })
        .await
    }

    /// Watches every node that is not watched: those that were free when they were last heard of, too.
    fn arm(&mut self) {
        self.nodes.resize_with(self.driver.nodes.len(), || Node::Silent);
        for (state, node) in self.nodes.iter_mut().zip(&self.driver.nodes) {
            if matches!(state, Node::Silent | Node::Free) {
                *state = Node::Arming(Arc::clone(node).watch(self.name.clone()));
            }
        }
    }

    /// How many nodes may be free, and how many would tell.
    fn poll_nodes(&mut self, context: &mut Context<'_>) -> (usize, usize) {
        let (mut free, mut watched) = (0, 0);
        for node in &mut self.nodes {
            node.poll(context);
            match node {
                Node::Free => free += 1,
                Node::Watched(_) => watched += 1,
                Node::Silent | Node::Arming(_) => {}
            }
        }
        (free, watched)
    }
}

impl Node {
    fn poll(&mut self, context: &mut Context<'_>) {
        let silent = |error: NodeError| {
            tracing::trace!(%error, "a node does not tell when a lock becomes free");
            Self::Silent
        };
        loop {
            *self = match self {
                Self::Arming(arming) => match arming.as_mut().poll(context) {
                    Poll::Ready(Ok(watch)) => Self::Watched(watch),
                    Poll::Ready(Err(error)) => silent(error),
                    Poll::Pending => return,
                },
                Self::Watched(watch) => match watch.as_mut().poll(context) {
                    Poll::Ready(Ok(())) => Self::Free,
                    Poll::Ready(Err(error)) => silent(error),
                    Poll::Pending => return,
                },
                Self::Silent | Self::Free => return,
            }
        }
    }
}
