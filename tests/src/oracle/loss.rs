//! A holder is told of its loss before the validity ends.
//!
//! The time of the event is when the thread that waited for it ran. It can run late for two reasons that are no fault of the
//! library: the whole process did not get the CPU (it noted that as `Starved`, or the run noted that it stopped it), or that one
//! thread was not its turn yet. For the first, the time counts from when the process ran again; for the second,
//! [`ALLOWANCE`] is granted, which also covers starvation too short to be noted.

use super::story::{ALLOWANCE, Hold, LEAD, Loss, Story, duration, holder};
use super::{Rule, Violation};

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let late = story.holds.iter().filter_map(|hold| {
        let loss = hold.lost?;
        let due = loss.valid_until.saturating_sub(u64::try_from(LEAD.as_nanos()).unwrap_or(u64::MAX));
        let could = story.could_run_at(hold.client, due, loss.at).max(loss.valid_until);
        let allowed = could.saturating_add(ALLOWANCE);
        (loss.at > allowed).then(|| violation(hold, &loss))
    });
    late.collect()
}

fn violation(hold: &Hold<'_>, loss: &Loss<'_>) -> Violation {
    let late = duration(loss.valid_until, loss.at);
    Violation {
        rule: Rule::LostInTime,
        detail: format!(
            "{} was told of the loss of {} ({}) {late} after its validity had ended",
            holder(hold),
            hold.name,
            loss.why
        ),
        span: (loss.valid_until, loss.at),
        holds: vec![(hold.client, hold.id)],
    }
}
