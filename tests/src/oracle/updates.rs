//! A resource that checks fencing tokens loses no update: whatever it accepted is there in the end.
//!
//! That the resource which checks nothing loses some is what fencing tokens are for, and no violation.

use super::story::{Added, Hold, Story};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let Some(sets) = &story.sets else { return Vec::new() };
    let updates = story.holds.iter().flat_map(|hold| hold.added.iter().map(move |added| (hold, added)));
    let lost = updates.filter(|(_, added)| sets.miss_fenced(added));
    lost.map(|(hold, added)| violation(hold, added)).collect()
}

fn violation(hold: &Hold<'_>, added: &Added<'_>) -> Violation {
    let token =
        hold.token.map_or_else(|| "without a token".to_owned(), |token| format!("under token {token}"));
    Violation {
        rule: Rule::FencedUpdates,
        detail: format!(
            "the update {} of client {} {token} of {} was accepted, and is lost",
            added.element, hold.client, hold.name
        ),
        span: (added.at, added.at),
        holds: vec![(hold.client, hold.id)],
    }
}
