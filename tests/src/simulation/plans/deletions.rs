//! An operator deletes the keys of a lock on a majority of nodes, and others are quick to acquire it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Dice, Plan, quiet};
use crate::simulation::event::Event;
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "deletions", setting, course };

const TTL: u64 = 1_000;

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile { wait: 10..400, rounds: 0, ..Profile::new(TTL..TTL + 1) };
    let clients = dice.alike(2, &base);
    let mut setting = quiet(dice, dice.one_of(&[3, 5]), Duration::from_millis(TTL), clients);
    setting.late = 0;
    setting.network = Network::Slow;
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        for _ in 0..3 {
            let Some(guard) = world.take(0, 0).await else { continue };
            // By then it knows of every node that it has the lock there: one that never voted may be given it again.
            world.sim.sleep(Duration::from_millis(20) + world.millis(TTL)).await;
            let first = world.any_node();
            // What it holds is not its own any more, through no fault of anybody's.
            world.ledger.now().scene.excuse();
            for next in 0..world.quorum() {
                let node = (first + next) % world.nodes.len();
                let name = &world.names[0];
                world.nodes[node].node.evict(name);
                world.ledger.tell(&Event::Deleted { node, name });
            }
            let others = if world.below(2) == 0 { world.take(1, 0).await } else { None };
            if let Some(others) = others {
                world.sim.sleep(world.millis(300)).await;
                world.give_back(1, others).await;
            }
            for _ in 0..30 {
                world.sim.sleep(Duration::from_millis(TTL / 20)).await;
                world.ledger.tell(&Event::Look);
            }
            world.give_back(0, guard).await;
        }
    })
}
