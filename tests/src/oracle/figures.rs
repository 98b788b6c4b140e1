//! What happened, in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::story::{Added, Sets, Story};
use super::{Figures, Percentiles, Terms, Updates};
use crate::history::{ELECTION, Write};

pub(super) fn figures(story: &Story<'_>) -> Figures {
    let added = || story.holds.iter().flat_map(|hold| &hold.added);
    Figures {
        acquired: story.holds.len(),
        given_up: story.given_up,
        lost: count(story.holds.iter().filter_map(|hold| hold.lost.map(|loss| loss.why))),
        faults: count(story.faults.iter().map(|fault| fault.kind)),
        faults_failed: story.faults_failed,
        waits: percentiles(story.holds.iter().map(|hold| between(hold.wanted_at, hold.acquired_at))),
        holds: percentiles(story.holds.iter().map(|hold| between(hold.acquired_at, hold.certain_until))),
        fenced: updates(story, added(), |added| added.fenced, |sets, added| sets.miss_fenced(added)),
        unfenced: updates(story, added(), |added| added.unfenced, |sets, added| sets.miss_unfenced(added)),
        recovery: recovery(story),
        terms: terms(story),
    }
}

fn terms(story: &Story<'_>) -> Option<Terms> {
    let names = story.by_name();
    let terms = names.get(ELECTION)?;
    let clients: BTreeSet<usize> = terms.iter().map(|term| term.client).collect();
    let lasted = terms.iter().map(|term| between(term.acquired_at, term.certain_until));
    let pairs = terms.iter().zip(terms.iter().skip(1));
    Some(Terms {
        count: terms.len(),
        clients: clients.len(),
        lost: terms.iter().filter(|term| term.lost.is_some()).count(),
        lasted: percentiles(lasted),
        between: percentiles(pairs.map(|(one, next)| between(one.certain_until, next.acquired_at))),
    })
}

fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

/// How often each occurs.
fn count<'a>(what: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in what {
        *counts.entry(one).or_default() += 1;
    }
    counts.into_iter().map(|(one, count)| (one.to_owned(), count)).collect()
}

/// By the nearest rank.
fn percentiles(durations: impl Iterator<Item = Duration>) -> Percentiles {
    let mut sorted: Vec<Duration> = durations.collect();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    Percentiles { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
}

fn updates<'a>(
    story: &Story<'_>,
    added: impl Iterator<Item = &'a Added<'a>>,
    write: fn(&Added<'_>) -> Write,
    miss: fn(&Sets<'_>, &Added<'_>) -> bool,
) -> Updates {
    let mut updates = Updates::default();
    for added in added {
        match write(added) {
            Write::Done => updates.done += 1,
            Write::Refused => updates.refused += 1,
            Write::NotTried => {}
        }
        // Before the run has ended nothing is known to be lost.
        updates.lost += usize::from(story.sets.as_ref().is_some_and(|sets| miss(sets, added)));
    }
    updates
}

/// From the last fault's end until every client had acquired.
fn recovery(story: &Story<'_>) -> Option<Duration> {
    let end = story.faults.iter().map(|fault| fault.healed_at.unwrap_or(fault.at)).max()?;
    let first_after = |acquired: &[(&str, u64)]| acquired.iter().map(|(_, at)| *at).find(|at| *at >= end);
    let mut last = end;
    for process in story.last_processes() {
        last = last.max(first_after(&process.acquired)?);
    }
    Some(Duration::from_nanos(last - end))
}
