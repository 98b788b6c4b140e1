//! Several tasks of each client want the same few names, so that leases go from hand to hand; nodes keep what they have.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::troubles::Trouble;

pub(super) const PLAN: Plan = Plan { name: "lines", setting, course: troubles };

fn setting(dice: &Dice<'_>) -> Setting {
    // Short locks that end between two holders, or long ones, so that what is left behind shows.
    let (ttl, longest) = dice.one_of(&[(60, 1_000), (60, 1_000), (60_000, 60_001)]);
    let base = Profile { wait: 100..4_000, hold: (10, 300), rounds: 10, ..Profile::new(ttl..longest) };
    let mut clients = dice.differing(3, &base);
    for (client, tasks) in clients.iter_mut().zip([5, 3, 1]) {
        client.tasks = tasks;
        client.retries = None;
        client.handoff = dice.one_of(&[0, 1, 3, 64, 256]);
    }
    let mut setting =
        quiet(dice, dice.one_of(&[1, 3, 3, 5]), Duration::from_millis(longest.max(2_000)), clients);
    setting.network = dice.one_of(&[Network::Slow, Network::Forgetful, Network::Bad]);
    setting.nodes_keep = true;
    setting.recovery = Duration::from_secs(20);
    setting.troubles = vec![
        (3, Trouble::Pause),
        (3, Trouble::PauseRenewing),
        (1, Trouble::Hang),
        (2, Trouble::Break),
        (1, Trouble::Partition),
        (1, Trouble::Outage),
        (4, Trouble::Mend),
        (1, Trouble::ShutDown),
    ];
    setting
}
