//! The page around it all.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::story::Story;
use super::{summary, tables, timeline, violations};
use crate::oracle::Verdict;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub(super) fn page(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let word = if verdict.is_good() { "good" } else { "violated" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Chaos run, seed " (story.run.seed) ": " (word) }
                style { (PreEscaped(STYLE)) (PreEscaped(switches(story))) }
            }
            body {
                (shapes())
                (summary::headline(story, verdict))
                section #rules { h2 { "The rules" } (violations::rules(verdict)) }
                @if !verdict.is_good() { (violations::list(story, verdict)) }
                (timeline::timeline(story, verdict))
                div.cards {
                    (summary::run(story))
                    (summary::figures(story, &verdict.figures))
                    (summary::leaders(&verdict.figures))
                }
                (tables::tables(story))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What hides the holds of a name that is switched off.
fn switches(story: &Story<'_>) -> String {
    (0..story.names.len())
        .map(|name| format!(".hides-name{name} .lane .name{name}{{display:none}}\n"))
        .collect()
}

/// Patterns and marks that the pictures share.
fn shapes() -> Markup {
    html! {
        svg.shapes width="0" height="0" aria-hidden="true" {
            defs {
                pattern #stopped width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.thin width="6" height="6" {} rect.thick width="3" height="6" {}
                }
                pattern #cut width="6" height="6" patternUnits="userSpaceOnUse" {
                    rect.thin width="6" height="6" {} path.thick-line d="M0 0l6 6M6 0l-6 6" {}
                }
                pattern #late width="5" height="5" patternUnits="userSpaceOnUse" {
                    rect.thin width="5" height="5" {} circle.thick cx="2.5" cy="2.5" r="1.2" {}
                }
                pattern #quarantined width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)" {
                    rect.quarantine-line width="1.5" height="7" {}
                }
                g #mark-moment { path d="M-4.5 0h9l-4.5 9z" {} }
                g #mark-lost { path d="M-1 0h2v14h-2zM1 0l6 3.5l-6 3.5z" {} }
            }
        }
    }
}
