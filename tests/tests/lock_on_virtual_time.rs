//! The lock on virtual time: every wait is exact, nothing sleeps.

use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{
    AcquireError, Lock, LockGuard, LockName, LockState, Locks, LocksBuilder, LostReason, NodeVote,
};

struct World {
    sim: VirtualEnv,
    nodes: Vec<Arc<MemoryNode>>,
}

impl World {
    fn new(nodes: usize) -> Self {
        let sim = VirtualEnv::new(1);
        let nodes = (0..nodes).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        Self { sim, nodes }
    }

    fn locks(&self) -> Locks {
        let env: Arc<dyn Env> = self.sim.env();
        let mut builder = Locks::builder().env(env);
        for node in &self.nodes {
            builder = builder.node(Arc::clone(node) as Arc<dyn redlock::node::Node>);
        }
        self.sim.block_on(builder.build()).unwrap()
    }

    fn holders(&self, name: &str) -> usize {
        let name = LockName::new(name).unwrap();
        self.nodes.iter().filter(|node| node.is_held_by_anyone(&name)).count()
    }
}

#[test]
fn one_holder_at_a_time_and_a_release_reaches_every_node() {
    let world = World::new(5);
    let locks = world.locks();
    world.sim.block_on(async {
        let guard = locks.lock("a").acquire().await.unwrap();
        assert_eq!(world.holders("a"), 5);
        assert!(locks.lock("a").try_acquire().await.unwrap().is_none());
        guard.release().await.unwrap();
    });
    world.sim.advance(Duration::from_millis(1));
    assert_eq!(world.holders("a"), 0);
}

#[test]
fn a_guard_is_renewed_for_as_long_as_it_lives() {
    let world = World::new(3);
    let locks = world.locks();
    let guard = world.sim.block_on(locks.lock("a").ttl(Duration::from_secs(1)).acquire()).unwrap();
    for _ in 0..100 {
        world.sim.advance(Duration::from_secs(1));
        assert_eq!(guard.state(), LockState::Held);
    }
    drop(guard);
    world.sim.advance(Duration::from_millis(1));
    assert_eq!(world.holders("a"), 0);
}

#[test]
fn lost_fires_at_once_when_the_keys_are_gone() {
    let world = World::new(3);
    let locks = world.locks();
    let guard = world.sim.block_on(locks.lock("a").ttl(Duration::from_secs(3)).acquire()).unwrap();
    world.nodes.iter().take(2).for_each(|node| node.crash_losing_memory());
    assert_eq!(world.sim.block_on(guard.lost()), Some(LostReason::Missing));
    assert!(world.sim.now() < guard.valid_until());
    assert!(!guard.is_valid());
}

#[test]
fn acquire_gives_up_at_its_wait_limit_and_says_who_was_asked() {
    let world = World::new(3);
    let (locks, other) = (world.locks(), world.locks());
    world.sim.block_on(async {
        let _guard = other.lock("a").acquire().await.unwrap();
        let started = world.sim.now();
        let limit = Duration::from_millis(300);
        let error = locks.lock("a").wait_at_most(limit).acquire().await.unwrap_err();
        assert_eq!(world.sim.now().saturating_since(started), limit);
        let AcquireError::Busy { nodes, .. } = &error else { panic!("{error}") };
        assert_eq!(nodes.len(), 3);
    });
}

#[test]
fn a_lock_that_is_held_is_busy_also_when_the_wait_limit_cuts_the_last_round_short() {
    let world = World::new(3);
    let other = world.locks();
    let guard = world.sim.block_on(other.lock("a").acquire()).unwrap();
    // A round trip takes 10 ms, so that some of the last rounds have no answer at the limit.
    let mut builder = Locks::builder().env(world.sim.env());
    for node in &world.nodes {
        let link = FaultyNode::new(Arc::clone(node) as Arc<dyn redlock::node::Node>, world.sim.env());
        link.set(Fault::delay(Duration::from_millis(5), Duration::from_millis(5)));
        builder = builder.node(link);
    }
    let locks = world.sim.block_on(builder.build()).unwrap();
    for limit in 100..200 {
        let lock = locks.lock("a").wait_at_most(Duration::from_millis(limit));
        let error = world.sim.block_on(lock.acquire()).unwrap_err();
        let AcquireError::Busy { nodes, .. } = &error else { panic!("{error}") };
        assert!(nodes.iter().any(|node| matches!(node.vote, NodeVote::Refused(_))), "{error}");
    }
    drop(guard);
}

#[test]
fn a_majority_that_is_silent_is_told_also_when_the_others_refuse() {
    let world = World::new(5);
    let minority = world.sim.block_on(async {
        let mut builder = Locks::builder().env(world.sim.env());
        for node in world.nodes.iter().take(2) {
            builder = builder.node(Arc::clone(node) as Arc<dyn redlock::node::Node>);
        }
        builder.build().await.unwrap()
    });
    let _guard = world.sim.block_on(minority.lock("a").acquire()).unwrap();
    let (links, locks) = over_links(&world, Locks::builder());
    links.iter().skip(2).for_each(|link| link.hang());
    let error = world.sim.block_on(locks.lock("a").try_acquire()).unwrap_err();
    let AcquireError::Unavailable { nodes, .. } = &error else { panic!("{error}") };
    assert!(nodes.iter().take(2).all(|node| matches!(node.vote, NodeVote::Refused(_))), "{error}");
    assert!(nodes.iter().skip(2).all(|node| matches!(node.vote, NodeVote::Failed(_))), "{error}");
}

#[test]
fn several_locks_are_acquired_in_one_order_so_that_nobody_waits_in_a_circle() {
    let world = World::new(3);
    let clients = [world.locks(), world.locks()];
    let orders = [["a", "b", "a"], ["b", "a", "b"]];
    let turns = std::cell::Cell::new(0);
    let tasks = clients.iter().zip(orders).map(|(locks, names)| {
        let turns = &turns;
        async move {
            for _ in 0..20 {
                let guards = Lock::acquire_all(names.map(|name| locks.lock(name))).await.unwrap();
                assert_eq!(
                    guards.iter().map(|guard| guard.name().to_string()).collect::<Vec<_>>(),
                    ["a", "b"]
                );
                turns.set(turns.get() + 1);
            }
        }
    });
    world.sim.block_on(futures::future::join_all(tasks));
    assert_eq!(turns.get(), 40);
}

#[test]
fn several_locks_are_acquired_all_or_nothing() {
    let world = World::new(3);
    let (locks, other) = (world.locks(), world.locks());
    let guard = world.sim.block_on(other.lock("b").acquire()).unwrap();
    let wanted = ["a", "b"].map(|name| locks.lock(name).wait_at_most(Duration::from_millis(50)));
    let error = world.sim.block_on(Lock::acquire_all(wanted)).unwrap_err();
    assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
    world.sim.advance(Duration::from_millis(1));
    assert_eq!((world.holders("a"), world.holders("b")), (0, 3));
    drop(guard);
    let bad = [locks.lock("c"), locks.lock("")];
    assert!(matches!(world.sim.block_on(Lock::acquire_all(bad)), Err(AcquireError::InvalidName(_))));
    assert_eq!(world.holders("c"), 0);
}

/// Locks over links that can hang.
fn over_links(world: &World, builder: LocksBuilder) -> (Vec<Arc<FaultyNode>>, Locks) {
    let mut builder = builder.env(world.sim.env());
    let mut links = Vec::new();
    for node in &world.nodes {
        let link = FaultyNode::new(Arc::clone(node) as Arc<dyn redlock::node::Node>, world.sim.env());
        builder = builder.node(Arc::clone(&link) as Arc<dyn redlock::node::Node>);
        links.push(link);
    }
    let locks = world.sim.block_on(builder.build()).unwrap();
    (links, locks)
}

/// So many locks with a TTL of 3 s, taken at the same moment over links that can hang.
fn many(world: &World, count: usize) -> (Vec<Arc<FaultyNode>>, Locks, Vec<LockGuard>) {
    let (links, locks) = over_links(world, Locks::builder().ttl(Duration::from_secs(3)));
    let guards = world.sim.block_on(async {
        let mut guards = Vec::new();
        for number in 0..count {
            guards.push(locks.lock(format!("lock {number}")).acquire().await.unwrap());
        }
        guards
    });
    (links, locks, guards)
}

#[test]
fn many_locks_taken_at_once_are_all_kept_while_a_minority_hangs() {
    let world = World::new(5);
    let (links, _locks, guards) = many(&world, 1_500);
    links.iter().take(2).for_each(|link| link.hang());
    for _ in 0..6 {
        world.sim.advance(Duration::from_secs(1));
        let left = guards.iter().map(|guard| guard.remaining()).min().unwrap();
        assert!(left > Duration::from_millis(1_900), "{left:?}");
    }
    assert!(guards.iter().all(|guard| guard.state() == LockState::Held));
}

#[test]
fn what_is_due_is_held_back_as_long_as_nothing_is_urgent_and_none_is_lost_for_it() {
    let world = World::new(5);
    let (links, _locks, guards) = many(&world, 1_500);
    // Every renewal waits for its node timeout of 150 ms.
    links.iter().take(3).for_each(|link| link.hang());
    let taken = world.sim.now();
    world.sim.advance(Duration::from_millis(2_000));
    let log = links[4].log();
    let extends = log.iter().filter(|event| event.op == Op::Extend).map(|event| event.at);
    let times: Vec<_> = extends.map(|at| at.saturating_since(taken)).collect();
    let under_way = |from: Duration| {
        let to = from + Duration::from_millis(149);
        times.iter().filter(|&&at| from < at && at <= to).count()
    };
    let most = |from: u64, to: u64| (from..to).map(|ms| under_way(Duration::from_millis(ms))).max();
    assert_eq!(most(0, 1_300), Some(512), "half of the TTL is left");
    assert!(most(1_500, 1_800) > Some(512), "less is left");
    // They have a second left when a quorum answers again.
    links.iter().take(3).for_each(|link| link.resume());
    world.sim.advance(Duration::from_millis(900));
    let left = guards.iter().map(|guard| guard.remaining()).min().unwrap();
    assert!(left > Duration::from_millis(1_500), "{left:?}");
    assert!(guards.iter().all(|guard| guard.state() == LockState::Held));
}
