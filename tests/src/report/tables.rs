//! Tables of what is too much for the eye in the picture: faults, losses, the longest waits.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::story::{Acquisition, Fate, Story};
use super::units::{between, count};

/// So many of the longest waits are shown.
const WAITS: usize = 30;

/// So many losses are shown.
const LOSSES: usize = 1_000;

/// All tables, folded.
pub(super) fn tables(story: &Story<'_>) -> Markup {
    html! {
        section #tables {
            h2 { "In detail" }
            (faults(story))
            (losses(story))
            (waits(story))
        }
    }
}

fn faults(story: &Story<'_>) -> Markup {
    html! {
        details {
            summary { (count(story.faults.len(), "fault", "faults")) }
            div.wide { table {
                tr { th { "at" } th { "kind" } th { "struck" } th { "what" } th { "lasted" } }
                @for fault in &story.faults {
                    tr {
                        td { (place(story, &format!("fault-{}", fault.id), fault.at, (fault.at, fault.end()))) }
                        td { (fault.kind) }
                        td { (story.target(fault.target)) }
                        td {
                            (fault.detail)
                            @if let Some(why) = fault.failed { " " span.failed { "✖ failed: " (why) } }
                        }
                        td { @if fault.healed.is_some() { (between(fault.at, fault.end())) } @else { "a moment" } }
                    }
                }
            } }
        }
    }
}

fn losses(story: &Story<'_>) -> Markup {
    let lost: Vec<_> = story
        .acquisitions
        .iter()
        .enumerate()
        .filter_map(
            |(index, one)| {
                if let Fate::Lost(at, why) = one.fate { Some((index, one, at, why)) } else { None }
            },
        )
        .collect();
    html! {
        details {
            summary { (count(lost.len(), "lock lost", "locks lost")) }
            div.wide { table {
                tr { th { "told at" } th { "client" } th { "lock" } th { "fencing token" } th { "validity ended" } th { "why" } }
                @for &(index, one, at, why) in lost.iter().take(LOSSES) {
                    tr {
                        td { (place(story, &format!("a{index}"), at, (one.begin, one.drawn_to()))) }
                        td { (one.client) } td { (story.name(one)) } td { (token(one)) }
                        td {
                            @if at <= one.valid_until { (between(at, one.valid_until)) " later" }
                            @else { (between(one.valid_until, at)) " before" }
                        }
                        td { (why) }
                    }
                }
            } }
            @if lost.len() > LOSSES { p.hint { "The first " (LOSSES) " of them." } }
        }
    }
}

fn waits(story: &Story<'_>) -> Markup {
    let length = |one: &Acquisition<'_>| one.wait().map_or(0, |(from, to)| to.saturating_sub(from));
    let mut longest: Vec<_> =
        story.acquisitions.iter().enumerate().filter(|(_, one)| one.wants.is_some()).collect();
    longest.sort_by_key(|(_, one)| Reverse(length(one)));
    longest.truncate(WAITS);
    html! {
        details {
            summary { "The longest waits" }
            div.wide { table {
                tr { th { "since" } th { "client" } th { "lock" } th { "waited" } th { "until" } }
                @for (index, one) in longest {
                    tr {
                        td { (place(story, &format!("a{index}"), one.begin, (one.begin, one.drawn_to()))) }
                        td { (one.client) } td { (story.name(one)) }
                        td { (between(0, length(one))) }
                        td {
                            @match one.fate {
                                Fate::GaveUp(why) => { "it gave up: " (why) }
                                _ if one.acquired.is_some() => { "it acquired, with fencing token " (token(one)) }
                                _ if one.died() => "its process ended",
                                _ => "the end of the run",
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// The way to a place in the timeline; the script shows that much of it.
fn place(story: &Story<'_>, id: &str, at: u64, (from, to): (u64, u64)) -> Markup {
    let scale = story.scale;
    html! {
        a.place href={ "#" (id) } data-from=(scale.x(from)) data-to=(scale.x(to)) { (scale.moment(at)) }
    }
}

fn token(one: &Acquisition<'_>) -> String {
    one.token.map_or_else(|| "none".to_owned(), |token| token.to_string())
}
