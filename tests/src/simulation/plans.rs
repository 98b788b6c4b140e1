//! What runs are about, one subject a file.

mod clocks;
mod deletions;
mod elections;
mod erosion;
mod heirlooms;
mod leftovers;
mod lines;
mod memories;
mod network;
mod rates;
mod setback;
mod sets;
mod swaps;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use redlock::testing::virtual_env::VirtualEnv;

use super::setting::{Network, Profile, Setting};
use super::world::World;

/// What a run is about: the world that it draws, and the course of it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// Draws the world that the run begins with.
    pub(crate) setting: fn(&Dice<'_>) -> Setting,
    /// What goes wrong while the clients live.
    pub(crate) course: fn(Arc<World>) -> BoxFuture<'static, ()>,
}

/// All of them. The seed's remainder says which one a run has.
pub(crate) const ALL: [&Plan; 13] = [
    &leftovers::PLAN,
    &memories::PLAN,
    &clocks::PLAN,
    &network::PLAN,
    &rates::PLAN,
    &erosion::PLAN,
    &deletions::PLAN,
    &setback::PLAN,
    &lines::PLAN,
    &heirlooms::PLAN,
    &elections::PLAN,
    &sets::PLAN,
    &swaps::PLAN,
];

/// The plan of a seed.
pub(crate) fn of(seed: u64) -> &'static Plan {
    ALL[(seed % ALL.len() as u64) as usize]
}

/// The course of most plans: troubles, as the setting lists them.
fn troubles(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move { world.trouble().await })
}

/// The randomness of a run.
pub(crate) struct Dice<'a>(pub(crate) &'a VirtualEnv);

impl Dice<'_> {
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.random() % bound
    }

    fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn coin(&self) -> bool {
        self.below(2) == 0
    }

    /// A rate error of at most so many parts per million.
    fn rate(&self, most: u64) -> i32 {
        self.below(2 * most + 1) as i32 - most as i32
    }

    /// Configurations that differ in everything in which those of clients may.
    fn differing(&self, count: usize, base: &Profile) -> Vec<Profile> {
        let profile = |_| Profile {
            rate_ppm: self.rate(4_500),
            drift_factor: self.one_of(&[0.01, 0.01, 0.02, 0.05]),
            node_timeout: self.one_of(&[None, None, Some(20), Some(200)]).map(Duration::from_millis),
            acquire_interval: Duration::from_millis(self.one_of(&[5, 20, 20, 100])),
            retries: self.one_of(&[None, None, None, Some(0), Some(3)]),
            renew_limit: self.one_of(&[None, None, None, Some(1_000)]).map(Duration::from_millis),
            ..base.clone()
        };
        (0..count).map(profile).collect()
    }

    /// The same configuration for all, with clocks of their own.
    fn alike(&self, count: usize, base: &Profile) -> Vec<Profile> {
        (0..count).map(|_| Profile { rate_ppm: self.rate(4_500), ..base.clone() }).collect()
    }
}

/// A world without troubles, from which plans depart.
fn quiet(dice: &Dice<'_>, nodes: usize, longest_ttl: Duration, clients: Vec<Profile>) -> Setting {
    Setting {
        nodes,
        spare: 0,
        names: 2,
        longest_ttl,
        init: true,
        nodes_keep: false,
        tells: dice.coin(),
        node_rates: Vec::new(),
        clients,
        late: 1,
        network: Network::Bad,
        may_crash: false,
        troubles: Vec::new(),
        steps: 30,
        recovery: Duration::from_secs(10),
    }
}
