//! Two changes of the node set in a row, whose first and last list have majorities without a common node. One client sees that of
//! the first list alone and is not restarted, another one that of the last list.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join};
use redlock::testing::faulty::Fault;

use super::{Dice, Plan, quiet};
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::troubles::Trouble;
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "swaps", setting, course };

/// The client that is not restarted, and the one that is first.
const OLD: usize = 0;
const NEW: usize = 1;

fn setting(dice: &Dice<'_>) -> Setting {
    let longest = 500 + 100 * dice.below(4);
    let ttl = longest * 6 / 10..longest;
    let base = Profile { usual_ttl: Duration::from_millis(longest), rounds: 1_000, ..Profile::new(ttl) };
    // It holds most of the time; the other one asks again and again.
    let old = Profile { name: Some(0), hold: (300, 2_000), ..base.clone() };
    let new = Profile { name: Some(0), wait: 20..200, hold: (20, 300), ..base.clone() };
    // It sees all nodes, and to quarantines; what it locks concerns nobody, or everybody.
    let name = Some(1).filter(|_| dice.below(4) > 0);
    let third = Profile { name, wait: 10..500, hold: (100, 1_000), ..base };
    let clients = [old, new, third].iter().flat_map(|one| dice.alike(1, one)).collect();
    let mut setting = quiet(dice, dice.one_of(&[3, 3, 5]), Duration::from_millis(longest), clients);
    setting.late = 0;
    setting.troubles = vec![(1, Trouble::Pause), (1, Trouble::Break)];
    setting.steps = dice.below(10) as usize;
    setting.spare = 1;
    setting.network = dice.one_of(&[Network::Slow, Network::Forgetful]);
    setting
}

/// What is changed, and who sees what.
struct Sides {
    changed: [usize; 2],
    /// A majority of the first list, and one of the last.
    old: Vec<usize>,
    new: Vec<usize>,
}

impl Sides {
    fn draw(world: &World) -> Self {
        let count = world.setting.nodes;
        let spare = count;
        let one = world.below(count as u64) as usize;
        let other = (one + 1 + world.below(count as u64 - 1) as usize) % count;
        let changed = match world.below(4) {
            // One is replaced, the new one last or first.
            0 => [one, spare],
            1 => [spare, one],
            // Two are removed.
            _ => [one, other],
        };
        let first = 0..count;
        // The spare node is in the last list if it is changed, and every other one if it is not.
        let last = (0..=count).filter(|node| changed.contains(node) == (*node == spare));
        let last: Vec<usize> = last.collect();
        let (mut old, mut both): (Vec<_>, Vec<_>) = first.partition(|node| !last.contains(node));
        while old.len() < count / 2 + 1 {
            old.push(both.swap_remove(world.below(both.len() as u64) as usize));
        }
        let new = last.into_iter().filter(|node| !old.contains(node)).collect();
        Self { changed, old, new }
    }
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let sides = Sides::draw(&world);
        world.see(OLD, &sides.old);
        if world.below(2) == 0 {
            // Fencing tokens get ahead of the time, on the nodes that the first one sees.
            world.see(NEW, &[]);
            let ahead = 2_000_000 + world.below(60_000_000) as i64;
            world.set_all(ahead).await;
            world.sim.sleep(world.millis(2_000)).await;
            world.set_all(-ahead).await;
        }
        world.see(NEW, &sides.new);
        let removed = sides.changed.into_iter().find(|&node| node < world.setting.nodes);
        if let Some(removed) = removed.filter(|_| world.below(2) == 0) {
            // For clients it is there all the time.
            world.sets.hide(removed);
        }
        world.sim.sleep(world.millis(1_500)).await;
        join(world.trouble(), world.change_both(sides.changed)).await;
        world.sim.sleep(4 * world.setting.longest_ttl).await;
        world.stir();
        (0..world.clients.len()).for_each(|client| world.sets.restart(client));
    })
}

impl World {
    /// The two changes, one right after the other.
    async fn change_both(self: &Arc<Self>, nodes: [usize; 2]) {
        let longest = self.setting.longest_ttl.as_millis() as u64;
        for node in nodes {
            let Some(change) = self.open_set(node).await else { return };
            (0..self.clients.len())
                .filter(|&client| client != OLD)
                .for_each(|client| self.sets.restart(client));
            self.ledger.count("client not restarted");
            // Now and then long enough for a new node to be admitted.
            self.sim.sleep(self.millis(if self.below(2) == 0 { 600 } else { 4 * longest })).await;
            self.finish_set(&change).await;
        }
    }

    /// From now on a client sees these nodes alone.
    fn see(&self, client: usize, nodes: &[usize]) {
        for (node, way) in self.clients[client].ways.iter().enumerate() {
            if nodes.contains(&node) {
                self.stir_way(way);
            } else {
                way.set(Fault::refuse());
            }
        }
    }
}
