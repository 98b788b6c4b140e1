//! Five nodes and their clients on virtual time, and what must hold of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{BuildError, FencingToken, Held, Instant, LockName, LockState, Locks, LostReason, Protections};

use crate::counters::{Ledger, Watched};
use crate::outcome::Outcome;

pub(crate) const NODES: usize = 5;
pub(crate) const QUORUM: usize = 3;
pub(crate) const NAMES: [&str; 2] = ["a", "b"];

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Locks of a minute, so that leftovers show; the network and pauses misbehave.
    Leftovers,
    /// Nodes lose their memory, any number of them.
    Memories,
    /// Clocks of nodes are set and slew, machines of clients stand still; now and then a node loses its memory.
    Clocks,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        match seed % 4 {
            0 => Self::Leftovers,
            1 => Self::Memories,
            _ => Self::Clocks,
        }
    }

    /// The longest TTL, which quarantines last.
    pub(crate) fn longest_ttl(self) -> Duration {
        if self == Self::Leftovers { Duration::from_secs(60) } else { Duration::from_secs(1) }
    }
}

pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) plan: Plan,
    /// The operator says that nobody holds a lock, so that nobody waits at the start.
    pub(crate) init: bool,
    protections: Protections,
    pub(crate) nodes: Vec<Arc<Watched>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: Vec<Client>,
    holds: Mutex<Vec<Hold>>,
    /// The largest fencing token of each name.
    tokens: Mutex<[Option<FencingToken>; NAMES.len()]>,
    pub(crate) outcome: Mutex<Outcome>,
    /// Everything that was asked for before this point may overlap: a quorum of clocks jumped then.
    excused: Mutex<Instant>,
}

/// A process and its links.
pub(crate) struct Client {
    pub(crate) env: Arc<ClientEnv>,
    pub(crate) ways: Vec<Arc<FaultyNode>>,
    /// When its clock stood still last.
    stopped_until: Mutex<Option<Instant>>,
}

struct Hold {
    name: usize,
    client: usize,
    asked: Instant,
    acquired: Instant,
    held: Held,
}

impl World {
    pub(crate) fn new(seed: u64, protections: Protections) -> Arc<Self> {
        let sim = VirtualEnv::new(seed);
        let plan = Plan::of(seed);
        let ledger = Ledger::new(plan.longest_ttl());
        let watched = |index| {
            let node = MemoryNode::guarded(format!("node-{index}"), sim.env(), protections);
            let tells = !(seed / 4).is_multiple_of(2);
            Arc::new(Watched { node, index, env: sim.env(), ledger: Arc::clone(&ledger), tells })
        };
        let nodes: Vec<_> = (0..NODES).map(watched).collect();
        let client = |_| {
            let rate_ppm = (sim.random() % 9_000) as i32 - 4_500;
            let offset = Duration::from_secs(sim.random() % 100_000);
            let env = sim.client(ClientClock { rate_ppm, offset });
            let way = |node: &Arc<Watched>| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, sim.env());
            let ways = nodes.iter().map(way).collect();
            Client { env, ways, stopped_until: Mutex::default() }
        };
        let clients = (0..4).map(client).collect();
        Arc::new(Self {
            plan,
            init: plan == Plan::Leftovers || !seed.is_multiple_of(3),
            protections,
            nodes,
            ledger,
            clients,
            holds: Mutex::default(),
            tokens: Mutex::default(),
            outcome: Mutex::default(),
            excused: Mutex::new(VirtualEnv::START),
            sim,
        })
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.sim.random() % bound
    }

    /// Less than so many milliseconds.
    pub(crate) fn millis(&self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1_000))
    }

    pub(crate) async fn build(&self, client: usize, init: bool) -> Result<Locks, BuildError> {
        let Client { env, ways, .. } = &self.clients[client];
        let mut builder = Locks::builder()
            .env(Arc::clone(env) as Arc<dyn Env>)
            .protections(self.protections)
            .start_without_quorum()
            .ttl(Duration::from_millis(500))
            .max_ttl(self.plan.longest_ttl());
        for way in ways {
            builder = builder.node(env.reach(Arc::clone(way) as Arc<dyn Node>));
        }
        if init { builder.init().await } else { builder.build().await }
    }

    /// Whether its lock, asked for at `asked`, may be wrong about the time through no fault of the library.
    fn is_excused(&self, client: usize, asked: Instant) -> bool {
        let stopped = *self.clients[client].stopped_until.lock().unwrap();
        stopped.is_some_and(|until| asked < until) || asked < *self.excused.lock().unwrap()
    }

    /// A lock was acquired. Exact: an overlap begins when the second one acquires.
    pub(crate) fn acquired(&self, name: usize, client: usize, asked: Instant, held: Held) {
        let mut holds = self.holds.lock().unwrap();
        let mut outcome = self.outcome.lock().unwrap();
        outcome.acquired += 1;
        let excused = self.is_excused(client, asked);
        let overlaps = |other: &&Hold| {
            other.name == name && other.held.is_valid() && !self.is_excused(other.client, other.asked)
        };
        if !excused {
            outcome.overlaps += holds.iter().filter(overlaps).count();
        }
        // Whoever was held up until its validity had ended is not a holder any more.
        if held.is_valid() && !excused {
            let token = held.fencing_token();
            assert!(token.is_some());
            let mut tokens = self.tokens.lock().unwrap();
            outcome.repeats += usize::from(token <= tokens[name]);
            tokens[name] = tokens[name].max(token);
        }
        let event = (self.sim.now().as_nanos(), client, name, held.fencing_token().map(FencingToken::get));
        self.ledger.record.lock().unwrap().note(event);
        holds.push(Hold { name, client, asked, acquired: self.sim.now(), held });
    }

    /// On how many nodes a name is held by anybody.
    pub(crate) fn held_on(&self, name: usize) -> usize {
        let name = LockName::new(NAMES[name]).unwrap();
        self.nodes.iter().filter(|node| node.node.is_held_by_anyone(&name)).count()
    }

    /// A client's machine stands still, its clock too.
    pub(crate) fn stop_client(&self, client: usize, until: Instant) {
        let Client { env, stopped_until, .. } = &self.clients[client];
        env.pause_until(until);
        env.stop_clock_until(until);
        let mut stopped = stopped_until.lock().unwrap();
        *stopped = (*stopped).max(Some(until));
    }

    /// Locks whose holder's clock stood still until `until` must have been given up by now.
    pub(crate) fn must_have_given_up(&self, client: usize, until: Instant) {
        let holds = self.holds.lock().unwrap();
        let own = holds.iter().filter(|hold| hold.client == client && hold.acquired < until);
        for hold in own {
            if hold.held.is_valid() {
                self.outcome.lock().unwrap().kept_after_stop += 1;
            }
            if hold.held.state() == LockState::Lost(LostReason::ClockMoved) {
                self.ledger.count("own clock");
            }
        }
    }

    /// A quorum of clocks jumps: whatever was asked for until now is forgiven, and quarantines that end too early.
    pub(crate) fn excuse(&self) {
        *self.ledger.lost.lock().unwrap() = Default::default();
        *self.excused.lock().unwrap() = self.sim.now();
    }

    /// From now on all goes well.
    pub(crate) fn calm(&self) {
        for client in &self.clients {
            client.env.resume();
            client.ways.iter().for_each(|way| {
                way.set(Fault::none());
                way.resume();
            });
        }
    }

    /// From now on single messages are lost, late and refused.
    pub(crate) fn stir(&self) {
        let ms = Duration::from_millis;
        for way in self.clients.iter().flat_map(|client| &client.ways) {
            let slow = || Fault::delay(ms(0)..ms(3), ms(0)..ms(3));
            way.set_random([
                (85, slow()),
                (4, Fault::drop_request()),
                (4, Fault::drop_reply().with_delay(ms(0)..ms(30), ms(0))),
                (4, Fault::delay(ms(0)..ms(400), ms(0)..ms(10))),
                (3, Fault::refuse()),
            ]);
        }
    }

    /// The last look, when all is over.
    pub(crate) fn close(&self) -> Outcome {
        let mut outcome = self.outcome.lock().unwrap().clone();
        outcome.leftovers = (0..NAMES.len()).map(|name| self.held_on(name)).sum();
        self.holds.lock().unwrap().clear();
        self.sim.advance(Duration::from_secs(200));
        outcome.early_grants = *self.ledger.early_grants.lock().unwrap();
        outcome.tasks = self.sim.tasks();
        outcome.trace = self.ledger.record.lock().unwrap().trace();
        outcome
    }
}
