//! Situations that a set of runs must have gone through: safeguards that were never needed are not tested.

mod handing;
mod holds;
mod leading;
mod memories;
mod requests;

use super::event::Event;
use super::record::Record;
use super::scene::Scene;
use super::{candidates, life, sets, troubles};

/// Notices situations in what happens. A run has one of each of its own.
pub(crate) trait Situation: Send {
    fn see(&mut self, scene: &Scene, event: &Event<'_>, record: &mut Record);
}

/// All who notice.
pub(crate) fn observers() -> Vec<Box<dyn Situation>> {
    vec![
        Box::<requests::Requests>::default(),
        Box::new(memories::Memories),
        Box::<holds::Holds>::default(),
        Box::<handing::Handing>::default(),
        Box::<leading::Leading>::default(),
    ]
}

/// Every situation there is, also those that are counted where they are made.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    let known: [&[&'static str]; 9] = [
        requests::SITUATIONS,
        memories::SITUATIONS,
        holds::SITUATIONS,
        handing::SITUATIONS,
        leading::SITUATIONS,
        life::SITUATIONS,
        candidates::SITUATIONS,
        sets::SITUATIONS,
        troubles::SITUATIONS,
    ];
    known.into_iter().flatten().copied()
}
