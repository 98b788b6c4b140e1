//! Fifty tasks that lock, hold, renew, cancel, drop and wait, on many names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::{Lock, Locks};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const TASKS: u64 = 50;
/// Names that everybody wants.
const HOT: u32 = 6;
/// Names that are hardly ever wanted twice at once.
const COLD: u32 = 5_000;

/// What a task does in a round.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// Holds for a moment and releases.
    Release,
    /// Holds for a moment and drops the guard.
    Drop,
    /// Holds for longer than the TTL, so that it is renewed.
    Renew,
    /// Prolongs by hand.
    Extend,
    /// Gives up in the middle of acquiring.
    Cancel,
    /// Waits for a wanted name, for a while.
    Wait,
    /// Tries once.
    Try,
}

const HABITS: [Habit; 8] = [
    Habit::Release,
    Habit::Release,
    Habit::Drop,
    Habit::Renew,
    Habit::Extend,
    Habit::Cancel,
    Habit::Wait,
    Habit::Try,
];

/// How it went.
#[derive(Debug, Default)]
struct Tally {
    holds: AtomicU64,
    misses: AtomicU64,
}

/// How it went, at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) holds: u64,
    pub(super) misses: u64,
}

/// The tasks at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(runtime: &Runtime, locks: &[Locks]) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
        let tasks = (0..TASKS).zip(locks.iter().cycle()).map(|(seed, locks)| {
            let (locks, stop, tally) = (locks.clone(), Arc::clone(&stop), Arc::clone(&tally));
            runtime.spawn(async move {
                let mut random = StdRng::seed_from_u64(seed);
                while !stop.load(Ordering::Relaxed) {
                    round(&locks, &mut random, &tally).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, tally, tasks }
    }

    /// Ends it; every guard has been let go of then.
    pub(super) async fn end(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            if let Err(error) = task.await {
                // A panic of a task is a panic of the soak.
                std::panic::resume_unwind(error.into_panic());
            }
        }
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { holds: of(&self.tally.holds), misses: of(&self.tally.misses) }
    }
}

async fn round(locks: &Locks, random: &mut StdRng, tally: &Tally) {
    let habit = HABITS[random.random_range(0..HABITS.len())];
    let name = match habit {
        Habit::Wait | Habit::Try | Habit::Cancel => format!("hot:{}", random.random_range(0..HOT)),
        Habit::Release | Habit::Drop | Habit::Renew | Habit::Extend if random.random_ratio(1, 4) => {
            format!("hot:{}", random.random_range(0..HOT))
        }
        _ => format!("cold:{}", random.random_range(0..COLD)),
    };
    let moment = Duration::from_millis(random.random_range(1..80));
    let lock = locks.lock(name).wait_at_most(Duration::from_millis(400));
    let count = if hold(lock, habit, moment).await { &tally.holds } else { &tally.misses };
    count.fetch_add(1, Ordering::Relaxed);
    sleep(moment).await;
}

/// Whether it was held. What goes wrong on servers that are hurt is not of interest here.
async fn hold(lock: Lock, habit: Habit, moment: Duration) -> bool {
    let acquired = match habit {
        Habit::Cancel => tokio::time::timeout(moment / 8, lock.acquire()).await.ok().and_then(Result::ok),
        Habit::Try => lock.try_acquire().await.ok().flatten(),
        Habit::Renew => lock.ttl(Duration::from_millis(500)).acquire().await.ok(),
        Habit::Release | Habit::Drop | Habit::Extend | Habit::Wait => lock.acquire().await.ok(),
    };
    let Some(guard) = acquired else { return false };
    match habit {
        Habit::Renew => sleep(Duration::from_millis(700) + moment).await,
        _ => sleep(moment).await,
    }
    match habit {
        Habit::Drop | Habit::Cancel => drop(guard),
        Habit::Extend => {
            let _ = guard.extend().await;
            let _ = guard.release().await;
        }
        Habit::Release | Habit::Renew | Habit::Wait | Habit::Try => {
            let _ = guard.release().await;
        }
    }
    true
}
