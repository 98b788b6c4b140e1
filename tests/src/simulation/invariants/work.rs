//! The work of a leader ends before its leadership does, and before the next one's begins.

use std::collections::BTreeMap;

use redlock::{Instant, LeadershipState};

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::office::Office;
use crate::simulation::scene::Scene;

/// When leaderships were found to be over while their work went on.
#[derive(Default)]
pub(super) struct Work {
    over: BTreeMap<usize, Instant>,
}

/// A process that got no CPU then drops its work when it goes on, and not before; in the meantime it does not work.
fn had_cpu(scene: &Scene, office: &Office) -> bool {
    scene.now > scene.paused[office.client] && !scene.crashed[office.client]
}

impl Invariant for Work {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let working = scene.offices.iter().enumerate().filter(|(_, office)| office.works);
        for (number, office) in working.filter(|(_, office)| had_cpu(scene, office)) {
            let client = office.client;
            match office.term.state() {
                LeadershipState::Resigned => {
                    return Err(format!("client {client} has resigned, and its work goes on"));
                }
                LeadershipState::Lost(_) if office.is_past() => {
                    return Err(format!("client {client} works on when its validity has ended"));
                }
                LeadershipState::Lost(reason) => {
                    // Whoever hears of it does so in the same moment.
                    let since = *self.over.entry(number).or_insert(scene.now);
                    if since < scene.now {
                        return Err(format!("client {client} works on after its loss: {reason}"));
                    }
                }
                _ => {}
            }
            if matches!(event, Event::Led { office } if *office != number) {
                return Err(format!("client {client} works on beside the next leader"));
            }
        }
        Ok(())
    }
}
