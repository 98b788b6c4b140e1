//! Real servers: the named scenario that shows it, and how long that takes.

use std::path::PathBuf;

use redlock::Protections;

use super::{Fate, Layer};
use crate::scenarios;

/// On a machine that is busy a client may be too late for what it is to do.
const TRIES: usize = 3;

pub(super) struct Servers {
    /// The chaos command.
    pub(super) program: PathBuf,
}

impl Layer for Servers {
    fn name(&self) -> &'static str {
        "real servers"
    }

    fn try_without(&self, safeguard: &'static str) -> Fate {
        let Some(without) = Protections::without(safeguard) else { return Fate::NotThere };
        let mut tried = Vec::new();
        for scenario in scenarios::killed_by(safeguard) {
            for _ in 0..TRIES {
                match scenario.play("process", &self.program, without) {
                    Ok(outcome) if !outcome.finding.is_good() => {
                        let seconds = outcome.took.as_secs_f64();
                        return Fate::Killed(format!("in {seconds:.1} s (`{}`)", scenario.name));
                    }
                    Ok(_) => tried.push(format!("`{}`", scenario.name)),
                    Err(error) => tried.push(format!("`{}` ({error})", scenario.name)),
                }
            }
        }
        if tried.is_empty() { Fate::NotThere } else { Fate::Survived(tried.join(", ")) }
    }
}
