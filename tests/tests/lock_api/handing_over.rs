//! A lock that goes from one task of a process to the next without the network: each has a hold and a token of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{FencingToken, Held, Lock, LockGuard, LockState, Locks, LostReason, ReleaseError};
use redlock_tests::support::{assert_no_key_is_left, builder, connect};
use tokio::runtime;

const TASKS: usize = 100;

/// What checks tokens: it refuses whoever shows a smaller one than somebody before.
#[derive(Default)]
struct Fenced {
    highest: u64,
    value: usize,
    /// The tokens, in the order in which they were shown.
    seen: Vec<u64>,
}

impl Fenced {
    fn read(&mut self, token: FencingToken) -> usize {
        assert!(token.get() > self.highest, "{} after {}", token.get(), self.highest);
        self.highest = token.get();
        self.seen.push(token.get());
        self.value
    }

    fn write(&mut self, token: FencingToken, value: usize) {
        assert_eq!(token.get(), self.highest, "somebody else has read meanwhile");
        self.value = value;
    }
}

/// A hundred tasks add one each, on so many clients of these servers; `meanwhile` is told how many have done so.
fn add_a_hundred(clients: &[Locks], meanwhile: impl Fn(usize) + Send + Sync + 'static) -> Fenced {
    let fenced = Arc::new(Mutex::new(Fenced::default()));
    let meanwhile = Arc::new(meanwhile);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks = (0..TASKS).map(|task| {
            let (fenced, meanwhile) = (Arc::clone(&fenced), Arc::clone(&meanwhile));
            let lock = clients[task % clients.len()].lock("counter");
            tokio::spawn(async move {
                let guard = lock.acquire().await.unwrap();
                let token = guard.fencing_token().unwrap();
                let value = fenced.lock().unwrap().read(token);
                tokio::task::yield_now().await;
                fenced.lock().unwrap().write(token, value + 1);
                meanwhile(value + 1);
                match guard.release().await {
                    // A server that had granted has died since: a majority cannot confirm it.
                    Ok(()) | Err(ReleaseError::Unconfirmed { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    drop(runtime);
    Arc::into_inner(fenced).unwrap().into_inner().unwrap()
}

/// How many tokens are next to the one before: a lock that the nodes have granted anew has one of its own time.
fn handed_over(fenced: &Fenced) -> usize {
    fenced.seen.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count()
}

#[test]
fn a_hundred_tasks_have_rising_tokens_and_lose_no_update() {
    let fleet = RedisFleet::start(5).unwrap();
    let fenced = add_a_hundred(&[connect(&fleet)], |_| ());
    assert_eq!((fenced.value, fenced.seen.len()), (TASKS, TASKS));
    assert!(handed_over(&fenced) > 0, "{:?}", fenced.seen);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_hundred_tasks_of_two_clients_lose_no_update_while_one_server_is_killed_and_one_stands_still() {
    let fleet = Arc::new(RedisFleet::start(5).unwrap());
    let struck = Arc::clone(&fleet);
    let clients = [0, 1].map(|_| block_on(builder(&fleet).handoff(8).build()).unwrap());
    let fenced = add_a_hundred(&clients, move |done| match done {
        30 => struck.server(0).kill(),
        60 => struck.server(1).pause().unwrap(),
        _ => {}
    });
    assert_eq!((fenced.value, fenced.seen.len()), (TASKS, TASKS));
    assert!(handed_over(&fenced) > 0, "{:?}", fenced.seen);
    fleet.server(1).resume().unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_lease_that_was_handed_over_is_lost_for_who_has_it_and_not_for_who_had_it() {
    const TTL: Duration = Duration::from_millis(800);
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let (former, second) = two_holds(&locks.lock("a").ttl(TTL));
    assert_eq!((former.state(), second.state()), (LockState::Released, LockState::Held));

    (0..3).for_each(|server| fleet.server(server).pause().unwrap());
    assert_eq!(block_on(second.lost()), Some(LostReason::Expired));
    assert!(!second.is_valid());
    // It had let go in order.
    assert_eq!((former.state(), block_on(former.lost())), (LockState::Released, None));
    let lost = second.fencing_token();
    assert!(block_on(second.release()).is_err());

    (0..3).for_each(|server| fleet.server(server).resume().unwrap());
    let third = block_on(locks.lock("a").acquire()).unwrap();
    assert!(third.fencing_token() > lost);
    drop(third);
    assert_no_key_is_left(&fleet);
}

/// Two holds of one lease, the first of which is over. On a busy machine the first may last so long that it is others' turn.
fn two_holds(lock: &Lock) -> (Held, LockGuard) {
    for _ in 0..100 {
        let first = block_on(lock.acquire()).unwrap();
        let mut waiting = Box::pin(lock.acquire());
        assert!(waiting.as_mut().now_or_never().is_none());
        let former = first.held();
        block_on(first.release()).unwrap();
        let second = block_on(waiting).unwrap();
        if second.fencing_token().unwrap().get() == former.fencing_token().unwrap().get() + 1 {
            return (former, second);
        }
    }
    panic!("it is never handed over");
}

#[test]
fn nothing_is_left_when_all_who_waited_have_gone() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        for round in 0..50 {
            let guard = locks.lock("a").acquire().await.unwrap();
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    let lock = locks.lock("a");
                    tokio::spawn(async move { drop(lock.acquire().await.unwrap()) })
                })
                .collect();
            tokio::task::yield_now().await;
            drop(guard);
            if round % 2 == 0 {
                waiters.iter().for_each(tokio::task::JoinHandle::abort);
            }
            for waiter in waiters {
                let _ = waiter.await;
            }
        }
    });
    assert_no_key_is_left(&fleet);
    let report = block_on(locks.shutdown(redlock_tests::support::LIMIT));
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
}
