//! After the faults every client gets every lock, and ends.
//!
//! Judged only where the run says that there are no faults any more. The locks are all that anybody has wanted.

use super::story::{Process, Story};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let Some(calm) = story.calm else { return Vec::new() };
    let mut violations = Vec::new();
    for process in story.last_processes() {
        for name in &story.names {
            if !process.acquired.iter().any(|(acquired, at)| acquired == name && *at >= calm) {
                let why = process.given_up.get(name).map_or(String::new(), |why| format!(": {why}"));
                violations.push(violation(process, calm, &format!("did not acquire {name}{why}")));
            }
        }
        if process.ended_at.is_none() {
            violations.push(violation(process, calm, "did not end"));
        }
    }
    violations
}

fn violation(process: &Process<'_>, calm: u64, what: &str) -> Violation {
    Violation {
        rule: Rule::Liveness,
        detail: format!("client {} {what} although there were no faults any more", process.client),
        span: (calm, process.ended_at.unwrap_or(calm).max(calm)),
        holds: Vec::new(),
    }
}
