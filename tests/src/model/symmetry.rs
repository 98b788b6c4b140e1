//! Names do not matter: states that differ in which node or client is which are one state.
//!
//! The checker knows a state by its hash alone. So it is enough that states of one class hash alike, and a path still tells
//! of the very nodes and clients that it went through. A state is cut into a part for each node, which are put in order, and
//! the rest; of all orders of the clients the least hash is taken.

use std::hash::{Hash, Hasher};

use super::state::{NODES, Owner, Phase, State};

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let least = orders(self.clients.len()).iter().map(|order| self.digest(order)).min();
        least.unwrap_or(0).hash(hasher);
    }
}

impl State {
    /// A hash in which the client `order[n]` is called `n`, and nodes have no names.
    fn digest(&self, order: &[usize]) -> u64 {
        let owner = |owner: Owner| {
            let name = order.iter().position(|&client| client == usize::from(owner.client)).unwrap_or(0);
            (name, owner.draw)
        };
        let mut columns = [0; NODES];
        for (index, column) in columns.iter_mut().enumerate() {
            let mut mix = Mix::default();
            let node = &self.nodes[index];
            (node.key.map(|key| (owner(key.owner), key.expires)), node.counter, node.memory).hash(&mut mix);
            if self.operator.is_there() {
                // Which one is removed makes a difference.
                (index, node.charter).hash(&mut mix);
            }
            for &client in order {
                match &self.clients[client].phase {
                    Phase::Idle => {}
                    Phase::Asking(asking) => asking.votes[index].hash(&mut mix),
                    Phase::Holding(hold) => {
                        (hold.voted[index], hold.extending.map(|extending| extending.votes[index]))
                            .hash(&mut mix);
                    }
                }
            }
            let sum = |seed: u64, parts: &mut dyn Iterator<Item = u64>| parts.fold(seed, u64::wrapping_add);
            let mut requests = self.flying.iter().filter(|request| request.node == index);
            let mut requests =
                requests.by_ref().map(|request| Mix::of(&(owner(request.owner), request.what)));
            sum(0, &mut requests).hash(&mut mix);
            let mut settled = self.settled.iter().filter(|(_, node)| *node == index);
            let mut settled = settled.by_ref().map(|(settled, _)| Mix::of(&owner(*settled)));
            sum(0, &mut settled).hash(&mut mix);
            *column = mix.finish();
        }
        columns.sort_unstable();
        let mut mix = Mix::default();
        (columns, self.now, self.flushes, self.highest, self.broken, self.operator).hash(&mut mix);
        for &index in order {
            let client = &self.clients[index];
            (client.rounds, client.draws, client.set).hash(&mut mix);
            match &client.phase {
                Phase::Idle => 0_u8.hash(&mut mix),
                Phase::Asking(asking) => (1_u8, asking.owner.draw, asking.started, asking.top).hash(&mut mix),
                Phase::Holding(hold) => {
                    let extending = hold.extending.map(|extending| (extending.started, extending.short));
                    (2_u8, hold.owner.draw, hold.token, hold.top, hold.valid_until).hash(&mut mix);
                    (hold.extensions, extending).hash(&mut mix);
                }
            }
        }
        mix.finish()
    }
}

/// All orders of so many clients.
fn orders(clients: usize) -> &'static [&'static [usize]] {
    match clients {
        1 => &[&[0]],
        2 => &[&[0, 1], &[1, 0]],
        3 => &[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]],
        _ => unreachable!("a bound has three clients at the most"),
    }
}

/// A quick hash of 64 bits with few collisions (the finalizer of SplitMix64 after every word).
#[derive(Default)]
struct Mix(u64);

impl Mix {
    fn of(value: &impl Hash) -> u64 {
        let mut mix = Self::default();
        value.hash(&mut mix);
        mix.finish()
    }

    fn add(&mut self, word: u64) {
        let mut mixed = self.0.rotate_left(5) ^ word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = mixed ^ (mixed >> 31);
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.add(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }
}
