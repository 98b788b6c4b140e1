//! Locks of a minute, so that what is left behind shows.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Profile, Setting};
use crate::simulation::troubles::Trouble;

pub(super) const PLAN: Plan = Plan { name: "leftovers", setting, course: troubles };

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile { wait: 10..1_500, hold: (300, 1_500), ..Profile::new(60_000..60_001) };
    let clients = dice.differing(4, &base);
    let mut setting = quiet(dice, dice.one_of(&[1, 3, 4, 5, 5]), Duration::from_secs(60), clients);
    setting.nodes_keep = true;
    // Backoffs, timeouts and requests that hung: until all of it is settled.
    setting.recovery = Duration::from_secs(20);
    setting.troubles = vec![
        (1, Trouble::Pause),
        (1, Trouble::Hang),
        (3, Trouble::Break),
        (1, Trouble::Partition),
        (1, Trouble::Outage),
        (2, Trouble::Mend),
    ];
    setting
}
