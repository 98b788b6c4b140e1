//! All clocks were ahead for a while, and fencing counters with them; then they are set right, and nodes forget one by one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Dice, Plan, quiet};
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "setback", setting, course };

const TTL: u64 = 500;

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile { wait: 2_000..3_000, rounds: 0, ..Profile::new(TTL..TTL + 1) };
    let clients = dice.alike(2, &base);
    let mut setting = quiet(dice, dice.one_of(&[3, 5]), Duration::from_millis(TTL), clients);
    setting.names = 3;
    setting.late = 0;
    setting.network = Network::Forgetful;
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let ahead = 2_000_000 + world.below(60_000_000) as i64;
        world.set_all(ahead).await;
        world.hold_each().await;
        world.set_all(-ahead).await;
        if world.below(2) == 0 {
            world.hold_each().await;
        }
        let first = world.any_node();
        for next in 0..world.quorum() {
            world.forget((first + next) % world.nodes.len());
            world.all_admitted().await;
        }
        world.hold_each().await;
    })
}

impl World {
    /// Sets all clocks at once, and waits until everybody has coped with it.
    pub(super) async fn set_all(&self, micros: i64) {
        self.ledger.count("a quorum of clocks set");
        self.ledger.now().scene.excuse();
        self.nodes.iter().for_each(|node| node.node.step_clock(micros));
        self.sim.sleep(5 * self.setting.longest_ttl).await;
        self.ledger.now().scene.excuse();
    }

    /// Every name is held for a moment.
    async fn hold_each(self: &Arc<Self>) {
        for name in 0..self.names.len() {
            let client = self.any_client();
            if let Some(guard) = self.take(client, name).await {
                self.give_back(client, guard).await;
            }
        }
    }
}
