//! Courses of things that were made for a safeguard each, on virtual time.

use redlock::Protections;

use super::{Fate, Layer};
use crate::mutants::SCRIPTED;

pub(super) struct Scripted;

impl Layer for Scripted {
    fn name(&self) -> &'static str {
        "script on virtual time"
    }

    fn try_without(&self, safeguard: &'static str) -> Fate {
        let Some((_, _, play)) = SCRIPTED.iter().find(|(name, ..)| *name == safeguard) else {
            return Fate::NotThere;
        };
        let happens = Protections::without(safeguard).is_some_and(play);
        // What happens with every safeguard on shows nothing.
        if happens && !play(Protections::default()) {
            Fate::Killed("at once".to_owned())
        } else {
            Fate::Survived("its script".to_owned())
        }
    }
}
