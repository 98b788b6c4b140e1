//! The nodes, the clients and the ways between them.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{BuildError, Held, Instant, LockName, Locks, Protections};

use super::event::Event;
use super::ledger::Ledger;
use super::plans::{Dice, Plan};
use super::scene::Scene;
use super::sets::Sets;
use super::setting::{Network, Setting};
use super::spy::Spy;
use super::watched::Watched;

/// One run's world.
pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) setting: Setting,
    pub(crate) protections: Protections,
    pub(crate) nodes: Vec<Arc<Watched>>,
    pub(crate) names: Vec<LockName>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: Vec<Client>,
    pub(crate) sets: Sets,
    /// Of those clients that were there at the beginning, for plans with a script.
    pub(crate) locks: Mutex<Vec<Locks>>,
    /// Clocks of nodes need not be turned any longer.
    over: Arc<AtomicBool>,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    /// The places of those in line who give up as soon as they get to run.
    upset: Mutex<BTreeSet<u64>>,
}

/// A process and its ways to the nodes.
pub(crate) struct Client {
    pub(crate) env: Arc<ClientEnv>,
    pub(crate) ways: Vec<Arc<FaultyNode>>,
    is_shut_down: AtomicBool,
}

/// The clocks of nodes are turned this often, by little, to run at other rates.
const TURN: Duration = Duration::from_millis(100);

impl World {
    pub(crate) fn new(seed: u64, plan: &'static Plan, protections: Protections) -> Arc<Self> {
        let sim = VirtualEnv::new(seed);
        let setting = (plan.setting)(&Dice(&sim));
        let node = |index| MemoryNode::guarded(format!("node-{index}"), sim.env(), protections);
        let nodes: Vec<_> = (0..setting.nodes + setting.spare).map(node).collect();
        let bounds = setting.clients.iter().map(|client| client.handoff as usize).collect();
        let scene = Scene::new(nodes.clone(), bounds, setting.longest_ttl, setting.nodes_keep);
        let ledger = Ledger::new(&sim, scene);
        let nodes: Vec<_> = nodes
            .into_iter()
            .enumerate()
            .map(|(index, node)| {
                Arc::new(Watched { node, index, ledger: Arc::clone(&ledger), tells: setting.tells })
            })
            .collect();
        let clients = setting.clients.iter().map(|profile| {
            let offset = Duration::from_secs(sim.random() % 100_000);
            let env = sim.client(ClientClock { rate_ppm: profile.rate_ppm, offset });
            let way = |node: &Arc<Watched>| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, sim.env());
            Client { env, ways: nodes.iter().map(way).collect(), is_shut_down: AtomicBool::new(false) }
        });
        let clients: Vec<_> = clients.collect();
        let sets = Sets::new(setting.nodes, clients.len());
        let names =
            (0..setting.names).map(|name| LockName::new(format!("name-{name}")).expect("a good name"));
        let names = names.collect();
        let (locks, over) = (Mutex::default(), Arc::default());
        let (calm, upset) = (AtomicBool::new(false), Mutex::default());
        let world =
            Self { protections, nodes, names, ledger, clients, sets, locks, over, calm, upset, setting, sim };
        world.run_clocks();
        Arc::new(world)
    }

    /// Lets the clocks of nodes run at their rates.
    fn run_clocks(&self) {
        if self.setting.node_rates.is_empty() {
            return;
        }
        let nodes: Vec<_> = self.nodes.iter().map(|node| Arc::clone(&node.node)).collect();
        let rates = self.setting.node_rates.clone();
        let (env, over) = (self.sim.env(), Arc::clone(&self.over));
        self.sim.env().spawn(Box::pin(async move {
            while !over.load(Ordering::Relaxed) {
                env.sleep_until(env.now().saturating_add(TURN)).await;
                for (node, ppm) in nodes.iter().zip(&rates) {
                    node.step_clock(i64::from(*ppm) * TURN.as_micros() as i64 / 1_000_000);
                }
            }
        }));
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        Dice(&self.sim).below(bound)
    }

    /// Less than so many milliseconds.
    pub(crate) fn millis(&self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1_000))
    }

    pub(crate) fn in_less_than(&self, millis: u64) -> Instant {
        self.sim.now().saturating_add(self.millis(millis))
    }

    pub(crate) fn quorum(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    pub(crate) fn any_client(&self) -> usize {
        self.below(self.clients.len() as u64) as usize
    }

    pub(crate) fn any_node(&self) -> usize {
        self.below(self.nodes.len() as u64) as usize
    }

    /// All ways from all clients.
    pub(crate) fn ways(&self) -> impl Iterator<Item = &Arc<FaultyNode>> {
        self.clients.iter().flat_map(|client| &client.ways)
    }

    pub(crate) async fn build(&self, client: usize, init: bool) -> Result<Locks, BuildError> {
        let Client { env, ways, .. } = &self.clients[client];
        let profile = &self.setting.clients[client];
        let mut builder = Locks::builder()
            .env(Arc::clone(env) as Arc<dyn Env>)
            .protections(self.protections)
            .start_without_quorum()
            .ttl(profile.usual_ttl)
            .max_ttl(self.setting.longest_ttl)
            .drift_factor(profile.drift_factor)
            .handoff(profile.handoff)
            .acquire_interval(profile.acquire_interval);
        if let Some(timeout) = profile.node_timeout {
            builder = builder.node_timeout(timeout);
        }
        let (number, list) = self.sets.configured(client);
        for (node, way) in list.into_iter().map(|node| (node, &ways[node])) {
            let inner = env.reach(Arc::clone(way) as Arc<dyn Node>);
            let (ledger, env) = (Arc::clone(&self.ledger), self.sim.env());
            builder = builder.node(Arc::new(Spy { inner, client, node, ledger, env }));
        }
        let builder = builder.node_set(number);
        if init { builder.init().await } else { builder.build().await }
    }

    /// A lock was acquired; returns the number of the hold.
    pub(crate) fn acquired(
        &self,
        client: usize,
        name: usize,
        place: Option<u64>,
        asked: Instant,
        held: Held,
    ) -> usize {
        let mut state = self.ledger.now();
        let env = Arc::clone(&self.clients[client].env) as Arc<dyn Env>;
        let hold = state.scene.acquired(client, self.names[name].clone(), place, asked, held, env);
        state.tell(&Event::Acquired { hold });
        hold
    }

    /// Somebody begins to wait in the line of a client, for so long; returns its place.
    pub(crate) fn waits(&self, client: usize, name: usize, time: Duration) -> u64 {
        let env = Arc::clone(&self.clients[client].env) as Arc<dyn Env>;
        let until = env.now().saturating_add(time);
        self.ledger.now().scene.waits(client, self.names[name].clone(), until, env)
    }

    /// Whoever is first in this line gives up as soon as it gets to run, also if it is given the lock then.
    pub(crate) fn upset_first(&self, client: usize, name: usize) {
        let first = self.ledger.now().scene.first_in_line(client, &self.names[name]);
        self.upset.lock().unwrap_or_else(PoisonError::into_inner).extend(first);
    }

    /// Completes when who is at this place is to give up.
    pub(crate) async fn upset(&self, place: Option<u64>) {
        let is_upset = |place| self.upset.lock().unwrap_or_else(PoisonError::into_inner).contains(&place);
        poll_fn(|_| if place.is_some_and(is_upset) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// On how many nodes a name is held by anybody.
    pub(crate) fn held_on(&self, name: usize) -> usize {
        self.nodes.iter().filter(|node| node.node.is_held_by_anyone(&self.names[name])).count()
    }

    /// A process stands still; its clock goes on.
    pub(crate) fn pause(&self, client: usize, until: Instant) {
        self.clients[client].env.pause_until(until);
        self.ledger.now().scene.paused(client, until);
    }

    /// A client's machine stands still, its clock too.
    pub(crate) fn stop(&self, client: usize, until: Instant) {
        self.pause(client, until);
        self.clients[client].env.stop_clock_until(until);
        self.ledger.now().scene.stopped(client, until);
    }

    /// A client is shut down while its tasks still want locks; from now on they get none.
    pub(crate) fn shut_down(&self, client: usize) {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner).get(client).cloned();
        let Some(locks) = locks else { return };
        self.ledger.tell(&Event::ShutDown { client });
        self.clients[client].is_shut_down.store(true, Ordering::SeqCst);
        let patience = Duration::from_secs(3_600);
        drop(self.clients[client].env.run(async move { locks.shutdown(patience).await }));
    }

    pub(crate) fn is_shut_down(&self, client: usize) -> bool {
        self.clients[client].is_shut_down.load(Ordering::SeqCst)
    }

    /// From now on single messages are slow, and where the setting says so lost, refused and doubled.
    pub(crate) fn stir(&self) {
        self.ways().for_each(|way| self.stir_way(way));
    }

    pub(crate) fn stir_way(&self, way: &FaultyNode) {
        let ms = Duration::from_millis;
        let slow = || Fault::delay(ms(0)..ms(3), ms(0)..ms(3));
        let lost = || Fault::drop_reply().with_delay(ms(0)..ms(3), ms(0));
        match self.setting.network {
            Network::Slow => return way.set(slow()),
            Network::Forgetful => return way.set_random([(98, slow()), (2, lost())]),
            Network::Bad => {}
        }
        way.set_random([
            (83, slow()),
            (4, Fault::drop_request()),
            (4, Fault::drop_reply().with_delay(ms(0)..ms(30), ms(0))),
            (4, Fault::delay(ms(0)..ms(400), ms(0)..ms(10))),
            (3, Fault::refuse()),
            // The copy is on its heels: nothing that was sent later runs in between.
            (2, Fault::duplicate(ms(0)).with_delay(ms(0)..ms(3), ms(1)..ms(3))),
        ]);
    }

    /// From now on all goes well.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
        self.ledger.now().scene.is_calm = true;
        for client in &self.clients {
            client.env.resume();
            client.ways.iter().for_each(|way| {
                way.set(Fault::none());
                way.resume();
            });
        }
    }

    /// Whether all goes well by now.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// The last look, when all lives are over. `leaves_locks`: somebody has gone without a release.
    pub(crate) fn close(&self, leaves_locks: bool) {
        let leftovers: usize = (0..self.names.len()).map(|name| self.held_on(name)).sum();
        if leftovers > 0 && !leaves_locks {
            let what = format!("{leftovers} keys are left that nobody holds, long before they expire");
            self.ledger.violate("leftovers", what);
        }
        let (holds, _open, offices) = {
            let mut state = self.ledger.now();
            let scene = &mut state.scene;
            let open = std::mem::take(&mut scene.open);
            (std::mem::take(&mut scene.holds), open, std::mem::take(&mut scene.offices))
        };
        // Not under the ledger's mutex: their ends may be told to it.
        drop((holds, offices));
        self.over.store(true, Ordering::Relaxed);
        for _ in 0..30 {
            self.sim.advance(Duration::from_secs(10));
            if self.sim.tasks() == 0 {
                return;
            }
        }
        self.ledger.violate("tasks", format!("{} tasks are left when all is over", self.sim.tasks()));
    }
}
