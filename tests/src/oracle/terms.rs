//! A leader's work has ended before its term has, and before the next leader begins.
//!
//! That terms do not overlap and that epochs rise is what the rules for locks say of the election's name. This one is about the work:
//! whether it was told to stop, waited for, and dropped where it did not listen. A process that did not get the CPU does what it was about
//! to do when it gets it again, as everywhere; [`Story::could_run_at`] and [`ALLOWANCE`] are all that is granted.

use super::story::{ALLOWANCE, Hold, Story, duration, holder};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for terms in story.by_name().into_values() {
        for (at, term) in terms.iter().enumerate() {
            let Some(worked_at) = term.worked_at else { continue };
            let valid_until =
                term.lost.map_or(term.valid_until, |loss| loss.valid_until.max(term.valid_until));
            let next = terms.get(at + 1).filter(|next| next.acquired_at <= valid_until);
            let due = next.map_or(valid_until, |next| next.acquired_at);
            let could = story.could_run_at(term.client, due, worked_at);
            if worked_at > could.saturating_add(ALLOWANCE) {
                violations.push(violation(term, next.copied(), due, worked_at));
            }
        }
    }
    violations
}

fn violation(term: &Hold<'_>, next: Option<&Hold<'_>>, due: u64, worked_at: u64) -> Violation {
    let late = duration(due, worked_at);
    let detail = match next {
        Some(next) => format!("{} worked for {late} beside the next leader, {}", holder(term), holder(next)),
        None => format!("{} worked for {late} beyond the end of its term", holder(term)),
    };
    let holds = [Some(term), next].into_iter().flatten().map(|hold| (hold.client, hold.id)).collect();
    Violation { rule: Rule::WorkInTerm, detail, span: (due, worked_at), holds }
}
