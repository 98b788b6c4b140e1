//! A holder is told of its loss before the validity ends.
//!
//! The time of the event is when the thread that waited for it ran. It can run late for two reasons that are no fault of the
//! library: the whole process did not get the CPU (it noted that as `Starved`, or the run noted that it stopped it), or that one
//! thread was not its turn yet. For the first, the time counts from when the process ran again; for the second,
//! [`ALLOWANCE`] is granted, which also covers starvation too short to be noted.

use std::time::Duration;

use super::story::{Hold, LEAD, Loss, Story, duration, holder};
use super::{Rule, Violation};
use crate::fault::FaultKind;
use crate::history::Target;

/// How late one thread of a process may run that gets the CPU otherwise.
const ALLOWANCE: Duration = Duration::from_millis(100);

pub(super) fn violations(story: &Story<'_>) -> Vec<Violation> {
    let late = story.holds.iter().filter_map(|hold| {
        let loss = hold.lost?;
        let allowed = nanos(ALLOWANCE).saturating_add(could_run_at(story, hold.client, &loss));
        (loss.at > allowed).then(|| violation(hold, &loss))
    });
    late.collect()
}

/// When the client could have been told at the latest: at the end of the validity, or as soon as it got the CPU again after
/// that.
fn could_run_at(story: &Story<'_>, client: usize, loss: &Loss<'_>) -> u64 {
    let starved = story.starved.get(&client).into_iter().flatten().copied();
    let stopped = story
        .faults
        .iter()
        .filter(|fault| fault.kind == FaultKind::ClientPause.name() && fault.target == Target::Client(client))
        .map(|fault| (fault.at, fault.healed_at.unwrap_or(u64::MAX)));
    let due = loss.valid_until.saturating_sub(nanos(LEAD));
    // It lasted until the end of the validity, or began later but before it was told.
    let hindered = starved.chain(stopped).filter(|(from, to)| *from <= loss.at && *to >= due);
    hindered.map(|(_, to)| to).fold(loss.valid_until, u64::max)
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
