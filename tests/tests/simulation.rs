//! The real driver, locks and renewal on virtual time, over nodes and a network that misbehave at random: one seed a run.
//!
//! `REDLOCK_SEEDS=20000 cargo test --release -p redlock-tests --test simulation` runs more of them,
//! `REDLOCK_SEED=n` one alone.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, join_all, select};
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{FencingToken, Held, LockName, Locks, Protections};

const NODES: usize = 5;
const CLIENTS: usize = 3;
const NAMES: [&str; 2] = ["a", "b"];

/// What one run came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    acquired: usize,
    /// Somebody acquired what somebody else still held, validly by its own clock.
    overlaps: usize,
    /// Somebody acquired with a fencing token that is not above all before it.
    repeats: usize,
    /// Keys that nobody holds any more, long before they expire.
    leftovers: usize,
    /// Tasks that are still there when all is over.
    tasks: usize,
}

struct World {
    sim: VirtualEnv,
    nodes: Vec<Arc<MemoryNode>>,
    clients: Vec<Client>,
    holds: Mutex<Vec<(usize, Held)>>,
    /// The largest fencing token of each name.
    tokens: Mutex<[Option<FencingToken>; NAMES.len()]>,
    outcome: Mutex<Outcome>,
    /// Long enough to see what a release leaves behind.
    long_ttl: bool,
    /// No node tells when a lock becomes free: waiters poll.
    silent: bool,
}

struct Client {
    env: Arc<ClientEnv>,
    ways: Vec<Arc<FaultyNode>>,
}

impl World {
    fn new(seed: u64, protections: Protections) -> Arc<Self> {
        let sim = VirtualEnv::new(seed);
        let nodes: Vec<_> = (0..NODES)
            .map(|node| MemoryNode::with_protections(format!("node-{node}"), sim.env(), protections))
            .collect();
        let clients = (0..CLIENTS)
            .map(|_| {
                let rate_ppm = (sim.random() % 9_000) as i32 - 4_500;
                let offset = Duration::from_secs(sim.random() % 100_000);
                let env = sim.client(ClientClock { rate_ppm, offset });
                let way =
                    |node: &Arc<MemoryNode>| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, sim.env());
                Client { env, ways: nodes.iter().map(way).collect() }
            })
            .collect();
        let (long_ttl, silent) = (seed.is_multiple_of(4), (seed / 4).is_multiple_of(2));
        let tokens = Mutex::default();
        Arc::new(Self {
            sim,
            nodes,
            clients,
            holds: Mutex::default(),
            tokens,
            outcome: Mutex::default(),
            long_ttl,
            silent,
        })
    }

    fn below(&self, bound: u64) -> u64 {
        self.sim.random() % bound
    }

    fn millis(&self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1_000))
    }

    async fn locks(&self, client: usize, protections: Protections) -> Locks {
        let Client { env, ways } = &self.clients[client];
        let mut builder = Locks::builder()
            .env(Arc::clone(env) as Arc<dyn Env>)
            .protections(protections)
            .max_ttl(Duration::from_secs(60));
        for way in ways {
            builder = builder.node(env.reach(Arc::clone(way) as Arc<dyn Node>));
        }
        builder.build().await.unwrap()
    }

    /// Exact: an overlap begins when the second one acquires.
    fn acquired(&self, name: usize, held: Held) {
        let mut holds = self.holds.lock().unwrap();
        let mut outcome = self.outcome.lock().unwrap();
        outcome.acquired += 1;
        outcome.overlaps += holds.iter().filter(|(other, held)| *other == name && held.is_valid()).count();
        // Whoever was held up until its validity had ended is not a holder any more.
        if held.is_valid() {
            let token = held.fencing_token();
            assert!(token.is_some());
            let mut tokens = self.tokens.lock().unwrap();
            outcome.repeats += usize::from(token <= tokens[name]);
            tokens[name] = tokens[name].max(token);
        }
        holds.push((name, held));
    }

    /// One client: acquires, holds, lets go, in all the ways there are.
    async fn contend(self: Arc<Self>, client: usize, locks: Locks) {
        let env = Arc::clone(&self.clients[client].env);
        let sleep = |pause: Duration| env.sleep_until(env.now().saturating_add(pause));
        for _ in 0..6 {
            sleep(self.millis(50)).await;
            let name = usize::from(self.below(4) == 0);
            let ttl = if self.long_ttl {
                Duration::from_secs(60)
            } else {
                Duration::from_millis(100 + self.below(700))
            };
            let lock =
                locks.lock(NAMES[name]).ttl(ttl).wait_at_most(Duration::from_millis(10 + self.below(2_000)));
            let patience = if self.below(5) == 0 { self.millis(40) } else { Duration::from_secs(3_600) };
            let acquiring = pin!(lock.acquire());
            let Either::Left((Ok(guard), _)) = select(acquiring, sleep(patience)).await else { continue };
            self.acquired(name, guard.held());
            sleep(self.millis(600)).await;
            match self.below(4) {
                0 => drop(guard),
                1 => drop(select(pin!(guard.release()), sleep(self.millis(2))).await),
                2 => {
                    let _ = guard.extend().await;
                    let _ = guard.release().await;
                }
                _ => drop(guard.release().await),
            }
        }
        locks.shutdown(Duration::from_secs(5)).await;
    }

    /// What goes wrong besides single messages, until the clients are done.
    async fn chaos(&self) {
        for _ in 0..30 {
            self.sim.sleep(self.millis(200)).await;
            let client = &self.clients[self.below(CLIENTS as u64) as usize];
            let node = self.below(NODES as u64) as usize;
            match self.below(6) {
                0 => client.env.pause_until(self.sim.now().saturating_add(self.millis(1_500))),
                1 => self.clients.iter().for_each(|client| client.ways[node].hang()),
                2 | 3 => self.clients.iter().flat_map(|client| &client.ways).for_each(|way| way.resume()),
                _ => client.ways[node].break_connection(),
            }
        }
    }

    fn calm(&self) {
        for client in &self.clients {
            client.env.resume();
            client.ways.iter().for_each(|way| {
                way.set(Fault::none());
                way.resume();
            });
        }
    }

    fn stir(&self) {
        let ms = Duration::from_millis;
        for way in self.clients.iter().flat_map(|client| &client.ways) {
            let slow = || Fault::delay(ms(0)..ms(8), ms(0)..ms(8));
            way.set_random([
                (80, slow()),
                (5, Fault::drop_request()),
                (5, Fault::drop_reply().with_delay(ms(0)..ms(30), ms(0))),
                (5, Fault::delay(ms(0)..ms(400), ms(0)..ms(10))),
                (3, Fault::refuse()),
            ]);
            if self.silent {
                way.set_for(Op::Watch, Fault::refuse());
            }
        }
    }
}

fn run(seed: u64, protections: Protections) -> Outcome {
    let world = World::new(seed, protections);
    let sim = &world.sim;
    let locks: Vec<_> = (0..CLIENTS).map(|client| sim.block_on(world.locks(client, protections))).collect();
    world.stir();
    let contenders = locks
        .into_iter()
        .enumerate()
        .map(|(client, locks)| world.clients[client].env.run(Arc::clone(&world).contend(client, locks)));
    let contenders = join_all(contenders);
    sim.block_on(async {
        let chaos = async {
            world.chaos().await;
            world.calm();
        };
        futures::future::join(contenders, chaos).await;
    });
    sim.advance(Duration::from_secs(5));
    let mut outcome = *world.outcome.lock().unwrap();
    let names = NAMES.map(|name| LockName::new(name).unwrap());
    outcome.leftovers =
        world.nodes.iter().map(|node| names.iter().filter(|name| node.is_held_by_anyone(name)).count()).sum();
    world.holds.lock().unwrap().clear();
    sim.advance(Duration::from_secs(200));
    outcome.tasks = sim.tasks();
    outcome
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("REDLOCK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REDLOCK_SEEDS").unwrap_or(default),
    }
}

#[test]
fn nobody_holds_what_somebody_else_holds_and_nothing_is_left_behind() {
    let mut acquired = 0;
    for seed in seeds(300) {
        let outcome = run(seed, Protections::default());
        acquired += outcome.acquired;
        let expected = Outcome { acquired: outcome.acquired, ..Outcome::default() };
        assert_eq!(outcome, expected, "REDLOCK_SEED={seed} cargo test -p redlock-tests --test simulation");
    }
    assert!(acquired > 0, "no lock was ever acquired: the faults leave nothing to test");
}

#[test]
fn a_seed_repeats_itself() {
    assert_eq!(run(7, Protections::default()), run(7, Protections::default()));
}

#[test]
fn without_a_safeguard_the_simulation_finds_what_it_is_for() {
    for (safeguard, is_bad) in [
        ("release_owner_check", (|outcome| outcome.overlaps > 0) as fn(Outcome) -> bool),
        ("validity_check", |outcome| outcome.overlaps > 0),
        ("stale_deadline", |outcome| outcome.leftovers > 0),
        ("release_unknown", |outcome| outcome.leftovers > 0),
        ("adopt_stragglers", |outcome| outcome.leftovers > 0),
    ] {
        let protections = Protections::without(safeguard).unwrap();
        assert!(
            (0..2_000).any(|seed| is_bad(run(seed, protections))),
            "{safeguard} is off and nothing happens"
        );
    }
}
