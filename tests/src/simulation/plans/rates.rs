//! Clocks of clients and nodes that run as differently as is allowed, and locks that are long beside every delay: whoever waits
//! acquires at the very end.

use std::time::Duration;

use super::{Dice, Plan, quiet, troubles};
use crate::simulation::setting::{Network, Profile, Setting};

pub(super) const PLAN: Plan = Plan { name: "rates", setting, course: troubles };

/// Two such clocks differ by a little less than the drift factor.
const LIMIT: i32 = 4_900;

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile {
        usual_ttl: Duration::from_secs(5),
        // Nobody renews, so that locks run out.
        renew_limit: Some(Duration::from_millis(1)),
        wait: 20_000..60_000,
        hold: (14_000, 14_000),
        rounds: 2,
        ..Profile::new(4_000..12_000)
    };
    let mut clients = dice.alike(3, &base);
    clients.iter_mut().for_each(|client| client.rate_ppm = dice.one_of(&[-LIMIT, -LIMIT, LIMIT, 0]));
    let nodes = dice.one_of(&[1, 3, 5]);
    let mut setting = quiet(dice, nodes, Duration::from_secs(12), clients);
    setting.node_rates = (0..nodes).map(|_| dice.one_of(&[LIMIT, LIMIT, -LIMIT, 0])).collect();
    setting.nodes_keep = true;
    setting.late = 0;
    setting.names = 1;
    setting.network = Network::Forgetful;
    setting.steps = 10;
    setting.recovery = Duration::from_secs(60);
    setting
}
