//! Nodes lose their memory one after the other, each when the one before is in order again: a lock that is renewed outlives all
//! of it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Dice, Plan, quiet};
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "erosion", setting, course };

const TTL: u64 = 600;

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile { wait: 10..200, rounds: 0, ..Profile::new(TTL..TTL + 1) };
    let clients = dice.alike(2, &base);
    let mut setting = quiet(dice, dice.one_of(&[3, 5]), Duration::from_millis(TTL), clients);
    setting.late = 0;
    setting.network = Network::Forgetful;
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let Some(guard) = world.take(0, 0).await else {
            return world.ledger.violate("erosion", "a free lock was not acquired".to_owned());
        };
        let mut nodes: Vec<usize> = (0..world.nodes.len()).collect();
        for left in (1..=nodes.len() as u64).rev() {
            let node = nodes.swap_remove(world.below(left) as usize);
            world.forget(node);
            world.all_admitted().await;
            // Renewed since, twice at least.
            world.sim.sleep(Duration::from_millis(TTL) + world.millis(TTL)).await;
            if !guard.is_valid() {
                let what =
                    format!("a lock that was renewed is {:?}, and nodes forgot one by one", guard.state());
                world.ledger.violate("erosion", what);
                break;
            }
            // Others ask, in vain.
            drop(world.take(1, 0).await);
        }
        world.give_back(0, guard).await;
    })
}
