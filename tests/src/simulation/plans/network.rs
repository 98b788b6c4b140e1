//! Short locks on nodes that keep what they have, over a network that fails in every way; clients stop and die.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Profile, Setting};
use crate::simulation::troubles::Trouble;

pub(super) const PLAN: Plan = Plan { name: "network", setting, course: troubles };

fn setting(dice: &Dice<'_>) -> Setting {
    let clients = dice.differing(4, &Profile::new(60..1_000));
    let mut setting = quiet(dice, dice.one_of(&[1, 2, 3, 4, 5]), Duration::from_secs(2), clients);
    setting.nodes_keep = true;
    setting.may_crash = true;
    setting.troubles = vec![
        (3, Trouble::Pause),
        (3, Trouble::PauseRenewing),
        (1, Trouble::Hang),
        (3, Trouble::Break),
        (2, Trouble::Partition),
        (1, Trouble::Outage),
        (3, Trouble::Mend),
    ];
    setting
}
