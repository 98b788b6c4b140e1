//! What becomes of nodes that forget, or whose clocks are set.

use redlock::node::Mark;
use redlock::testing::faulty::Op;

use super::Situation;
use crate::simulation::event::Event;
use crate::simulation::record::Record;
use crate::simulation::scene::Scene;

pub(super) const SITUATIONS: &[&str] =
    &["restore", "admission with a floor from others", "clock moved", "floor raised"];

pub(super) struct Memories;

impl Situation for Memories {
    fn see(&mut self, _scene: &Scene, event: &Event<'_>, record: &mut Record) {
        match event {
            Event::Ran(ran) if ran.op == Op::Extend && ran.granted() && !ran.before.held => {
                record.count("restore")
            }
            Event::Marked { mark, was_admitted, is_admitted, .. } => match mark {
                // Nobody else marks a node that is in good order.
                Mark::Quarantine { .. } if *was_admitted => record.count("clock moved"),
                Mark::Admit { .. } if *is_admitted && !was_admitted => {
                    record.count("admission with a floor from others");
                }
                Mark::Raise { .. } if *is_admitted => record.count("floor raised"),
                _ => {}
            },
            _ => {}
        }
    }
}
