//! What lies behind and before all rows: the grid, the calm at the end, and violations across everything.

use maud::{Markup, html};

use crate::oracle::Verdict;
use crate::report::story::Story;
use crate::report::violations::rule_title;

/// The grid, and the calm.
pub(super) fn behind(story: &Story<'_>) -> Markup {
    let scale = story.scale;
    html! {
        svg.behind aria-hidden="true" {
            @if let Some(calm) = story.calm {
                rect.calm x=(scale.percent(calm)) y="0" width=(scale.percent_wide(calm, scale.to)) height="100%" {}
            }
            g.grid {
                @for at in ticks(story) {
                    line x1=(scale.percent(at)) x2=(scale.percent(at)) y1="0" y2="100%" {}
                }
            }
        }
    }
}

/// The seconds since the beginning.
pub(super) fn axis(story: &Story<'_>) -> Markup {
    let scale = story.scale;
    let step = step(story);
    let digits = if step >= 1_000_000_000 { 0 } else { 10 - step.to_string().len() };
    html! {
        div.row.axis {
            div.label { "seconds" }
            svg.lane height="20" {
                g.ticks {
                    @for at in ticks(story) {
                        text x=(scale.percent(at)) dx="3" y="14" { (format!("{:.digits$}", (at - scale.from) as f64 / 1e9)) }
                    }
                }
                @if let Some(calm) = story.calm {
                    text.calm-text x=(scale.percent(calm)) dx="30" y="14" { "calm" }
                }
            }
        }
    }
}

/// A mark for each violation, which leads to what is said about it.
pub(super) fn violations_row(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let scale = story.scale;
    html! {
        div.row.violations {
            div.label { "violations" }
            svg.lane height="18" {
                @for (index, one) in verdict.violations.iter().enumerate() {
                    a href={ "#violation-" (index + 1) } id={ "place-" (index + 1) } {
                        title { (index + 1) ": " (rule_title(one.rule)) "\n" (one.detail) }
                        rect x=(scale.percent(one.span.0)) y="2" width=(scale.percent_wide(one.span.0, one.span.1)) height="14" {}
                        text x=(scale.percent(one.span.0)) dx="4" y="13" { "✖" (index + 1) }
                    }
                }
            }
        }
    }
}

/// The violations, across all rows.
pub(super) fn before(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let scale = story.scale;
    html! {
        svg.before aria-hidden="true" {
            @for one in &verdict.violations {
                rect x=(scale.percent(one.span.0)) y="0" width=(scale.percent_wide(one.span.0, one.span.1)) height="100%" {}
                line x1=(scale.percent(one.span.0)) x2=(scale.percent(one.span.0)) y1="0" y2="100%" {}
            }
        }
    }
}

/// Times between ticks: 1, 2 or 5 of a power of ten.
fn step(story: &Story<'_>) -> u64 {
    let about = (story.scale.to - story.scale.from) / 12;
    let mut step = 1_000;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if step >= about {
            break;
        }
        step = (step as f64 * factor) as u64;
    }
    step
}

fn ticks(story: &Story<'_>) -> impl Iterator<Item = u64> + use<> {
    let (from, to, step) = (story.scale.from, story.scale.to, step(story));
    (0..).map(move |tick| from + tick * step).take_while(move |&at| at < to)
}
