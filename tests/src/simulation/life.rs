//! What a client does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
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

impl World {
    /// A life: joins, acquires, holds and lets go in all the ways there are, and when all is well again, once more.
    pub(crate) async fn live(self: Arc<Self>, client: usize, locks: Option<Locks>, calm: Calm) {
        let locks = match locks {
            Some(locks) => locks,
            None => self.join(client).await,
        };
        for _ in 0..self.setting.clients[client].rounds {
            // Nobody is promised a turn between others that want the lock again and again.
            if self.is_calm() {
                break;
            }
            self.hold_once(client, &locks).await;
        }
        calm.wait().await;
        let ttl = Duration::from_millis(500).min(self.setting.longest_ttl);
        let lock = locks.lock(self.names[0].as_bytes()).ttl(ttl).wait_at_most(self.setting.recovery);
        match lock.acquire().await {
            Ok(guard) => drop(guard.release().await),
            Err(error) => self.ledger.violate("recovery", format!("client {client} starved: {error}")),
        }
        locks.shutdown(Duration::from_secs(5)).await;
    }

    /// A client that knows nothing of the nodes' clocks yet.
    async fn join(&self, client: usize) -> Locks {
        self.rest(client, self.millis(4_000)).await;
        self.ledger.count("late join");
        loop {
            // Nobody answers a request that was lost: a backend gives up by itself.
            let patience = self.rest(client, Duration::from_secs(1));
            let built = match select(pin!(self.build(client, false)), pin!(patience)).await {
                Either::Left((built, _)) => built,
                Either::Right(_) => continue,
            };
            match built {
                Ok(locks) => return locks,
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
        let name = if self.below(4) == 0 { self.below(self.names.len() as u64) as usize } else { 0 };
        let mut lock = locks
            .lock(self.names[name].as_bytes())
            .ttl(self.between(&profile.ttl))
            .wait_at_most(self.between(&profile.wait));
        if let Some(retries) = profile.retries {
            lock = lock.retries(retries);
        }
        if let Some(limit) = profile.renew_limit {
            lock = lock.renew_at_most(limit);
        }
        let patience = if self.below(5) == 0 { self.millis(40) } else { Duration::from_secs(3_600) };
        let asked = self.sim.now();
        let guard = match select(pin!(lock.acquire()), pin!(self.rest(client, patience))).await {
            Either::Left((Ok(guard), _)) => guard,
            Either::Left((Err(error), _)) => return self.look_at(client, &error),
            Either::Right(_) => return self.ledger.count("acquire cancelled"),
        };
        let hold = self.acquired(client, name, asked, guard.held());
        let before = self.held_on(name);
        self.keep(client, hold, &guard, Duration::from_millis(20)).await;
        if self.held_on(name) > before {
            self.ledger.count("straggler adopted");
        }
        // Some hold on for long, so that nodes lose their memory meanwhile.
        let (mostly, sometimes) = profile.hold;
        let longest = if self.below(3) == 0 { sometimes } else { mostly };
        self.keep(client, hold, &guard, self.millis(longest)).await;
        self.let_go(client, guard).await;
        self.ledger.tell(&Event::Look);
    }

    /// Holds for so long, or until it is told of the loss.
    pub(crate) async fn keep(&self, client: usize, hold: usize, held: &Held, time: Duration) {
        if let Either::Left((Some(reason), _)) =
            select(pin!(held.lost()), pin!(self.rest(client, time))).await
        {
            self.ledger.tell(&Event::Told { hold, reason });
        }
    }

    async fn let_go(&self, client: usize, guard: LockGuard) {
        match self.below(4) {
            0 => {
                self.ledger.count("guard dropped");
                drop(guard);
            }
            1 => {
                let pause = self.rest(client, self.millis(2));
                if let Either::Right(_) = select(pin!(guard.release()), pin!(pause)).await {
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
                drop(guard.release().await);
            }
            _ => drop(guard.release().await),
        }
    }

    fn look_at(&self, client: usize, error: &AcquireError) {
        let (AcquireError::Busy { nodes, .. } | AcquireError::Unavailable { nodes, .. }) = error else {
            panic!("{error}")
        };
        let is_foreign = |report: &NodeReport| match &report.vote {
            NodeVote::Failed(error) => error.kind == NodeErrorKind::Foreign,
            _ => false,
        };
        if nodes.iter().any(is_foreign) {
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
