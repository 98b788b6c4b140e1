//! How contenders wait: pauses, attempts, order, wake-ups.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use redlock::config::Config;
use redlock::testing::faulty::{Fault, Op};
use redlock::{AcquireError, Locks};

use crate::fleet;
use crate::world::{Client, MS, SECOND, World};

#[test]
fn n_retries_are_n_plus_one_attempts() {
    // due: acquireMaxRetries = N makes N + 2 attempts.
    for retries in [0, 1, 3] {
        let world = World::new(3);
        let (client, other) = (world.client(), world.client());
        let _held = world.acquire(&other, "a", 30 * SECOND);
        let error = world.within(SECOND, client.locks.lock("a").retries(retries).acquire()).unwrap_err();
        let AcquireError::Busy { attempts, .. } = &error else { panic!("{error}") };
        assert_eq!(*attempts, retries + 1);
        for way in &client.ways {
            let asked = way.log().iter().filter(|event| event.op == Op::Acquire).count();
            assert_eq!(asked, retries as usize + 1);
        }
    }
}

#[test]
fn acquire_max_retries_of_the_configuration_means_the_same() {
    // due: acquireMaxRetries = N makes N + 2 attempts.
    for retries in [1, 3] {
        let text = format!("[lock.memory]\nacquireMaxRetries = {retries}\nacquireInterval = '1ms'");
        let config = Config::from_toml_str(&text, Path::new("etc.toml")).unwrap();
        let locks = config.into_builder().unwrap().build_blocking().unwrap();
        let _held = locks.lock("a").acquire().unwrap();
        let error = locks.lock("a").acquire().unwrap_err();
        assert!(matches!(&error, AcquireError::Busy { attempts, .. } if *attempts == retries + 1), "{error}");
    }
}

/// Its nodes do not say when a lock becomes free, so that it must ask.
fn is_told_nothing(client: &Client) {
    client.ways.iter().for_each(|way| way.set_for(Op::Watch, Fault::refuse()));
}

#[test]
fn a_waiter_asks_about_as_often_as_it_should_and_never_twice_at_once() {
    // due: a pause of zero is a busy loop. redlock-rs, rslock: waiters spin.
    let world = World::new(1);
    let (client, other) = (world.client(), world.client());
    is_told_nothing(&client);
    let _held = world.acquire(&other, "a", 30 * SECOND);
    let lock = client.locks.lock("a").wait_at_most(10 * SECOND);
    assert!(world.within(11 * SECOND, lock.acquire()).is_err());
    let asked = client.arrivals(Op::Acquire);
    // 20 ms, less the jitter: about 1,000 in 10 s.
    assert!((500..=2_000).contains(&asked.len()), "{}", asked.len());
    assert!(asked.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn waiters_do_not_come_in_step() {
    // due: a fixed pause without jitter herds the waiters.
    let world = World::new(1);
    let (one, other, holder) = (world.client(), world.client(), world.client());
    [&one, &other].into_iter().for_each(is_told_nothing);
    let _held = world.acquire(&holder, "a", 30 * SECOND);
    let waiting = [&one, &other].map(|client| client.locks.lock("a").wait_at_most(2 * SECOND));
    world.within(3 * SECOND, join_all(waiting.iter().map(|lock| lock.acquire())));
    let [mine, theirs] = [&one, &other].map(|client| client.arrivals(Op::Acquire));
    assert!(mine.len() > 20 && theirs.len() > 20);
    let together = mine.iter().skip(1).filter(|at| theirs.contains(at)).count();
    assert_eq!(together, 0, "both began at the same time, and never met again");
    let mut pauses: Vec<_> = mine.windows(2).map(|pair| pair[1].saturating_since(pair[0])).collect();
    pauses.sort_unstable();
    assert!(pauses[pauses.len() - 1] - pauses[0] > 10 * MS, "spread over the interval");
}

#[test]
fn waiters_of_one_process_are_served_in_the_order_in_which_they_came() {
    // due: no fairness; whoever wakes at the right moment is next.
    let world = World::new(3);
    let client = world.client();
    let held = world.acquire(&client, "a", 30 * SECOND);
    let served = AtomicU32::new(0);
    let waiter = async |number: u32| {
        let guard = client.locks.lock("a").acquire().await.unwrap();
        assert_eq!(served.fetch_add(1, Ordering::Relaxed), number);
        world.sim.sleep(MS).await;
        guard.release().await.unwrap();
    };
    let holder = async {
        world.sim.sleep(100 * MS).await;
        held.release().await.unwrap();
    };
    world.within(60 * SECOND, async { futures::join!(holder, join_all((0..50).map(waiter))) });
    assert_eq!(served.into_inner(), 50);
}

#[test]
fn no_wake_up_is_lost_when_the_waiter_that_it_was_for_gives_up() {
    // Redisson: lost wake-ups, and a waiter that sleeps although the lock is free.
    let world = World::new(3);
    // So rarely does a waiter ask by itself that only a wake-up can bring it on in time.
    let client = world.client_with(|builder| builder.acquire_interval(3_600 * SECOND));
    for gives_up_first in [true, false] {
        let held = world.acquire(&client, "a", 30 * SECOND);
        let lock = client.locks.lock("a");
        let mut first = Box::pin(lock.acquire());
        let mut second = Box::pin(lock.acquire());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        world.sim.advance(MS);
        // The head of the line goes just before or just after it was woken.
        if gives_up_first {
            drop(first);
            world.within(SECOND, held.release()).unwrap();
        } else {
            world.within(SECOND, held.release()).unwrap();
            drop(first);
        }
        let guard = world.within(SECOND, second).unwrap();
        world.within(SECOND, guard.release()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tasks_count_to_a_hundred_and_a_failed_acquire_is_an_error() {
    // due: its examples print how often they tried, not what was counted, and skip acquires that failed.
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    let counter = Arc::new(AtomicU32::new(0));
    let (counted, failed) = hundred(&locks, &counter).await;
    assert_eq!((counted, failed, counter.load(Ordering::Relaxed)), (100, 0, 100));
    fleet.iter().skip(2).for_each(|server| server.kill());
    let (counted, failed) = hundred(&locks, &counter).await;
    assert_eq!((counted, failed, counter.load(Ordering::Relaxed)), (0, 100, 100));
}

/// A hundred tasks that each add one; how many did, and how many were told that they could not.
async fn hundred(locks: &Locks, counter: &Arc<AtomicU32>) -> (u32, u32) {
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (locks, counter) = (locks.clone(), Arc::clone(counter));
            tokio::spawn(async move {
                let limit = Duration::from_secs(if counter.load(Ordering::Relaxed) < 100 { 60 } else { 1 });
                let guard = locks.lock("counter").wait_at_most(limit).acquire().await?;
                // Not atomic on purpose: only the lock keeps two tasks from reading the same number.
                let seen = counter.load(Ordering::Relaxed);
                tokio::task::yield_now().await;
                counter.store(seen + 1, Ordering::Relaxed);
                drop(guard);
                Ok::<(), AcquireError>(())
            })
        })
        .collect();
    let (mut counted, mut failed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => counted += 1,
            Err(_) => failed += 1,
        }
    }
    (counted, failed)
}
