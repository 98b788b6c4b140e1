//! The model: how many states it takes.

use super::{Fate, Layer};
use crate::model;

pub(super) struct Model;

impl Layer for Model {
    fn name(&self) -> &'static str {
        "model"
    }

    fn try_without(&self, safeguard: &'static str) -> Fate {
        let Some(switch) = model::SWITCHES.iter().find(|switch| switch.name == safeguard) else {
            return Fate::NotThere;
        };
        let Some(&bound) = model::BOUNDS.iter().find(|bound| bound.name == switch.bound) else {
            return Fate::NotThere;
        };
        match model::check(bound, Some(safeguard)) {
            Ok(report) if switch.harm.is_shown_by(&report) => {
                Fate::Killed(format!("after {} states ({})", report.states, bound.name))
            }
            Ok(report) => Fate::Survived(format!("{} states ({})", report.states, bound.name)),
            Err(_) => Fate::NotThere,
        }
    }
}
