//! The lock goes from one holder of a process to the next without the nodes: on virtual time, every wait is exact.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, join_all, select};
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Event, Fault, FaultyNode, Op};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{
    AcquireError, ExtendError, Lock, LockGuard, LockName, LockState, Locks, LocksBuilder, LostReason,
    ShutdownReport,
};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

type Acquire = BoxFuture<'static, Result<LockGuard, AcquireError>>;

/// Three nodes, a round trip of 2 ms away.
struct World {
    sim: VirtualEnv,
    nodes: Vec<Arc<MemoryNode>>,
    links: Vec<Arc<FaultyNode>>,
}

impl World {
    fn new() -> Self {
        let sim = VirtualEnv::new(1);
        let nodes: Vec<_> = (0..3).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        let link = |node: &Arc<MemoryNode>| {
            let link = FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, sim.env());
            link.set(Fault::delay(MS, MS));
            link
        };
        let links = nodes.iter().map(link).collect();
        Self { sim, nodes, links }
    }

    /// A process of its own.
    fn locks(&self, set: impl FnOnce(LocksBuilder) -> LocksBuilder) -> Locks {
        let env: Arc<dyn Env> = self.sim.env();
        let builder = self
            .links
            .iter()
            .fold(Locks::builder().env(env), |builder, link| builder.node(Arc::clone(link) as Arc<dyn Node>));
        self.sim.block_on(set(builder).build()).unwrap()
    }

    fn acquire(&self, lock: Lock) -> LockGuard {
        self.sim.block_on(lock.acquire()).unwrap()
    }

    fn holders(&self) -> usize {
        let name = LockName::new("a").unwrap();
        self.nodes.iter().filter(|node| node.is_held_by_anyone(&name)).count()
    }

    /// Requests about locks that the nodes were sent so far.
    fn requests(&self) -> usize {
        let about_locks = |event: &Event| !matches!(event.op, Op::Probe | Op::Mark | Op::Examine);
        self.links.iter().map(|link| link.log().iter().filter(|event| about_locks(event)).count()).sum()
    }

    fn cut_off(&self) {
        self.links.iter().for_each(|link| link.set(Fault::drop_request()));
    }
}

/// Begins to wait, in line behind all who have begun before.
fn waiter(lock: Lock) -> Acquire {
    let mut acquire: Acquire = async move { lock.acquire().await }.boxed();
    assert!(acquire.as_mut().now_or_never().is_none());
    acquire
}

fn waiters(locks: &Locks, count: usize) -> Vec<Acquire> {
    (0..count).map(|_| waiter(locks.lock("a"))).collect()
}

fn token(guard: &LockGuard) -> u64 {
    guard.fencing_token().unwrap().get()
}

#[test]
fn a_line_is_served_in_order_without_asking_the_nodes_and_every_token_is_greater() {
    let world = World::new();
    let locks = world.locks(|builder| builder.handoff(8));
    let mut guard = world.acquire(locks.lock("a"));
    let waiters = waiters(&locks, 8);
    world.sim.advance(10 * MS);
    let (requests, began) = (world.requests(), world.sim.now());
    for next in waiters {
        let before = token(&guard);
        drop(guard);
        guard = world.sim.block_on(next).unwrap();
        assert!(guard.is_valid());
        assert_eq!(token(&guard), before + 1);
    }
    assert_eq!(world.sim.now(), began);
    assert_eq!(world.requests(), requests);
}

#[test]
fn whoever_waits_while_this_process_holds_the_lock_sends_nothing() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a").ttl(30 * SECOND));
    world.sim.advance(10 * MS);
    let requests = world.requests();
    let waiters = waiters(&locks, 5);
    let (waiting, nine_seconds) = (join_all(waiters), world.sim.sleep(9 * SECOND / 2));
    world.sim.block_on(select(waiting, nine_seconds));
    assert_eq!(world.requests(), requests);
    drop(guard);
}

#[test]
fn a_hold_that_was_handed_over_says_released_for_ever() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let first = world.acquire(locks.lock("a"));
    let (held, valid_until, first_token) = (first.held(), first.valid_until(), token(&first));
    let next = waiter(locks.lock("a"));
    assert!(world.sim.block_on(first.release()).is_ok());
    let says_released = || {
        assert_eq!(held.state(), LockState::Released);
        assert!(!held.is_valid());
        assert_eq!(held.lost().now_or_never(), Some(None));
        assert_eq!(held.valid_until(), valid_until);
        assert_eq!(held.fencing_token().unwrap().get(), first_token);
        assert!(matches!(world.sim.block_on(held.extend()), Err(ExtendError::Released)));
    };
    // While nobody has it, while the next has it, and when that one has lost it.
    says_released();
    let second = world.sim.block_on(next).unwrap();
    says_released();
    world.sim.advance(5 * SECOND);
    says_released();
    assert!(second.is_valid());
    world.nodes.iter().for_each(|node| node.crash_losing_memory());
    assert_eq!(world.sim.block_on(second.lost()), Some(LostReason::Missing));
    says_released();
}

#[test]
fn the_token_of_another_process_is_above_all_that_were_handed_over() {
    let world = World::new();
    let (locks, other) =
        (world.locks(|builder| builder.handoff(4)), world.locks(|builder| builder.handoff(1)));
    let mut last = 0;
    for _ in 0..5 {
        let mut guard = world.acquire(locks.lock("a"));
        assert!(token(&guard) > last);
        for next in waiters(&locks, 4) {
            drop(guard);
            guard = world.sim.block_on(next).unwrap();
        }
        last = token(&guard);
        world.sim.block_on(guard.release()).unwrap();
        let guard = world.acquire(other.lock("a"));
        assert!(token(&guard) > last);
        last = token(&guard);
        world.sim.block_on(guard.release()).unwrap();
    }
}

/// After how many holders of one process, all of which were there before, another gets its turn.
fn turn_of_another(handoff: u32, hold: Duration) -> usize {
    let world = World::new();
    let locks = world.locks(|builder| builder.handoff(handoff).acquire_interval(MS));
    let other = world.locks(|builder| builder.acquire_interval(MS));
    let guard = world.acquire(locks.lock("a"));
    let all = waiters(&locks, 40);
    let served = std::cell::Cell::new(1);
    let (served, world) = (&served, &world);
    let work = all.into_iter().map(|waiting| async move {
        let guard = waiting.await.unwrap();
        served.set(served.get() + 1);
        world.sim.sleep(hold).await;
        drop(guard);
    });
    let first = async {
        world.sim.sleep(hold).await;
        drop(guard);
    };
    let line: Pin<Box<dyn Future<Output = ()>>> =
        Box::pin(async { drop((first.await, join_all(work).await)) });
    let lock = other.lock("a");
    let another: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async { drop(lock.acquire().await.unwrap()) });
    world.sim.block_on(select(line, another));
    served.get()
}

#[test]
fn another_process_gets_its_turn_after_so_many_hand_overs() {
    assert_eq!(turn_of_another(3, MS), 4);
    assert_eq!(turn_of_another(10, MS), 11);
}

#[test]
fn another_process_gets_its_turn_when_the_lock_was_in_one_process_for_long() {
    // 20 ms each: the sixth holder is the last that gets it within 100 ms.
    let served = turn_of_another(256, 20 * MS);
    assert!((5..=6).contains(&served), "{served}");
}

#[test]
fn without_hand_over_every_holder_asks_the_nodes() {
    let world = World::new();
    let locks = world.locks(|builder| builder.handoff(0));
    let mut guard = world.acquire(locks.lock("a"));
    for next in waiters(&locks, 3) {
        let began = world.sim.now();
        drop(guard);
        guard = world.sim.block_on(next).unwrap();
        assert_eq!(world.sim.now().saturating_since(began), 2 * MS);
    }
    drop(guard);
}

#[test]
fn a_waiter_for_whom_the_validity_is_too_short_has_it_extended_first() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a").ttl(SECOND));
    let next = waiter(locks.lock("a").ttl(20 * SECOND));
    drop(guard);
    let guard = world.sim.block_on(next).unwrap();
    assert_eq!(guard.ttl().get(), 20 * SECOND);
    assert!(guard.remaining() > 19 * SECOND, "{:?}", guard.remaining());
    // It is renewed at the pace of its own TTL.
    world.sim.advance(60 * SECOND);
    assert!(guard.is_valid());
}

#[test]
fn what_cannot_be_extended_for_the_waiter_is_released_and_the_nodes_are_asked() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a").ttl(3 * SECOND));
    let held = guard.held();
    let next = waiter(locks.lock("a").ttl(20 * SECOND));
    world.cut_off();
    drop(guard);
    let Either::Right((_, next)) = world.sim.block_on(select(next, world.sim.sleep(SECOND))) else {
        panic!("it was acquired without nodes")
    };
    assert_eq!(held.state(), LockState::Released);
    world.links.iter().for_each(|link| link.set(Fault::delay(MS, MS)));
    let guard = world.sim.block_on(next).unwrap();
    assert!(guard.remaining() > 19 * SECOND);
}

#[test]
fn what_nobody_takes_any_more_is_released() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a"));
    let all = waiters(&locks, 3);
    drop(guard);
    assert_eq!(world.holders(), 3);
    drop(all);
    world.sim.advance(10 * MS);
    assert_eq!(world.holders(), 0);
}

#[test]
fn one_who_gives_up_with_the_lock_before_him_leaves_it_to_the_next() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a"));
    let mut all = waiters(&locks, 3);
    drop(guard);
    drop(all.remove(0));
    drop(all.remove(0));
    let requests = world.requests();
    let guard = world.sim.block_on(all.remove(0)).unwrap();
    assert!(guard.is_valid());
    assert_eq!(world.requests(), requests);
}

#[test]
fn a_waiter_who_does_not_get_to_run_keeps_the_lock_for_a_while_and_not_for_ever() {
    let world = World::new();
    let (locks, other) = (world.locks(|builder| builder), world.locks(|builder| builder));
    let guard = world.acquire(locks.lock("a").ttl(SECOND));
    let stuck = waiter(locks.lock("a").ttl(SECOND));
    drop(guard);
    let lock = other.lock("a").wait_at_most(4 * SECOND);
    let guard = world.sim.block_on(lock.acquire()).unwrap();
    assert!(guard.is_valid());
    drop(guard);
    // And that one is served when it runs again.
    assert!(world.sim.block_on(stuck).unwrap().is_valid());
}

/// The waiters have heard of the shutdown, and it has come to its end in time.
fn all_were_told_and_nothing_is_left(
    world: &World,
    waiters: Vec<Acquire>,
    shutdown: impl Future<Output = ShutdownReport>,
) {
    for answer in world.sim.block_on(join_all(waiters)) {
        assert!(matches!(answer, Err(AcquireError::ShutDown)), "{answer:?}");
    }
    let report = world.sim.block_on(shutdown);
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert_eq!(world.holders(), 0);
}

#[test]
fn after_a_shutdown_nothing_is_handed_over_and_nothing_is_left() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a"));
    let all = waiters(&locks, 3);
    let mut shutdown = Box::pin(locks.shutdown(SECOND));
    assert!(shutdown.as_mut().now_or_never().is_none());
    drop(guard);
    all_were_told_and_nothing_is_left(&world, all, shutdown);
}

#[test]
fn a_shutdown_releases_what_was_handed_over_and_not_taken() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a"));
    let all = waiters(&locks, 3);
    drop(guard);
    let mut shutdown = Box::pin(locks.shutdown(SECOND));
    assert!(shutdown.as_mut().now_or_never().is_none());
    all_were_told_and_nothing_is_left(&world, all, shutdown);
}

#[test]
fn a_waiter_goes_on_by_the_nodes_when_the_holder_of_this_process_has_lost_the_lock() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a").ttl(3 * SECOND));
    let next = waiter(locks.lock("a"));
    world.nodes.iter().for_each(|node| node.crash_losing_memory());
    let second = world.sim.block_on(next).unwrap();
    assert!(second.is_valid() && !guard.is_valid());
    assert!(token(&second) > token(&guard));
    assert!(world.sim.block_on(guard.release()).is_err());
    assert!(second.is_valid());
}

#[test]
fn a_forgotten_guard_keeps_the_line_no_longer_than_the_lock() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    std::mem::forget(world.acquire(locks.lock("a").ttl(SECOND).renew_at_most(SECOND)));
    let next = waiter(locks.lock("a").wait_at_most(4 * SECOND));
    assert!(world.sim.block_on(next).unwrap().is_valid());
}

#[test]
fn a_release_that_was_left_standing_does_not_keep_the_line() {
    let world = World::new();
    let locks = world.locks(|builder| builder.handoff(0));
    let guard = world.acquire(locks.lock("a"));
    let next = waiter(locks.lock("a").wait_at_most(4 * SECOND));
    let mut release = Box::pin(guard.release());
    assert!(release.as_mut().now_or_never().is_none());
    assert!(world.sim.block_on(next).unwrap().is_valid());
    drop(release);
}

#[test]
fn one_with_a_limit_is_told_that_it_is_busy_by_a_holder_of_this_process() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.acquire(locks.lock("a"));
    let began = world.sim.now();
    let answer = world.sim.block_on(locks.lock("a").wait_at_most(SECOND).acquire());
    let Err(AcquireError::Busy { waited, holder, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(waited, SECOND);
    // Behind the limit there is one look at who has it.
    let took = world.sim.now().saturating_since(began);
    assert!(holder.is_some() && took < SECOND + SECOND / 10, "{took:?}");
    drop(guard);
}

#[test]
fn who_does_not_stand_in_line_is_handed_nothing_and_may_hand_over() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let guard = world.sim.block_on(locks.lock("a").try_acquire()).unwrap().unwrap();
    let next = waiter(locks.lock("a"));
    assert!(world.sim.block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    assert!(world.sim.block_on(locks.lock("a").retries(0).acquire()).is_err());
    let requests = world.requests();
    drop(guard);
    assert!(world.sim.block_on(next).unwrap().is_valid());
    assert_eq!(world.requests(), requests);
}

#[test]
fn a_limit_of_renewal_is_that_of_each_hold() {
    let world = World::new();
    let locks = world.locks(|builder| builder);
    let lock = || locks.lock("a").ttl(SECOND);
    let guard = world.acquire(lock().renew_at_most(50 * MS));
    let (next, last) = (waiter(lock()), waiter(lock().renew_at_most(SECOND)));
    drop(guard);
    let guard = world.sim.block_on(next).unwrap();
    world.sim.advance(60 * MS);
    drop(guard);
    let guard = world.sim.block_on(last).unwrap();
    world.sim.advance(SECOND);
    assert!(guard.is_valid());
    assert_eq!(world.sim.block_on(guard.lost()), Some(LostReason::RenewLimit));
}

#[test]
fn without_fencing_locks_are_handed_over_all_the_same() {
    let world = World::new();
    let locks = world.locks(|builder| builder.fencing(false));
    let guard = world.acquire(locks.lock("a"));
    let next = waiter(locks.lock("a"));
    world.sim.advance(10 * MS);
    let requests = world.requests();
    drop(guard);
    let guard = world.sim.block_on(next).unwrap();
    assert!(guard.is_valid() && guard.fencing_token().is_none());
    assert_eq!(world.requests(), requests);
}
