//! What goes wrong besides single messages, each by its name: a plan says which, and how often.

use std::time::Duration;

use redlock::Instant;
use redlock::testing::faulty::Fault;

use super::event::Event;
use super::world::World;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A process gets no CPU for a while.
    Pause,
    /// The same, while a renewal is under way.
    PauseRenewing,
    /// A server stops, as by SIGSTOP: its requests queue up.
    Hang,
    /// A client's connection to a node breaks; what is sent from now on may overtake what was sent.
    Break,
    /// Some clients and some nodes do not hear of each other any more, in one direction or both.
    Partition,
    /// A node is down for a while, and comes back with what it knew.
    Outage,
    /// All that hangs, is parted or is down is mended.
    Mend,
    /// A node loses its memory: it was restarted, or told to forget.
    Forget,
    /// The same, while a quorum of others is in order.
    ForgetOne,
    /// A machine of a client stands still, and its clock with it.
    StandStill,
    /// The clock of a node is set ahead.
    SetAhead,
    /// The clock of a node is set back.
    SetBack,
    /// The clock of a node is slewed.
    Slew,
    /// A quorum of clocks is set at once.
    SetMost,
    /// One client is shut down while its tasks still want locks, once in a run.
    ShutDown,
}

pub(super) const SITUATIONS: &[&str] = &[
    "client paused",
    "client paused while it renews",
    "node hung",
    "connection broken",
    "partition",
    "node down",
    "memory lost",
    "hypervisor pause",
    "clock set ahead",
    "clock set back",
    "clock slewed",
    "a quorum of clocks set",
    "client crash",
    "shut down",
];

/// What has been done.
#[derive(Default)]
pub(crate) struct Dials {
    /// How far each is ahead, in microseconds.
    ahead: Vec<i64>,
    set: Vec<Option<Instant>>,
    /// A client was shut down.
    shut_down: bool,
}

impl World {
    /// Until there was trouble enough.
    pub(crate) async fn trouble(&self) {
        let count = self.nodes.len();
        let mut dials = Dials { ahead: vec![0; count], set: vec![None; count], shut_down: false };
        // Which kinds there are, the seed says.
        let mut kinds = self.setting.troubles.clone();
        kinds.retain(|(_, trouble)| *trouble == Trouble::Mend || self.below(4) > 0);
        let total: u64 = kinds.iter().map(|(weight, _)| weight).sum();
        let crash =
            (self.setting.may_crash && self.below(2) == 0).then(|| self.below(self.setting.steps as u64));
        for step in 0..self.setting.steps {
            self.sim.sleep(self.millis(250)).await;
            if crash == Some(step as u64) {
                self.ledger.count("client crash");
                self.ledger.tell(&Event::Crashed { client: 0 });
                self.clients[0].env.crash();
            }
            let mut left = self.below(total.max(1));
            let chosen = kinds.iter().find(|(weight, _)| {
                let hit = left < *weight;
                left = left.saturating_sub(*weight);
                hit
            });
            if let Some((_, trouble)) = chosen {
                self.make(*trouble, &mut dials).await;
            }
        }
    }

    async fn make(&self, trouble: Trouble, dials: &mut Dials) {
        let (client, node) = (self.any_client(), self.any_node());
        match trouble {
            Trouble::Pause => {
                self.ledger.count("client paused");
                self.pause(client, self.in_less_than(1_500));
            }
            Trouble::PauseRenewing => self.pause_renewing().await,
            Trouble::Hang => {
                self.ledger.count("node hung");
                self.clients.iter().for_each(|client| client.ways[node].hang());
            }
            Trouble::Break => {
                self.ledger.count("connection broken");
                // One, or all of this client.
                if self.below(2) == 0 {
                    self.clients[client].ways[node].break_connection();
                } else {
                    self.clients[client].ways.iter().for_each(|way| way.break_connection());
                }
            }
            Trouble::Partition => self.part(),
            Trouble::Outage => {
                self.ledger.count("node down");
                for client in &self.clients {
                    client.ways[node].break_connection();
                    client.ways[node].set(Fault::refuse());
                }
            }
            Trouble::Mend => {
                self.ways().for_each(|way| way.resume());
                self.stir();
            }
            Trouble::Forget => self.forget(node),
            Trouble::ForgetOne => {
                let in_order = |other: &usize| *other != node && self.nodes[*other].is_admitted();
                if (0..self.nodes.len()).filter(in_order).count() >= self.quorum() {
                    self.forget(node);
                }
            }
            Trouble::StandStill => self.stand_still(client).await,
            Trouble::SetAhead => {
                let millis = 50 + self.below(60_000) as i64;
                if self.set_ahead(dials, node, millis) {
                    self.ledger.count("clock set ahead");
                }
            }
            Trouble::SetBack => {
                self.ledger.count("clock set back");
                self.turn(dials, node, -1_000 * (50 + self.below(4_000) as i64));
            }
            Trouble::Slew => {
                // As fast as chrony may: for half a second.
                let step = 1 + self.below(3) as i64;
                for _ in 0..25 {
                    if !self.set_ahead(dials, node, step) {
                        return;
                    }
                    self.sim.sleep(Duration::from_millis(20)).await;
                }
                self.ledger.count("clock slewed");
            }
            Trouble::SetMost => {
                self.ledger.count("a quorum of clocks set");
                let millis = 100 + self.below(3_000) as i64;
                self.ledger.now().scene.excuse();
                let first = self.any_node();
                let count = self.nodes.len();
                (0..self.quorum()).for_each(|next| self.turn(dials, (first + next) % count, 1_000 * millis));
                // So that what a minority does next is not taken for a part of it.
                self.sim.sleep(Duration::from_millis(1_500)).await;
            }
            Trouble::ShutDown => {
                if !std::mem::replace(&mut dials.shut_down, true) {
                    self.shut_down_between().await;
                }
            }
        }
    }

    /// Waits for a lease that is between two holders, and shuts its client down; the first one if none comes.
    async fn shut_down_between(&self) {
        self.ledger.count("shut down");
        for _ in 0..600 {
            self.sim.sleep(Duration::from_micros(500)).await;
            let between = self.ledger.now().scene.between.first().copied();
            if let Some((_, client)) = between {
                return self.shut_down(client);
            }
        }
        self.shut_down(0);
    }

    /// Waits until a client renews, and stops it before it has the answers.
    async fn pause_renewing(&self) {
        for _ in 0..300 {
            self.sim.sleep(Duration::from_millis(1)).await;
            let now = self.sim.now();
            let renewed = self.ledger.now().scene.renewed.clone();
            let just = |at: &Option<Instant>| {
                at.is_some_and(|at| now.saturating_since(at) <= Duration::from_millis(1))
            };
            if let Some(client) = renewed.iter().position(just) {
                self.ledger.count("client paused while it renews");
                return self.pause(client, self.in_less_than(1_500));
            }
        }
    }

    /// Parts a group of clients from a group of nodes.
    fn part(&self) {
        self.ledger.count("partition");
        let (clients, nodes) = (self.below(1 << self.clients.len()), self.below(1 << self.nodes.len()));
        let direction = self.below(3);
        for (number, client) in
            self.clients.iter().enumerate().filter(|(number, _)| (clients >> number) & 1 == 1)
        {
            for (node, way) in client.ways.iter().enumerate().filter(|(node, _)| (nodes >> node) & 1 == 1) {
                let is_heard = match direction {
                    0 => true,
                    1 => false,
                    _ => (number + node).is_multiple_of(2),
                };
                way.set(if is_heard { Fault::drop_reply() } else { Fault::drop_request() });
            }
        }
    }

    /// A node forgets everything.
    pub(crate) fn forget(&self, node: usize) {
        self.ledger.count("memory lost");
        self.ledger.tell(&Event::Forgot { node });
        if self.below(2) == 0 {
            self.nodes[node].node.flush();
            return;
        }
        self.nodes[node].node.crash_losing_memory();
        self.clients.iter().for_each(|client| client.ways[node].break_connection());
    }

    async fn stand_still(&self, client: usize) {
        self.ledger.count("hypervisor pause");
        // Often so short that the locks are still there.
        let longest = if self.below(2) == 0 { 300 } else { 1_500 };
        let until = self.in_less_than(longest).saturating_add(Duration::from_millis(100));
        self.stop(client, until);
        // Long enough for what its own clock may still grant it.
        self.sim.sleep(until.saturating_since(self.sim.now())).await;
        self.sim.sleep(self.setting.longest_ttl + Duration::from_millis(100)).await;
        self.ledger.tell(&Event::Stood { client, until });
    }

    /// Sets a clock ahead, away from those of the others: a client that has just begun takes one that agrees with them for good.
    fn set_ahead(&self, dials: &mut Dials, node: usize, millis: i64) -> bool {
        let mut sorted = dials.ahead.clone();
        sorted.sort_unstable();
        let allowed = dials.ahead[node] >= sorted[sorted.len() / 2] && self.is_minority(dials, node);
        if allowed {
            self.turn(dials, node, 1_000 * millis);
        }
        allowed
    }

    /// Whether fewer than a quorum of clocks were set lately, this one included.
    fn is_minority(&self, dials: &Dials, node: usize) -> bool {
        let long_ago = self.sim.now().saturating_sub(Duration::from_millis(2_500));
        let lately = (0..self.nodes.len())
            .filter(|&other| other != node && dials.set[other].is_some_and(|at| at > long_ago))
            .count();
        lately + 1 < self.quorum()
    }

    fn turn(&self, dials: &mut Dials, node: usize, micros: i64) {
        self.nodes[node].node.step_clock(micros);
        dials.ahead[node] += micros;
        dials.set[node] = Some(self.sim.now());
    }
}
