//! What a client does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::poll;
use redlock::env::Env;
use redlock::node::NodeErrorKind;
use redlock::{AcquireError, BuildError, Held, LockGuard, Locks, NodeReport, NodeVote};

use super::event::Event;
use super::world::World;

pub(super) const SITUATIONS: &[&str] = &[
    "late join",
    "straggler adopted",
    "acquire cancelled",
    "release cancelled",
    "extend cancelled",
    "guard dropped",
];

/// Many more than nodes that come back, or an operator, keep a client waiting for.
const MOST_STARTS: usize = 2_000;

impl World {
    /// A life: joins, acquires, holds and lets go in all the ways there are, and when all is well again, once more.
    pub(crate) async fn live(self: Arc<Self>, client: usize, locks: Option<Locks>, calm: Calm) {
        let locks = match locks {
            Some(locks) => locks,
            None => self.join(client).await,
        };
        let task = |_| {
            let work = Arc::clone(&self).work(client, locks.clone(), calm.clone());
            self.clients[client].env.run(work)
        };
        let ends = join_all((0..self.setting.clients[client].tasks).map(task)).await;
        // All tasks of a client have the same.
        let locks = ends.into_iter().flatten().next().unwrap_or(locks);
        let report = locks.shutdown(Duration::from_secs(5)).await;
        if report.open_guards > 0 {
            let what = format!("client {client} has let go of all guards, and {report:?}");
            self.ledger.violate("nothing is left between holders", what);
        }
    }

    /// One task of a client.
    async fn work(self: Arc<Self>, client: usize, mut locks: Locks, calm: Calm) -> Locks {
        for _ in 0..self.setting.clients[client].rounds {
            // Nobody is promised a turn between others that want the lock again and again.
            if self.is_calm() {
                break;
            }
            locks = self.restarted(client, locks).await;
            self.hold_once(client, &locks).await;
        }
        // Who wants nothing more is restarted all the same: nodes are admitted by clients of their own set (seed 4327).
        while self.setting.spare > 0 && !self.is_calm() {
            self.rest(client, Duration::from_millis(300)).await;
            locks = self.restarted(client, locks).await;
        }
        calm.wait().await;
        locks = self.restarted(client, locks).await;
        let ttl = Duration::from_millis(500).min(self.setting.longest_ttl);
        let recovery = self.setting.recovery;
        let lock = locks.lock(self.names[0].as_bytes()).ttl(ttl).wait_at_most(recovery);
        let (asked, place) = (self.sim.now(), self.waits(client, 0, recovery));
        match lock.acquire().await {
            Ok(guard) => {
                let hold = self.acquired(client, 0, Some(place), asked, guard.held());
                self.release(hold, guard).await;
            }
            Err(AcquireError::ShutDown) if self.is_shut_down(client) => {}
            Err(error) => self.ledger.violate("recovery", format!("client {client} starved: {error}")),
        }
        locks
    }

    /// A client that knows nothing of the nodes' clocks yet.
    async fn join(&self, client: usize) -> Locks {
        self.rest(client, self.millis(4_000)).await;
        self.ledger.count("late join");
        self.start(client).await
    }

    /// A new process of a client.
    pub(crate) async fn start(&self, client: usize) -> Locks {
        for _ in 0..MOST_STARTS {
            // Nobody answers a request that was lost: a backend gives up by itself.
            let patience = self.rest(client, Duration::from_secs(1));
            let built = match select(pin!(self.build(client, false)), pin!(patience)).await {
                Either::Left((built, _)) => built,
                Either::Right(_) => continue,
            };
            match built {
                Ok(locks) => return locks,
                Err(BuildError::NodeSetChanged { .. }) if self.setting.spare > 0 => self.sets.restart(client),
                Err(BuildError::Misconfigured { .. }) if self.setting.spare > 0 => {}
                Err(BuildError::Misconfigured { nodes }) => {
                    if nodes.iter().any(|error| error.kind == NodeErrorKind::Foreign) {
                        self.ledger
                            .violate("fleet", format!("client {client} took a node for another fleet's"));
                    }
                }
                Err(error) => panic!("{error}"),
            }
            self.rest(client, Duration::from_millis(100)).await;
        }
        panic!("client {client} cannot begin, and nothing changes any more");
    }

    /// Completes so much later by a client's clock.
    pub(crate) async fn rest(&self, client: usize, pause: Duration) {
        let env = &self.clients[client].env;
        env.sleep_until(env.now().saturating_add(pause)).await;
    }

    fn between(&self, range: &std::ops::Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }

    /// Asks for a lock once, and lets go of it in one way or another.
    pub(crate) async fn hold_once(&self, client: usize, locks: &Locks) {
        let profile = &self.setting.clients[client];
        self.rest(client, self.millis(50)).await;
        let name = match profile.name {
            Some(name) => name,
            None if self.below(4) == 0 => self.below(self.names.len() as u64) as usize,
            None => 0,
        };
        let wait = self.between(&profile.wait);
        let mut lock =
            locks.lock(self.names[name].as_bytes()).ttl(self.between(&profile.ttl)).wait_at_most(wait);
        if let Some(retries) = profile.retries {
            lock = lock.retries(retries);
        }
        if let Some(limit) = profile.renew_limit {
            lock = lock.renew_at_most(limit);
        }
        let patience = if self.below(5) == 0 { self.millis(40) } else { Duration::from_secs(3_600) };
        let asked = self.sim.now();
        // Who counts its attempts does not wait in line.
        let place = profile.retries.is_none().then(|| self.waits(client, name, wait));
        let (upset, rest) = (pin!(self.upset(place)), pin!(self.rest(client, patience)));
        let impatience = select(upset, rest);
        let guard = match select(impatience, pin!(lock.acquire())).await {
            Either::Right((Ok(guard), _)) => guard,
            Either::Right((Err(error), _)) => {
                self.leave(place);
                return self.look_at(client, &error);
            }
            Either::Left(_) => {
                self.leave(place);
                return self.ledger.count("acquire cancelled");
            }
        };
        let hold = self.acquired(client, name, place, asked, guard.held());
        let before = self.held_on(name);
        let (mostly, sometimes) = profile.hold;
        self.keep(client, hold, &guard, Duration::from_millis(mostly.min(20))).await;
        if self.held_on(name) > before {
            self.ledger.count("straggler adopted");
        }
        // Some hold on for long, so that nodes lose their memory meanwhile.
        let longest = if self.below(3) == 0 { sometimes } else { mostly };
        self.keep(client, hold, &guard, self.millis(longest)).await;
        if self.below(8) == 0 {
            self.upset_first(client, name);
        }
        self.let_go(client, hold, guard).await;
        self.ledger.tell(&Event::Look);
    }

    /// Whoever was at this place does not wait any more.
    fn leave(&self, place: Option<u64>) {
        if let Some(place) = place {
            self.ledger.tell(&Event::Left { place });
        }
    }

    /// Holds for so long, or until it is told of the loss.
    pub(crate) async fn keep(&self, client: usize, hold: usize, held: &Held, time: Duration) {
        if let Either::Left((Some(reason), _)) =
            select(pin!(held.lost()), pin!(self.rest(client, time))).await
        {
            self.ledger.tell(&Event::Told { hold, reason });
        }
    }

    async fn let_go(&self, client: usize, hold: usize, guard: LockGuard) {
        match self.below(4) {
            0 => {
                self.ledger.count("guard dropped");
                drop(guard);
                self.ledger.tell(&Event::LetGo { hold });
            }
            1 => {
                let pause = self.rest(client, self.millis(2));
                if let Either::Right(_) = select(pin!(self.release(hold, guard)), pin!(pause)).await {
                    self.ledger.count("release cancelled");
                }
            }
            2 => {
                {
                    let pause = self.rest(client, self.millis(20));
                    if let Either::Right(_) = select(pin!(guard.extend()), pin!(pause)).await {
                        self.ledger.count("extend cancelled");
                    }
                }
                self.ledger.tell(&Event::Look);
                self.release(hold, guard).await;
            }
            _ => self.release(hold, guard).await,
        }
    }

    /// Releases; tells as soon as that has begun.
    pub(crate) async fn release(&self, hold: usize, guard: LockGuard) {
        let mut release = pin!(guard.release());
        let ended = poll!(release.as_mut()).is_ready();
        self.ledger.tell(&Event::LetGo { hold });
        if !ended {
            let _ = release.await;
        }
    }

    fn look_at(&self, client: usize, error: &AcquireError) {
        if matches!(error, AcquireError::ShutDown) && self.is_shut_down(client) {
            return;
        }
        if matches!(error, AcquireError::NodeSetChanged { .. }) && self.setting.spare > 0 {
            self.ledger.count("client of an old node set shut out");
            return self.sets.restart(client);
        }
        let (AcquireError::Busy { nodes, .. } | AcquireError::Unavailable { nodes, .. }) = error else {
            panic!("{error}")
        };
        let is_foreign = |report: &NodeReport| match &report.vote {
            NodeVote::Failed(error) => error.kind == NodeErrorKind::Foreign,
            _ => false,
        };
        if nodes.iter().any(is_foreign) && self.setting.spare == 0 {
            self.ledger.violate("fleet", format!("client {client} took a node for another fleet's"));
        }
    }
}

/// Says when the faults have ended.
#[derive(Clone)]
pub(crate) struct Calm(pub(crate) futures::future::Shared<futures::channel::oneshot::Receiver<()>>);

impl Calm {
    async fn wait(self) {
        // A world that ends early is calm, too.
        let _ = self.0.await;
    }
}
