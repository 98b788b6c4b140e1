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

/// How long nodes may take to say whether they are free still: a few round trips, and no more than a poll's distance.
const STILL_FREE: Duration = Duration::from_millis(20);

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
            let states = self.poll_nodes(context);
            let quorum = self.driver.quorum.size();
            if states.free >= quorum {
                return Poll::Ready(true);
            }
            let waiting = if states.free + states.watched >= quorum { &mut anyway } else { &mut poll };
            waiting.poll_unpin(context).map(|()| false)
        })
        .await
    }

    /// Looks again at the nodes that have told: whether a quorum may still be had. Where too few say so in time, it may be.
    /// Cancel safe as [`until_free`](Self::until_free).
    pub(crate) async fn still_free(&mut self) -> bool {
        self.arm();
        let env = Arc::clone(&self.driver.env);
        let mut limit = env.sleep_until(env.now().saturating_add(STILL_FREE));
        std::future::poll_fn(|context| {
            let states = self.poll_nodes(context);
            let quorum = self.driver.quorum.size();
            if states.free >= quorum {
                return Poll::Ready(true);
            }
            if states.free + states.arming < quorum {
                return Poll::Ready(false);
            }
            limit.poll_unpin(context).map(|()| true)
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

    fn poll_nodes(&mut self, context: &mut Context<'_>) -> States {
        let mut states = States { free: 0, watched: 0, arming: 0 };
        for node in &mut self.nodes {
            node.poll(context);
            match node {
                Node::Free => states.free += 1,
                Node::Watched(_) => states.watched += 1,
                Node::Arming(_) => states.arming += 1,
                Node::Silent => {}
            }
        }
        states
    }
}

/// How many nodes may be free, would tell, and have not answered yet.
struct States {
    free: usize,
    watched: usize,
    arming: usize,
}

impl Node {
    fn poll(&mut self, context: &mut Context<'_>) {
        // Why it does not tell is said by the node itself.
        let silent = |_: NodeError| Self::Silent;
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
