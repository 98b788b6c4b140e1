//! No two clients hold the same name at a time, and none gets what is promised to another.
//!
//! A hold lasts from `Acquired` to
//! * the last `Holds` if it was released, or lost for another reason than expiry: what came after it is not certain. Above
//!   all, a client hears of such a loss a moment after the nodes have let others in;
//! * a [`LEAD`] before its validity's end if that is how it was lost: the library releases nothing earlier. The client may have
//!   been stopped all the while;
//! * a [`LEAD`] before the last validity that was written down if its process was killed before it had come to an end. Renewals only
//!   move the end on, so that what was written is never too late;
//! * the last `Holds` if its end is not known yet: a loss may have to be written down still.
//!
//! Every hold begins at a time when it was held for certain. So if one begins before an earlier one has ended, both were held then, or
//! the later one was let in although the earlier one's validity had not ended.
//!
//! What is left: a process that is killed between hearing of a loss other than expiry and writing that down, which takes
//! one thread waking another, looks like one that was killed while it held the lock.

use super::story::{Hold, LEAD, Story, duration, holder};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, holds) in story.by_name() {
        // Of those before, the one that lasts longest.
        let mut latest: Option<Lasting<'_, '_>> = None;
        for hold in holds.into_iter().map(|hold| Lasting { hold, end: end(story, hold) }) {
            if let Some(earlier) = latest.filter(|earlier| hold.hold.acquired_at < earlier.end) {
                violations.push(violation(name, earlier, hold));
            }
            latest = latest.filter(|latest| latest.end >= hold.end).or(Some(hold));
        }
    }
    violations.sort_by_key(|violation| violation.span);
    violations
}

/// A hold, and when it ends: nobody else may have the lock before.
#[derive(Clone, Copy)]
struct Lasting<'a, 'h> {
    hold: &'a Hold<'h>,
    end: u64,
}

fn end(story: &Story<'_>, hold: &Hold<'_>) -> u64 {
    let lead = u64::try_from(LEAD.as_nanos()).unwrap_or(u64::MAX);
    let promised = match (hold.lost, hold.released_at) {
        (Some(loss), _) if loss.is_expiry() => loss.valid_until,
        (None, None) if story.processes[hold.process].is_replaced => hold.valid_until,
        _ => 0,
    };
    hold.certain_until.max(promised.saturating_sub(lead))
}

fn violation(name: &str, earlier: Lasting<'_, '_>, later: Lasting<'_, '_>) -> Violation {
    let (first, second) = (earlier.hold, later.hold);
    let from = second.acquired_at;
    let detail = if from < first.certain_until {
        let both = match first.certain_until.min(second.certain_until) {
            until if until > from => format!(", and both held it for {} at least", duration(from, until)),
            _ => String::new(),
        };
        let (first, second) = (holder(first), holder(second));
        format!("two holders of {name}: {second} acquired it while {first} held it{both}")
    } else {
        let early = duration(from, earlier.end);
        let (first, second) = (holder(first), holder(second));
        format!("two holders of {name}: {second} acquired it {early} before the validity of {first} ended")
    };
    Violation {
        rule: Rule::MutualExclusion,
        detail,
        span: (from, earlier.end.min(later.end)),
        holds: vec![(first.client, first.id), (second.client, second.id)],
    }
}
