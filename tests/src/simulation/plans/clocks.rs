//! Clocks of nodes are set and slew, machines of clients stand still; now and then a node loses its memory.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Profile, Setting};
use crate::simulation::troubles::Trouble;

pub(super) const PLAN: Plan = Plan { name: "clocks", setting, course: troubles };

fn setting(dice: &Dice<'_>) -> Setting {
    // All alike: a client that sets more aside for drift than another would trust clocks too long for that one's locks.
    let clients = dice.alike(4, &Profile::new(500..1_000));
    let mut setting = quiet(dice, 5, Duration::from_secs(1), clients);
    setting.init = dice.below(3) > 0;
    setting.may_crash = true;
    setting.troubles = vec![
        (3, Trouble::Pause),
        (3, Trouble::Hang),
        (5, Trouble::Mend),
        (4, Trouble::Break),
        (3, Trouble::ForgetOne),
        (3, Trouble::StandStill),
        (2, Trouble::SetAhead),
        (1, Trouble::SetBack),
        (1, Trouble::Slew),
        (1, Trouble::SetMost),
    ];
    setting
}
