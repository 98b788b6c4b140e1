//! A later holder has a greater fencing token.
//!
//! The order is that of `Acquired`. Where no two holds overlap, it is the order in which the lock was acquired: had the later
//! one been acquired first, it would have been held from then on until its event, and so while the other one was held. Holds
//! without a token (fencing is off) are passed over.

use super::story::{Hold, Story, holder};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, holds) in story.by_name() {
        let mut highest: Option<&Hold<'_>> = None;
        for hold in holds.into_iter().filter(|hold| hold.token.is_some()) {
            if let Some(earlier) = highest.filter(|highest| hold.token <= highest.token) {
                violations.push(Violation {
                    rule: Rule::TokenOrder,
                    detail: format!("{name} was held by {} after {}", holder(hold), holder(earlier)),
                    span: (hold.acquired_at, hold.acquired_at),
                    holds: vec![(earlier.client, earlier.id), (hold.client, hold.id)],
                });
            } else {
                highest = Some(hold);
            }
        }
    }
    violations.sort_by_key(|violation| violation.span);
    violations
}
