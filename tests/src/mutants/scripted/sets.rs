//! What goes wrong when the set of nodes changes.

use redlock::testing::faulty::{Fault, Op};
use redlock::testing::virtual_env::ClientClock;
use redlock::{NodeChange, NodeSetChange, Protections};

use super::fencing::{count_at, token_of_one_hold};
use super::world::{Client, TTL, World, both_believe};

const HOUR: u64 = 3_600_000_000;

/// A change as an operator makes it who does not reach these nodes. `list`: as it is with the node that is added or removed.
fn change(world: &World, list: &[usize], number: u64, change: NodeChange, away: &[usize]) -> NodeSetChange {
    let (_, links, builder) = world.builder(ClientClock::default(), list);
    away.iter().for_each(|&node| links[node].set(Fault::refuse()));
    world.sim.block_on(builder.node_set(number).change_nodes(change)).unwrap()
}

fn remove(world: &World, list: &[usize], number: u64, away: &[usize]) -> NodeSetChange {
    change(world, list, number, NodeChange::Remove(format!("node-{}", list[0])), away)
}

/// From now on these nodes refuse to answer this client.
fn cut(client: &Client, nodes: &[usize]) {
    nodes.iter().for_each(|&node| client.links[node].set_for(Op::Acquire, Fault::refuse()));
}

/// A node is replaced that is cut off from the operator, and a client is not restarted.
pub(crate) fn held_by_clients_of_two_lists(protections: Protections) -> bool {
    let world = World::with_a_spare_node(protections);
    let old = world.client_of(&[0, 1, 2], 0);
    let first = remove(&world, &[0, 1, 2], 0, &[0]);
    world.sim.block_on(first.open()).unwrap();
    world.sim.block_on(first.finish()).unwrap();
    let second = change(&world, &[1, 2, 3], 2, NodeChange::Add("node-3".to_owned()), &[]);
    world.sim.block_on(second.open()).unwrap();
    let new = world.client_of(&[1, 2, 3], 2);
    world.sim.block_on(second.finish()).unwrap();
    world.sim.advance(TTL * 2);
    cut(&old, &[2]);
    cut(&new, &[1]);
    let news = world.take(&new).unwrap();
    let olds = world.take(&old);
    olds.is_some_and(|olds| both_believe(&olds, &news))
}

/// The first two of three nodes hold the lock, and are removed one after the other.
pub(crate) fn granted_by_those_that_are_left(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let old = world.client();
    let first = remove(&world, &[0, 1, 2], 0, &[]);
    world.sim.block_on(first.open()).unwrap();
    // Time for the client to see the new markers.
    world.sim.advance(TTL);
    cut(&old, &[2]);
    let olds = world.take(&old).unwrap();
    old.links[2].set_for(Op::Extend, Fault::refuse());
    world.sim.block_on(first.finish()).unwrap();
    let second = remove(&world, &[1, 2], 1, &[]);
    world.sim.block_on(second.open()).unwrap();
    let news = world.take(&world.client_of(&[2], 2));
    news.is_some_and(|news| both_believe(&olds, &news))
}

/// The first two of three nodes store a token an hour ahead of the time, and are removed one after the other.
pub(crate) fn token_removed_with_its_nodes(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let old = world.client();
    (0..2).for_each(|node| count_at(&world, node, 0, HOUR));
    cut(&old, &[2]);
    let earlier = token_of_one_hold(&world, &old);
    for list in [&[0, 1, 2][..], &[1, 2]] {
        let change = remove(&world, list, 3 - list.len() as u64, &[]);
        world.sim.block_on(change.open()).unwrap();
        world.sim.block_on(change.finish()).unwrap();
    }
    token_of_one_hold(&world, &world.client_of(&[2], 2)) <= earlier
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why there is a procedure: nothing on the nodes can tell a new server in a list from an old one that was restarted.
    #[test]
    fn a_list_that_is_edited_under_running_clients_lets_two_of_them_hold_one_lock() {
        let world = World::with_a_spare_node(Protections::default());
        let (old, new) = (world.client_of(&[0, 1, 2], 0), world.client_of(&[1, 2, 3], 0));
        world.sim.advance(TTL * 2);
        cut(&old, &[2]);
        cut(&new, &[1]);
        let (olds, news) = (world.take(&old).unwrap(), world.take(&new).unwrap());
        assert!(both_believe(&olds, &news));
    }
}
