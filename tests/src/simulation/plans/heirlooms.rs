//! Nodes lose their memory one after the other while a lease goes from hand to hand: it is given back to them with all of its
//! tokens.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Dice, Plan, quiet};
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "heirlooms", setting, course };

const TTL: u64 = 500;

fn setting(dice: &Dice<'_>) -> Setting {
    // The first client holds all the time.
    let base = Profile { wait: 2_000..8_000, hold: (20, 1_500), ..Profile::new(TTL - 200..TTL) };
    let mut clients = dice.alike(2, &base);
    clients[0].tasks = 4;
    clients[0].rounds = 8;
    clients[0].handoff = dice.one_of(&[3, 10, 256]);
    clients[1].rounds = 3;
    let mut setting = quiet(dice, dice.one_of(&[3, 3, 5]), Duration::from_millis(TTL), clients);
    setting.names = 1;
    setting.late = 0;
    setting.network = Network::Forgetful;
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        for _ in 0..world.nodes.len() {
            let node = world.any_node();
            world.sim.sleep(world.millis(TTL)).await;
            world.forget(node);
            world.all_admitted().await;
        }
    })
}
