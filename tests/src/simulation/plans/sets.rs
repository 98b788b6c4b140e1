//! The node set changes, one node after the other, while clients hold locks, are restarted or forgotten, and nodes fail.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join};

use super::{Dice, Plan, quiet};
use crate::simulation::setting::{Profile, Setting};
use crate::simulation::troubles::Trouble;
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "sets", setting, course };

fn setting(dice: &Dice<'_>) -> Setting {
    let longest = 400 + 100 * dice.below(5);
    let base = Profile { rounds: 12, hold: (300, 2_000), ..Profile::new(150..longest) };
    let base = Profile { usual_ttl: Duration::from_millis(longest), ..base };
    let clients = dice.alike(4, &base);
    let nodes = dice.one_of(&[3, 3, 4, 5]);
    let mut setting = quiet(dice, nodes, Duration::from_millis(longest), clients);
    setting.spare = 1;
    setting.names = 1 + dice.below(2) as usize;
    setting.troubles = vec![
        (1, Trouble::Pause),
        (1, Trouble::Hang),
        (1, Trouble::Break),
        (2, Trouble::Partition),
        (1, Trouble::Outage),
        (4, Trouble::Mend),
        (1, Trouble::ForgetOne),
    ];
    setting.steps = 60;
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let operator = Arc::clone(&world);
        let changes = async move {
            let first = operator.setting.nodes;
            operator.sim.sleep(operator.millis(1_000)).await;
            let (one, other) = (0, 1 + operator.below(first as u64 - 1) as usize);
            let nodes = match operator.below(4) {
                // One is replaced.
                0 | 1 => [one, first],
                // Two are removed.
                2 => [one, other],
                // One is added, and another removed.
                _ => [first, other],
            };
            for node in nodes {
                operator.change_set(node).await;
            }
        };
        let troubles = async {
            world.trouble().await;
            // Messages get lost still; but whoever was away for long comes back.
            world.ways().for_each(|way| way.resume());
            world.stir();
        };
        join(changes, troubles).await;
        (0..world.clients.len()).for_each(|client| world.sets.restart(client));
    })
}
