//! The timeline: a row for each lock, client and node, under one axis.
//!
//! Each row is a picture of its own, so that a row that is switched off leaves no gap. What may be stretched as the time
//! is zoomed lies in a `viewBox` of milliseconds; what must keep its shape has its place in percent. Zooming is nothing
//! but making the pictures wider.

mod clients;
mod faults;
mod lanes;
mod legend;
mod locks;
mod overlay;
mod words;

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::story::Story;
use crate::oracle::Verdict;
use words::Tokens;

/// More holds than this are drawn as one shape a row, but for those that are remarkable: a file must stay one that a
/// browser opens at once.
const DESCRIBED_HOLDS: usize = 8_000;

/// What the rows are drawn from.
struct Scene<'a, 'b> {
    story: &'b Story<'a>,
    /// The acquisitions that violations are about.
    bad: BTreeSet<usize>,
    tokens: Tokens,
    /// Every hold has its own shape and description.
    describes_all: bool,
}

impl Scene<'_, '_> {
    fn is_single(&self, index: usize) -> bool {
        let one = &self.story.acquisitions[index];
        let is_lost = matches!(one.fate, super::story::Fate::Lost(..));
        self.describes_all || self.bad.contains(&index) || is_lost || one.died() || one.refused > 0
    }
}

/// A row of the timeline.
struct Row {
    /// What it can be switched off by.
    class: &'static str,
    label: Markup,
    height: usize,
    picture: Markup,
}

/// The timeline, with its legend and its means of control.
pub(super) fn timeline(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let holds = story.acquisitions.iter().filter(|one| one.acquired.is_some()).count();
    let concerned = verdict.violations.iter().map(|one| story.concerned(&one.holds, one.span));
    let scene = Scene {
        story,
        bad: concerned.flatten().collect(),
        tokens: Tokens::of(story),
        describes_all: holds <= DESCRIBED_HOLDS,
    };
    let sections = [
        ("Locks", "who holds which, each client on its own line", locks::rows(&scene)),
        (
            "Clients",
            "what each wants and holds, and what is done to it and its ways to the nodes",
            clients::rows(&scene),
        ),
        ("Nodes", "what is done to each", faults::node_rows(&scene)),
    ];
    html! {
        section #timeline {
            h2 { "Timeline" }
            (legend::legend(&scene))
            (legend::controls(&scene))
            div.scroller tabindex="0" role="group" aria-label="Timeline" {
                div.chart data-span=(story.scale.x(story.scale.to)) {
                    (overlay::behind(story))
                    (overlay::axis(story))
                    @if !verdict.violations.is_empty() { (overlay::violations_row(story, verdict)) }
                    @for (title, about, rows) in &sections {
                        @if !rows.is_empty() {
                            div.row.head { div.label { (title) } div.about { span { (about) } } }
                            @for row in rows { (draw(row)) }
                        }
                    }
                    (overlay::axis(story))
                    (overlay::before(story, verdict))
                }
            }
            @if !scene.describes_all {
                p.hint {
                    "So many holds are drawn as one shape a row; those that were lost, refused, cut off or are part of a "
                    "violation are described one by one."
                }
            }
        }
    }
}

fn draw(row: &Row) -> Markup {
    html! {
        div.row.(row.class) {
            div.label { (row.label) }
            svg.lane height=(row.height) { (row.picture) }
        }
    }
}
