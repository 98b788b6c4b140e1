//! Servers stop and go on at random while several clients contend for one lock: never two holders, tokens that rise.
//!
//! All clocks are one here: intervals of validity of different clients can be compared.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::select;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::env::Env;
use redlock::testing::real_env;
use redlock::testing::servers::RedisFleet;
use redlock::{Instant, LockGuard, LockState, Locks, LostReason};
use redlock_tests::support::{LIMIT, assert_no_key_is_left, builder, eventually};

const CLIENTS: u64 = 3;
const TTL: Duration = Duration::from_millis(400);
const STOPS: usize = 36;

/// A hold that was certain: its client believed in it from the one point to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hold {
    from: Instant,
    until: Instant,
    token: u64,
    lost: bool,
}

/// Two holds that follow each other and should not.
fn contradiction(holds: &mut [Hold]) -> Option<(Hold, Hold)> {
    holds.sort();
    let pairs = holds.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.into_iter().find(|(one, next)| next.from < one.until || next.token <= one.token)
}

/// What the clients and whoever stops the servers tell each other.
#[derive(Debug, Default)]
struct Play {
    holds: Mutex<Vec<Hold>>,
    /// Who gets the lock now keeps it until it is lost.
    keep: AtomicBool,
    /// How many do so.
    keepers: AtomicUsize,
    over: AtomicBool,
}

impl Play {
    fn holds(&self) -> usize {
        self.holds.lock().unwrap().len()
    }

    fn keepers(&self) -> usize {
        self.keepers.load(Ordering::SeqCst)
    }

    fn contend(&self, locks: &Locks, env: &dyn Env, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        while !self.over.load(Ordering::SeqCst) {
            // With a majority that stands still it is an error.
            let lock = locks.lock("a").ttl(TTL).wait_at_most(TTL);
            let Ok(guard) = block_on(lock.acquire()) else { continue };
            let hold = if self.keep.load(Ordering::SeqCst) {
                self.keepers.fetch_add(1, Ordering::SeqCst);
                let hold = hold(guard, env, LIMIT);
                self.keepers.fetch_sub(1, Ordering::SeqCst);
                hold
            } else {
                hold(guard, env, Duration::from_millis([0, 5, 20][random.random_range(0..3)]))
            };
            self.holds.lock().unwrap().push(hold);
        }
    }

    /// Stops some servers, sees what becomes of the locks, lets the servers go on.
    fn stop_some(&self, fleet: &RedisFleet, env: &dyn Env, round: usize, random: &mut StdRng) {
        let how_many = 1 + round % 4;
        let first = random.random_range(0..5);
        let chosen: Vec<_> = (0..how_many).map(|next| fleet.server((first + next) % 5)).collect();
        let stop = || chosen.iter().for_each(|server| server.pause().unwrap());
        let until_lost = how_many >= 3 && round.is_multiple_of(3);
        if until_lost {
            self.keep.store(true, Ordering::SeqCst);
            eventually("somebody keeps the lock", || self.keepers() > 0);
            stop();
            self.keep.store(false, Ordering::SeqCst);
            eventually("it is lost", || self.keepers() == 0);
        } else {
            let before = self.holds();
            eventually("somebody holds the lock and gives it back", || self.holds() > before);
            stop();
            block_on(env.sleep_until(Instant::now().saturating_add(TTL / 10)));
        }
        chosen.iter().for_each(|server| server.resume().unwrap());
    }
}

/// Holds it for a while, or until it is lost, and releases it.
fn hold(guard: LockGuard, env: &dyn Env, pause: Duration) -> Hold {
    let from = Instant::now();
    let was_valid = guard.is_valid();
    let enough = env.sleep_until(from.saturating_add(pause));
    block_on(async { drop(select(std::pin::pin!(guard.lost()), enough).await) });
    let now = Instant::now();
    let state = guard.state();
    let until = match state {
        _ if !was_valid => from,
        LockState::Held | LockState::Suspect { .. } => now,
        LockState::Lost(LostReason::Expired) => guard.valid_until().min(now),
        state => panic!("no server has lost a key, and yet: {state:?}"),
    };
    let token = guard.fencing_token().unwrap().get();
    // How many servers confirm the release does not matter here.
    let _ = block_on(guard.release());
    Hold { from, until, token, lost: matches!(state, LockState::Lost(_)) }
}

#[test]
fn there_are_never_two_holders_while_servers_stop_and_go_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let env = real_env().unwrap();
    let play = Play::default();
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            let builder = builder(&fleet).node_timeout(TTL / 8).acquire_interval(Duration::from_millis(5));
            let locks = block_on(builder.build()).unwrap();
            let (play, env) = (&play, &*env);
            scope.spawn(move || play.contend(&locks, env, seed));
        }
        let mut random = StdRng::seed_from_u64(99);
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            (0..STOPS).for_each(|round| play.stop_some(&fleet, &*env, round, &mut random));
        }));
        // The clients must end, however this ended.
        play.over.store(true, Ordering::SeqCst);
        stopped.unwrap_or_else(|panic| resume_unwind(panic));
    });
    let mut holds = play.holds.into_inner().unwrap();
    assert!(holds.len() >= STOPS);
    assert!(holds.iter().any(|hold| hold.lost), "no majority stood still for long enough");
    assert_eq!(contradiction(&mut holds), None);
    assert_no_key_is_left(&fleet);
}

#[test]
fn two_holders_would_be_found_and_so_would_a_token_that_does_not_rise() {
    let hold = |from, until, token| Hold {
        from: Instant::from_nanos(from),
        until: Instant::from_nanos(until),
        token,
        lost: false,
    };
    assert_eq!(contradiction(&mut [hold(5, 6, 2), hold(1, 5, 1), hold(6, 9, 3)]), None);
    assert!(contradiction(&mut [hold(1, 5, 1), hold(4, 6, 2)]).is_some());
    assert!(contradiction(&mut [hold(1, 5, 1), hold(5, 6, 1)]).is_some());
}
