//! Waiters on virtual time: every wait is exact, and nobody is woken by chance.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, join_all, select};
use redlock::backend::memory::MemoryNode;
use redlock::node::{
    AcquireRequest, ExtendRequest, Identity, Inspection, Node, NodeFuture, RaiseRequest, ReleaseRequest,
    Released, Reply, Watch,
};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{AcquireError, LockName, Locks, LocksBuilder, OwnerToken, Ttl};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

struct World {
    sim: VirtualEnv,
    nodes: Vec<Arc<MemoryNode>>,
}

struct Client {
    locks: Locks,
    ways: Vec<Arc<FaultyNode>>,
}

impl World {
    fn new(nodes: usize) -> Self {
        let sim = VirtualEnv::new(1);
        let nodes = (0..nodes).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        Self { sim, nodes }
    }

    fn client(&self, settings: impl FnOnce(LocksBuilder) -> LocksBuilder) -> Client {
        let way = |node: &Arc<MemoryNode>| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, self.sim.env());
        let ways: Vec<_> = self.nodes.iter().map(way).collect();
        let nodes = ways.iter().map(|way| Arc::clone(way) as Arc<dyn Node>);
        let builder = nodes.fold(Locks::builder().env(self.sim.env()), LocksBuilder::node);
        Client { locks: self.sim.block_on(settings(builder).build()).unwrap(), ways }
    }

    fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> T {
        self.sim.block_on(async {
            match select(pin!(future), self.sim.sleep(limit)).await {
                Either::Left((value, _)) => value,
                Either::Right(_) => panic!("not done within {limit:?}"),
            }
        })
    }

    /// Somebody else takes the lock `a` on one node.
    fn occupy(&self, node: usize, ttl: Duration) {
        let (name, owner) = (LockName::new("a").unwrap(), OwnerToken::from_bytes([7; OwnerToken::BYTES]));
        let request = AcquireRequest::new(name, owner, Ttl::new(ttl).unwrap(), self.sim.now());
        let reply = self.sim.block_on(Arc::clone(&self.nodes[node]).acquire(request)).unwrap();
        assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
    }
}

impl Client {
    /// How many requests of this kind came to the busiest of its nodes.
    fn requests(&self, op: Op) -> usize {
        let count = |way: &Arc<FaultyNode>| way.log().iter().filter(|event| event.op == op).count();
        self.ways.iter().map(count).max().unwrap()
    }

    fn slow(&self) {
        self.ways
            .iter()
            .for_each(|way| way.set(Fault::delay(Duration::ZERO..2 * MS, Duration::ZERO..2 * MS)));
    }
}

/// Nobody is told; a round and its releases take tens of milliseconds, as on a machine that is too busy; and fifty processes ask at the same moment.
#[test]
fn fifty_who_poll_on_a_slow_machine_are_all_served() {
    let world = World::new(5);
    let clients: Vec<_> = (0..50).map(|_| world.client(|it| it.ttl(10 * SECOND))).collect();
    for way in clients.iter().flat_map(|client| &client.ways) {
        way.set(Fault::delay(Duration::ZERO..20 * MS, Duration::ZERO..20 * MS));
        way.set_for(Op::Watch, Fault::drop_request());
    }
    let all = clients
        .iter()
        .map(async |client| client.locks.lock("a").acquire().await.unwrap().release().await.unwrap());
    let started = world.sim.now();
    world.within(600 * SECOND, join_all(all));
    let took = world.sim.now().saturating_since(started);
    let asked: usize = clients.iter().map(|client| client.requests(Op::Acquire)).sum();
    assert!(asked < 50 * 50, "{asked} rounds of fifty, in {took:?}");
}

#[test]
fn a_release_and_an_expiry_wake_a_waiter_that_asks_once_in_an_hour() {
    let world = World::new(5);
    let (holder, waiting) = (world.client(|it| it), world.client(|it| it.acquire_interval(HOUR)));
    let held = world.within(SECOND, holder.locks.lock("a").acquire()).unwrap();
    let lock = waiting.locks.lock("a");
    let mut waiter = Box::pin(lock.acquire());
    assert!((&mut waiter).now_or_never().is_none());
    world.sim.advance(100 * MS);
    drop(held);
    let guard = world.within(MS, waiter).unwrap();
    world.within(SECOND, guard.release()).unwrap();

    (0..5).for_each(|node| world.occupy(node, 500 * MS));
    let started = world.sim.now();
    let guard = world.within(SECOND, lock.acquire()).unwrap();
    assert_eq!(world.sim.now().saturating_since(started), 500 * MS);
    drop(guard);
}

#[test]
fn a_renewal_wakes_nobody_and_a_waiter_asks_once_in_some_seconds() {
    let world = World::new(5);
    let (holder, waiting) = (world.client(|it| it), world.client(|it| it));
    let held = world.within(SECOND, holder.locks.lock("a").ttl(SECOND).acquire()).unwrap();
    let lock = waiting.locks.lock("a").wait_at_most(60 * SECOND);
    assert!(world.within(61 * SECOND, lock.acquire()).is_err());
    assert!(held.is_valid() && holder.requests(Op::Extend) > 100);
    let asked = waiting.requests(Op::Acquire);
    assert!((5..=11).contains(&asked), "{asked}");
}

#[test]
fn a_waiter_goes_on_although_every_notification_is_lost() {
    let world = World::new(5);
    let (holder, waiting) = (world.client(|it| it), world.client(|it| it.acquire_interval(HOUR)));
    waiting.ways.iter().for_each(|way| way.set_for(Op::Notify, Fault::drop_request()));
    let held = world.within(SECOND, holder.locks.lock("a").acquire()).unwrap();
    let lock = waiting.locks.lock("a");
    let mut waiter = Box::pin(lock.acquire());
    assert!((&mut waiter).now_or_never().is_none());
    world.sim.advance(SECOND);
    drop(held);
    world.sim.advance(SECOND);
    assert!((&mut waiter).now_or_never().is_none(), "it was told");
    drop(world.within(12 * SECOND, waiter).unwrap());
}

#[test]
fn nodes_that_cannot_tell_are_polled_unless_the_others_are_enough() {
    let world = World::new(5);
    let holder = world.client(|it| it);
    let _held = world.within(SECOND, holder.locks.lock("a").acquire()).unwrap();
    for (silent, polls) in [(2, false), (3, true)] {
        let waiting = world.client(|it| it);
        for way in waiting.ways.iter().take(silent) {
            way.set_for(Op::Watch, Fault::refuse());
        }
        let lock = waiting.locks.lock("a").wait_at_most(10 * SECOND);
        assert!(world.within(11 * SECOND, lock.acquire()).is_err());
        let asked = waiting.requests(Op::Acquire);
        assert_eq!(asked > 500, polls, "{asked}");
        assert!(polls || asked <= 3, "{asked}");
    }
}

#[test]
fn a_holder_of_a_bare_majority_is_waited_for_like_any_other() {
    // The waiter is granted by the two others each time it asks, which looks like votes that were split.
    let world = World::new(5);
    (0..3).for_each(|node| world.occupy(node, 8 * SECOND));
    let waiting = world.client(|it| it);
    let started = world.sim.now();
    let guard = world.within(9 * SECOND, waiting.locks.lock("a").acquire()).unwrap();
    assert_eq!(world.sim.now().saturating_since(started).as_secs(), 8);
    assert!(waiting.requests(Op::Acquire) <= 6, "{}", waiting.requests(Op::Acquire));
    drop(guard);
}

#[test]
fn those_who_are_woken_together_do_not_herd() {
    const CLIENTS: usize = 20;
    let world = World::new(5);
    let clients: Vec<_> = (0..CLIENTS).map(|_| world.client(|it| it)).collect();
    clients.iter().for_each(Client::slow);
    let holder = world.client(|it| it);
    let held = world.within(SECOND, holder.locks.lock("a").acquire()).unwrap();
    let turn = async |client: &Client| {
        let guard = client.locks.lock("a").acquire().await.unwrap();
        world.sim.sleep(5 * MS).await;
        guard.release().await.unwrap();
    };
    let turns = join_all(clients.iter().map(turn));
    let release = async {
        world.sim.sleep(SECOND).await;
        drop(held);
    };
    let started = world.sim.now();
    world.within(10 * SECOND, futures::future::join(turns, release));
    let took = world.sim.now().saturating_since(started).saturating_sub(SECOND);
    // A turn takes 5 ms and a few round trips of 4 ms.
    assert!(took < CLIENTS as u32 * 40 * MS, "{took:?}");
    let asked: usize = clients.iter().map(|client| client.requests(Op::Acquire)).sum();
    // Polling asks a hundred times a second.
    let polls = CLIENTS as f64 * took.as_secs_f64() * 100.0;
    assert!((asked as f64) < polls, "{asked} rounds, polling makes {polls}");
}

#[test]
fn a_shutdown_is_told_to_those_who_wait() {
    let world = World::new(3);
    let (holder, waiting) = (world.client(|it| it), world.client(|it| it.acquire_interval(HOUR)));
    let _held = world.within(SECOND, holder.locks.lock("a").acquire()).unwrap();
    let lock = waiting.locks.lock("a");
    let (mut first, mut second) = (Box::pin(lock.acquire()), Box::pin(lock.acquire()));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    world.sim.advance(SECOND);
    let errors = async {
        waiting.locks.shutdown(SECOND).await;
        [first.await.unwrap_err(), second.await.unwrap_err()]
    };
    for error in world.within(MS, errors) {
        assert!(matches!(error, AcquireError::ShutDown), "{error}");
    }
}

/// Says all the time that every lock is free.
#[derive(Debug)]
struct Liar(Arc<FaultyNode>);

impl Node for Liar {
    fn address(&self) -> &str {
        self.0.address()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Arc::clone(&self.0).probe()
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Arc::clone(&self.0).acquire(request)
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Arc::clone(&self.0).extend(request)
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Arc::clone(&self.0).raise(request)
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Arc::clone(&self.0).release(request)
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Arc::clone(&self.0).inspect(name)
    }

    fn watch(self: Arc<Self>, _name: LockName) -> NodeFuture<Watch> {
        Box::pin(async { Ok(Box::pin(async { Ok(()) }) as Watch) })
    }

    fn clock(&self) -> Option<redlock::node::ClockReading> {
        self.0.clock()
    }
}

#[test]
fn wake_ups_that_bring_nothing_cost_no_more_than_polling() {
    let world = World::new(1);
    world.occupy(0, 60 * SECOND);
    let way = FaultyNode::new(Arc::clone(&world.nodes[0]) as Arc<dyn Node>, world.sim.env());
    let builder =
        Locks::builder().env(world.sim.env()).max_ttl(60 * SECOND).node(Arc::new(Liar(Arc::clone(&way))));
    let locks = world.sim.block_on(builder.build()).unwrap();
    let lock = locks.lock("a").wait_at_most(10 * SECOND);
    assert!(world.within(11 * SECOND, lock.acquire()).is_err());
    let asked = way.log().iter().filter(|event| event.op == Op::Acquire).count();
    // 20 ms, less the jitter: about 1,000 in 10 s.
    assert!((500..=2_000).contains(&asked), "{asked}");
}
