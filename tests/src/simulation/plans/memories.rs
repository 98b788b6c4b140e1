//! Nodes lose their memory, any number of them.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Profile, Setting};
use crate::simulation::troubles::Trouble;

pub(super) const PLAN: Plan = Plan { name: "memories", setting, course: troubles };

fn setting(dice: &Dice<'_>) -> Setting {
    // Shorter than many pauses.
    let clients = dice.differing(4, &Profile::new(100..800));
    let mut setting = quiet(dice, dice.one_of(&[1, 3, 5, 5]), Duration::from_secs(1), clients);
    setting.init = dice.below(3) > 0;
    setting.may_crash = true;
    setting.troubles = vec![
        (1, Trouble::Pause),
        (1, Trouble::Hang),
        (1, Trouble::Break),
        (1, Trouble::Partition),
        (2, Trouble::Mend),
        (3, Trouble::Forget),
    ];
    setting
}
