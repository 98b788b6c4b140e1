//! What a client does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use redlock::env::Env;
use redlock::node::NodeErrorKind;
use redlock::{AcquireError, BuildError, Locks, NodeReport, NodeVote};

use crate::world::{NAMES, Plan, World};

/// So long after the faults everybody must be able to acquire: quarantines and watches of clocks one after the other.
const RECOVERY: Duration = Duration::from_secs(10);

impl World {
    /// A life: joins, acquires, holds and lets go in all the ways there are, and when all is well again, once more.
    pub(crate) async fn live(self: Arc<Self>, client: usize, locks: Option<Locks>, calm: Calm) {
        let locks = match locks {
            Some(locks) => locks,
            None => self.join(client).await,
        };
        for _ in 0..8 {
            self.hold_once(client, &locks).await;
        }
        calm.wait().await;
        let lock = locks.lock(NAMES[0]).ttl(Duration::from_millis(500)).wait_at_most(RECOVERY);
        match lock.acquire().await {
            Ok(guard) => drop(guard.release().await),
            Err(_) => self.outcome.lock().unwrap().starved += 1,
        }
        locks.shutdown(Duration::from_secs(5)).await;
    }

    /// A client that knows nothing of the nodes' clocks yet.
    async fn join(&self, client: usize) -> Locks {
        let env = Arc::clone(&self.clients[client].env);
        env.sleep_until(env.now().saturating_add(self.millis(4_000))).await;
        self.ledger.count("late join");
        loop {
            // Nobody answers a request that was lost: a backend gives up by itself.
            let patience = env.sleep_until(env.now().saturating_add(Duration::from_secs(1)));
            let built = match select(pin!(self.build(client, false)), patience).await {
                Either::Left((built, _)) => built,
                Either::Right(_) => continue,
            };
            match built {
                Ok(locks) => return locks,
                Err(BuildError::Misconfigured { nodes }) => {
                    let foreign = nodes.iter().any(|error| error.kind == NodeErrorKind::Foreign);
                    self.outcome.lock().unwrap().foreign += usize::from(foreign);
                }
                Err(error) => panic!("{error}"),
            }
            env.sleep_until(env.now().saturating_add(Duration::from_millis(100))).await;
        }
    }

    async fn hold_once(&self, client: usize, locks: &Locks) {
        let env = Arc::clone(&self.clients[client].env);
        let sleep = |pause: Duration| env.sleep_until(env.now().saturating_add(pause));
        sleep(self.millis(50)).await;
        let name = usize::from(self.below(4) == 0);
        let ttl = match self.plan {
            Plan::Leftovers => Duration::from_secs(60),
            // Shorter than many pauses.
            Plan::Memories => Duration::from_millis(100 + self.below(700)),
            Plan::Clocks => Duration::from_millis(500 + self.below(500)),
        };
        let wait = Duration::from_millis(10 + self.below(3_000));
        let lock = locks.lock(NAMES[name]).ttl(ttl).wait_at_most(wait);
        let patience = if self.below(5) == 0 { self.millis(40) } else { Duration::from_secs(3_600) };
        let asked = self.sim.now();
        let acquiring = pin!(lock.acquire());
        let guard = match select(acquiring, sleep(patience)).await {
            Either::Left((Ok(guard), _)) => guard,
            Either::Left((Err(error), _)) => return self.look_at(&error),
            Either::Right(_) => return,
        };
        self.acquired(name, client, asked, guard.held());
        let before = self.held_on(name);
        sleep(Duration::from_millis(20)).await;
        if self.held_on(name) > before {
            self.ledger.count("straggler adopted");
        }
        // Some hold on for long, so that nodes lose their memory meanwhile.
        let longest = if self.below(3) == 0 { 3_000 } else { 500 };
        sleep(self.millis(longest)).await;
        match self.below(4) {
            0 => drop(guard),
            1 => drop(select(pin!(guard.release()), sleep(self.millis(2))).await),
            2 => {
                drop(select(pin!(guard.extend()), sleep(self.millis(20))).await);
                let _ = guard.release().await;
            }
            _ => drop(guard.release().await),
        }
    }

    fn look_at(&self, error: &AcquireError) {
        let (AcquireError::Busy { nodes, .. } | AcquireError::Unavailable { nodes, .. }) = error else {
            panic!("{error}")
        };
        let is_foreign = |report: &NodeReport| match &report.vote {
            NodeVote::Failed(error) => error.kind == NodeErrorKind::Foreign,
            _ => false,
        };
        let foreign = nodes.iter().filter(|report| is_foreign(report)).count();
        self.outcome.lock().unwrap().foreign += foreign;
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
