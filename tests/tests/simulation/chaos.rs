//! What goes wrong besides single messages.

use std::time::Duration;

use redlock::Instant;

use crate::world::{NODES, Plan, QUORUM, World};

/// What has been done to the clocks of nodes.
#[derive(Default)]
pub(crate) struct Dials {
    /// How far each is ahead, in microseconds.
    ahead: [i64; NODES],
    set: [Option<Instant>; NODES],
}

impl World {
    /// Until the clients have had enough of it.
    pub(crate) async fn chaos(&self) {
        let mut dials = Dials::default();
        for _ in 0..40 {
            self.sim.sleep(self.millis(250)).await;
            let client = self.below(self.clients.len() as u64) as usize;
            let node = self.below(NODES as u64) as usize;
            match self.below(8) {
                0 => self.clients[client].env.pause_until(self.in_less_than(1_500)),
                1 => self.clients.iter().for_each(|client| client.ways[node].hang()),
                2 | 3 => self.clients.iter().flat_map(|client| &client.ways).for_each(|way| way.resume()),
                4 => self.clients[client].ways[node].break_connection(),
                _ => match self.plan {
                    Plan::Leftovers => self.clients[client].ways[node].break_connection(),
                    Plan::Memories => self.lose_memory(node, 0),
                    Plan::Clocks => self.confuse(&mut dials, client, node).await,
                },
            }
        }
    }

    fn in_less_than(&self, millis: u64) -> Instant {
        self.sim.now().saturating_add(self.millis(millis))
    }

    /// A node forgets everything, if so many others are in order.
    fn lose_memory(&self, node: usize, others: usize) {
        let in_order = |other: &usize| *other != node && self.nodes[*other].is_admitted();
        if (0..NODES).filter(in_order).count() < others {
            return;
        }
        self.ledger.lost.lock().unwrap()[node] = Some(self.sim.now());
        if self.below(2) == 0 {
            self.nodes[node].node.flush();
            return;
        }
        self.nodes[node].node.crash_losing_memory();
        self.clients.iter().for_each(|client| client.ways[node].break_connection());
    }

    async fn confuse(&self, dials: &mut Dials, client: usize, node: usize) {
        match self.below(12) {
            0..=2 => self.lose_memory(node, QUORUM),
            3..=5 => {
                // Often so short that the locks are still there.
                let longest = if self.below(2) == 0 { 300 } else { 1_500 };
                let until = self.in_less_than(longest).saturating_add(Duration::from_millis(100));
                self.stop_client(client, until);
                // Long enough for what its own clock may still grant it.
                self.sim.sleep(until.saturating_since(self.sim.now())).await;
                self.sim.sleep(Duration::from_millis(1_100)).await;
                self.must_have_given_up(client, until);
            }
            6 | 7 => {
                let millis = 50 + self.below(60_000) as i64;
                self.set_ahead(dials, node, millis);
            }
            8 => self.turn(dials, node, -1_000 * (50 + self.below(4_000) as i64)),
            9 => {
                // As fast as chrony may: for half a second.
                let step = 1 + self.below(3) as i64;
                for _ in 0..25 {
                    if !self.set_ahead(dials, node, step) {
                        return;
                    }
                    self.sim.sleep(Duration::from_millis(20)).await;
                }
            }
            10 => {
                let millis = 100 + self.below(3_000) as i64;
                self.excuse();
                let first = self.below(NODES as u64) as usize;
                (0..QUORUM).for_each(|next| self.turn(dials, (first + next) % NODES, 1_000 * millis));
                // So that what a minority does next is not taken for a part of it.
                self.sim.sleep(Duration::from_millis(1_500)).await;
            }
            _ => self.clients[client].ways[node].break_connection(),
        }
    }

    /// Sets a clock ahead, away from those of the others: a client that has just begun takes one that agrees with them for good.
    fn set_ahead(&self, dials: &mut Dials, node: usize, millis: i64) -> bool {
        let mut sorted = dials.ahead;
        sorted.sort_unstable();
        let allowed = dials.ahead[node] >= sorted[NODES / 2] && self.is_minority(dials, node);
        if allowed {
            self.turn(dials, node, 1_000 * millis);
        }
        allowed
    }

    /// Whether fewer than a quorum of clocks were set lately, this one included.
    fn is_minority(&self, dials: &Dials, node: usize) -> bool {
        let long_ago = self.sim.now().saturating_sub(Duration::from_millis(2_500));
        let lately = (0..NODES)
            .filter(|&other| other != node && dials.set[other].is_some_and(|at| at > long_ago))
            .count();
        lately + 1 < QUORUM
    }

    fn turn(&self, dials: &mut Dials, node: usize, micros: i64) {
        self.nodes[node].node.step_clock(micros);
        dials.ahead[node] += micros;
        dials.set[node] = Some(self.sim.now());
    }
}
