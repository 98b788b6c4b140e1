//! Servers stop and go on at random while several clients contend for one lock: never two holders, tokens that rise.
//!
//! All clocks are one here: intervals of validity of different clients can be compared.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::select;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::env::Env;
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{Instant, LockGuard, LockState, Locks, LostReason};
use redlock_tests::support::{assert_no_key_is_left, builder, eventually};

const CLIENTS: u64 = 3;
const TTL: Duration = Duration::from_millis(400);
const STOPS: u64 = 24;

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

/// Holds it for a while, or until it is lost, and releases it.
fn hold(guard: LockGuard, env: &dyn Env, pause: Duration) -> Hold {
    let from = Instant::now();
    let valid_at_first = guard.is_valid();
    let enough = env.sleep_until(from.saturating_add(pause));
    block_on(async { drop(select(std::pin::pin!(guard.lost()), enough).await) });
    let now = Instant::now();
    let state = guard.state();
    let until = match state {
        LockState::Held | LockState::Suspect { .. } => now,
        LockState::Lost(LostReason::Expired) => guard.valid_until().min(now),
        state => panic!("no server has lost a key, and yet: {state:?}"),
    };
    let token = guard.fencing_token().unwrap().get();
    // The loss of a lock is the point here; how many servers confirm its release is not.
    let _ = block_on(guard.release());
    let lost = matches!(state, LockState::Lost(_));
    Hold { from, until: if valid_at_first { until } else { from }, token, lost }
}

fn contend(locks: &Locks, seed: u64, stop: &AtomicBool, holds: &Mutex<Vec<Hold>>) {
    let env = real_env().unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::SeqCst) {
        // With a majority that stands still it is an error.
        let Ok(guard) = block_on(locks.lock("a").ttl(TTL).wait_at_most(TTL).acquire()) else { continue };
        // Often short, and sometimes longer than an unrenewed lock is valid.
        let pause = [0, 5, 20, 600][random.random_range(0..4)];
        let hold = hold(guard, &*env, Duration::from_millis(pause));
        holds.lock().unwrap().push(hold);
    }
}

/// Stops some servers, sees what becomes of the locks, lets the servers go on.
fn stop_some(fleet: &RedisFleet, env: &dyn Env, round: u64, random: &mut StdRng, holds: &Mutex<Vec<Hold>>) {
    let count = || holds.lock().unwrap().len();
    let before = count();
    eventually("somebody holds the lock and gives it back", || count() > before);
    // Minorities and majorities in turn, for a moment or until the last holder must have lost the lock.
    let how_many = 1 + (round % 4) as usize;
    let first = random.random_range(0..5);
    let chosen: Vec<&RedisServer> = (0..how_many).map(|next| fleet.server((first + next) % 5)).collect();
    chosen.iter().for_each(|server| server.pause().unwrap());
    let pause = if round.is_multiple_of(3) { TTL + TTL / 2 } else { TTL / 10 };
    block_on(env.sleep_until(Instant::now().saturating_add(pause)));
    chosen.iter().for_each(|server| server.resume().unwrap());
}

#[test]
fn there_are_never_two_holders_while_servers_stop_and_go_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let env = real_env().unwrap();
    let holds = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            let builder = builder(&fleet).node_timeout(TTL / 8).acquire_interval(Duration::from_millis(5));
            let locks = block_on(builder.build()).unwrap();
            let (stop, holds) = (&stop, &holds);
            scope.spawn(move || contend(&locks, seed, stop, holds));
        }
        let mut random = StdRng::seed_from_u64(99);
        let stopping = std::panic::AssertUnwindSafe(|| {
            (0..STOPS).for_each(|round| stop_some(&fleet, &*env, round, &mut random, &holds));
        });
        let stopped = std::panic::catch_unwind(stopping);
        // The clients must end, however this ended.
        stop.store(true, Ordering::SeqCst);
        stopped.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let mut holds = holds.into_inner().unwrap();
    assert!(holds.len() as u64 >= STOPS);
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
