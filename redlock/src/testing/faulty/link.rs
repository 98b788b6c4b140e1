//! The connections to a node: each keeps its requests in order, and outlives the callers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Shared};

use super::FaultyNode;
use crate::id::Instant;

/// More requests than this do not wait on one connection.
const MOST_QUEUED: usize = 4_096;

/// A request on its way.
pub(super) struct Job {
    pub(super) arrives: Instant,
    /// Its first poll runs the request on the node.
    pub(super) run: BoxFuture<'static, ()>,
}

/// Completes when the connection breaks.
pub(super) type Broken = Shared<oneshot::Receiver<()>>;

/// The connections that still have something to deliver, and the one that is in use.
pub(super) struct Links {
    links: BTreeMap<u64, Link>,
    current: u64,
    hung: bool,
}

struct Link {
    queue: VecDeque<Job>,
    /// A task is delivering its requests.
    carried: bool,
    /// Dropping it breaks the connection.
    alive: Option<oneshot::Sender<()>>,
    broken: Broken,
}

/// A request was sent.
pub(super) struct Sent {
    pub(super) link: u64,
    /// Nobody is delivering the connection's requests yet.
    pub(super) link_is_idle: bool,
    pub(super) broken: Broken,
}

impl Links {
    pub(super) fn new() -> Self {
        Self { links: BTreeMap::from([(0, Link::new())]), current: 0, hung: false }
    }

    /// Puts a request on the current connection; `None` if it is full.
    pub(super) fn send(&mut self, job: Job) -> Option<Sent> {
        let link = self.links.entry(self.current).or_insert_with(Link::new);
        if link.queue.len() >= MOST_QUEUED {
            return None;
        }
        link.queue.push_back(job);
        let link_is_idle = !link.carried && !self.hung;
        link.carried |= link_is_idle;
        Some(Sent { link: self.current, link_is_idle, broken: link.broken.clone() })
    }

    /// Completes when the current connection breaks.
    pub(super) fn broken(&mut self) -> Broken {
        self.links.entry(self.current).or_insert_with(Link::new).broken.clone()
    }

    pub(super) fn hang(&mut self) {
        self.hung = true;
    }

    /// The connections that now need somebody to deliver their requests.
    pub(super) fn resume(&mut self) -> Vec<u64> {
        self.hung = false;
        let idle = self.links.iter_mut().filter(|(_, link)| !link.carried && !link.queue.is_empty());
        idle.map(|(&number, link)| {
            link.carried = true;
            number
        })
        .collect()
    }

    /// What has to be dropped, without a lock, to break the connection.
    pub(super) fn break_current(&mut self) -> Option<oneshot::Sender<()>> {
        let broken = self.links.get_mut(&self.current)?.alive.take();
        self.forget_if_done(self.current);
        self.current += 1;
        broken
    }

    /// The number of connections that are known.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.links.len()
    }

    /// When the first request of a connection arrives; `None` if there is nothing to deliver now.
    fn next_arrival(&mut self, number: u64) -> Option<Instant> {
        let next = self.links.get(&number)?.queue.front().map(|job| job.arrives).filter(|_| !self.hung);
        if next.is_none() {
            self.stop_carrying(number);
        }
        next
    }

    /// The first request of a connection, which has arrived; `None` if the server has stopped meanwhile.
    fn take(&mut self, number: u64) -> Option<Job> {
        if self.hung {
            self.stop_carrying(number);
            return None;
        }
        self.links.get_mut(&number)?.queue.pop_front()
    }

    fn stop_carrying(&mut self, number: u64) {
        if let Some(link) = self.links.get_mut(&number) {
            link.carried = false;
        }
        self.forget_if_done(number);
    }

    fn forget_if_done(&mut self, number: u64) {
        let done = |link: &Link| link.alive.is_none() && link.queue.is_empty() && !link.carried;
        if self.links.get(&number).is_some_and(done) {
            self.links.remove(&number);
        }
    }
}

impl Link {
    fn new() -> Self {
        let (alive, broken) = oneshot::channel();
        Self { queue: VecDeque::new(), carried: false, alive: Some(alive), broken: broken.shared() }
    }
}

impl FaultyNode {
    /// Delivers the requests of a connection, in order, until there are none.
    pub(super) fn start_carrying(self: &Arc<Self>, link: u64) {
        let node = Arc::clone(self);
        self.env.spawn(Box::pin(async move {
            loop {
                let Some(arrives) = node.links().next_arrival(link) else { return };
                if node.env.now() < arrives {
                    node.env.sleep_until(arrives).await;
                }
                let Some(mut job) = node.links().take(link) else { return };
                // The first poll keeps the order; a slow reply must not hold up the next request.
                if (&mut job.run).now_or_never().is_none() {
                    node.env.spawn(job.run);
                }
            }
        }));
    }
}
