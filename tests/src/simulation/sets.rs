//! Node sets that change, the operator who changes them, and the clients that are restarted for it.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, ClientEnv};
use redlock::{Locks, NodeChange, NodeSetChange, NodeSetError};

use super::setting::Network;
use super::world::World;

pub(super) const SITUATIONS: &[&str] = &[
    "node set changed",
    "operator interrupted",
    "client not restarted",
    "client of an old node set shut out",
];

/// The node sets, one after the other, and which of them each client is configured with.
pub(crate) struct Sets(Mutex<State>);

struct State {
    /// The nodes of each set, by its number.
    lists: Vec<Vec<usize>>,
    /// The number in the configuration of each client.
    configured: Vec<usize>,
    /// The number that its process began with.
    running: Vec<usize>,
    /// A node that no operator reaches.
    beyond: Option<usize>,
}

/// A change from one set to the next one.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The number of the set before.
    number: usize,
    /// The nodes after it.
    list: Vec<usize>,
    /// The one that is added or removed.
    node: usize,
}

impl Sets {
    pub(crate) fn new(nodes: usize, clients: usize) -> Self {
        let lists = vec![(0..nodes).collect()];
        let (configured, running) = (vec![0; clients], vec![0; clients]);
        Self(Mutex::new(State { lists, configured, running, beyond: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a process of this client that begins now is configured with.
    pub(crate) fn configured(&self, client: usize) -> (u64, Vec<usize>) {
        let mut state = self.state();
        let number = state.configured[client];
        state.running[client] = number;
        (number as u64, state.lists[number].clone())
    }

    /// Has a client be restarted with the latest list.
    pub(crate) fn restart(&self, client: usize) {
        let mut state = self.state();
        state.configured[client] = state.lists.len() - 1;
    }

    /// From now on no operator reaches this node.
    pub(crate) fn hide(&self, node: usize) {
        self.state().beyond = Some(node);
    }

    fn is_outdated(&self, client: usize) -> bool {
        let state = self.state();
        state.running[client] != state.configured[client]
    }

    /// The latest number and list.
    fn latest(&self) -> (usize, Vec<usize>) {
        let state = self.state();
        (state.lists.len() - 1, state.lists[state.lists.len() - 1].clone())
    }
}

/// Who changes the set.
struct Operator {
    env: Arc<ClientEnv>,
    ways: Vec<Arc<FaultyNode>>,
}

/// More tries than any course of troubles takes.
const TRIES: usize = 60;

impl World {
    /// The process of a client, or a new one where it is to have another list.
    pub(crate) async fn restarted(&self, client: usize, locks: Locks) -> Locks {
        if !self.sets.is_outdated(client) {
            return locks;
        }
        locks.shutdown(Duration::from_secs(5)).await;
        drop(locks);
        self.start(client).await
    }

    /// Adds this node, or removes it, while locks are held; clients are restarted, but not always all of them.
    pub(crate) async fn change_set(self: &Arc<Self>, node: usize) {
        let Some(change) = self.open_set(node).await else { return };
        let forgotten = (self.below(3) == 0).then(|| self.any_client());
        for client in 0..self.clients.len() {
            if Some(client) == forgotten {
                self.ledger.count("client not restarted");
            } else {
                self.sim.sleep(self.millis(60)).await;
                self.sets.restart(client);
            }
        }
        self.sim.sleep(self.millis(600)).await;
        self.finish_set(&change).await;
    }

    /// Opens the set with this node more, or less; `None`: it could not be.
    pub(crate) async fn open_set(self: &Arc<Self>, node: usize) -> Option<Change> {
        let (number, mut list) = self.sets.latest();
        match list.iter().position(|&known| known == node) {
            Some(place) => drop(list.remove(place)),
            None => list.push(node),
        }
        let change = Change { number, list, node };
        if !self.operate(&change, false).await {
            self.ledger.violate("node sets", format!("set {} could not be opened", number + 1));
            return None;
        }
        self.sets.state().lists.push(change.list.clone());
        Some(change)
    }

    /// Shuts out the clients of the set before, and puts the new one into force.
    pub(crate) async fn finish_set(self: &Arc<Self>, change: &Change) {
        if self.operate(change, true).await {
            self.ledger.count("node set changed");
        } else {
            self.ledger.violate("node sets", format!("the change to set {} did not end", change.number + 1));
        }
    }

    /// Opens, or finishes; whoever is interrupted begins again. Says whether it came to an end.
    async fn operate(self: &Arc<Self>, change: &Change, finish: bool) -> bool {
        for attempt in 0..TRIES {
            let work = Arc::clone(self).operator(attempt, change.clone(), finish);
            let patience = match self.below(3) {
                0 => self.millis(2_000),
                _ => Duration::from_secs(20),
            };
            match select(pin!(work), pin!(self.sim.sleep(patience))).await {
                Either::Left((Ok(()), _)) => return true,
                Either::Left((Err(NodeSetError::TooFew { .. }), _)) => {}
                // Nodes have forgotten that they were opened, and are of the set before again (seed 622).
                Either::Left((Err(NodeSetError::NotOpen), _)) if finish => {
                    Box::pin(self.operate(change, false)).await;
                }
                // Nodes that were away when it was finished have come back; the operator does what the error says.
                Either::Left((Err(NodeSetError::Unfinished { .. }), _)) if change.number > 0 && !finish => {
                    Box::pin(self.finish_again(change.number - 1)).await;
                }
                Either::Left((Err(error), _)) => {
                    self.ledger.violate("node sets", format!("the operator was told: {error}"));
                    return false;
                }
                Either::Right(_) => self.ledger.count("operator interrupted"),
            }
            self.sim.sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// Finishes the change from this set to the next one once more.
    async fn finish_again(self: &Arc<Self>, number: usize) {
        let (before, list) = {
            let state = self.sets.state();
            (state.lists[number].clone(), state.lists[number + 1].clone())
        };
        let (longer, shorter) = if before.len() > list.len() { (&before, &list) } else { (&list, &before) };
        let Some(&node) = longer.iter().find(|node| !shorter.contains(node)) else { return };
        if !self.operate(&Change { number, list, node }, true).await {
            self.ledger.violate("node sets", format!("the change to set {} did not end", number + 1));
        }
    }

    async fn operator(
        self: Arc<Self>,
        attempt: usize,
        change: Change,
        finish: bool,
    ) -> Result<(), NodeSetError> {
        let operator = self.new_operator(attempt);
        let change = self.prepare(&operator, &change).await?;
        if finish { change.finish().await } else { change.open().await }
    }

    fn new_operator(&self, attempt: usize) -> Operator {
        let offset = Duration::from_secs(self.below(100_000));
        let env = self.sim.client(ClientClock { rate_ppm: 0, offset });
        let (ms, beyond) = (Duration::from_millis, self.sets.state().beyond);
        let way = |node: &Arc<super::watched::Watched>| {
            let way = FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, self.sim.env());
            let slow = || Fault::delay(ms(0)..ms(3), ms(0)..ms(3));
            if Some(node.index) == beyond {
                way.set(Fault::refuse());
            } else if self.setting.network != Network::Bad {
                way.set(slow());
            } else if attempt < TRIES / 2 {
                // Its messages get lost, too, until it has had enough of it.
                way.set_random([(90, slow()), (5, Fault::drop_reply()), (5, Fault::refuse())]);
            }
            way
        };
        Operator { env, ways: self.nodes.iter().map(way).collect() }
    }

    async fn prepare(
        &self,
        operator: &Operator,
        &Change { number, ref list, node }: &Change,
    ) -> Result<NodeSetChange, NodeSetError> {
        let mut builder = Locks::builder()
            .env(Arc::clone(&operator.env) as Arc<dyn Env>)
            .protections(self.protections)
            .ttl(self.setting.longest_ttl)
            .max_ttl(self.setting.longest_ttl);
        let address = self.nodes[node].address().to_owned();
        let adds = list.contains(&node);
        // As it was with a node that is removed, and as it will be with one that is added: both lists do.
        let number = if adds { number + 1 } else { number };
        for &known in list.iter().chain((!adds).then_some(&node)) {
            let way = Arc::clone(&operator.ways[known]) as Arc<dyn Node>;
            builder = builder.node(operator.env.reach(way));
        }
        let change = if adds { NodeChange::Add(address) } else { NodeChange::Remove(address) };
        builder.node_set(number as u64).change_nodes(change).await
    }
}
