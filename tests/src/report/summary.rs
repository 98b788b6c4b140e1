//! The verdict, what was run, and what happened in numbers.

use maud::{Markup, html};

use super::story::Story;
use super::units::{between, count, grouped, readable};
use crate::history::ELECTION;
use crate::oracle::{Figures, Percentiles, Updates, Verdict};

/// The verdict, big and clear, in words as well as in colour.
pub(super) fn headline(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let (figures, run) = (&verdict.figures, story.run);
    let faults: usize = figures.faults.iter().map(|(_, count)| count).sum();
    let (class, icon, word) =
        if verdict.is_good() { ("good", "✔", "Good") } else { ("violated", "✖", "Violated") };
    html! {
        header.verdict.(class) {
            span.icon aria-hidden="true" { (icon) }
            div {
                h1 { (word) }
                p {
                    @if verdict.is_good() { "No rule was broken." } @else {
                        a href="#violations" { (count(verdict.violations.len(), "violation", "violations")) }
                        " of the rules below."
                    }
                    " In " (between(story.scale.from, story.scale.to)) ", "
                    (count(run.clients, "client", "clients")) " acquired " (count(figures.acquired, "lock", "locks"))
                    " on " (count(run.nodes.len(), "node", "nodes")) " under " (count(faults, "fault", "faults")) "."
                }
            }
        }
        @if figures.acquired == 0 {
            p.notice { "No lock was acquired at all: such a run shows nothing about locks." }
        }
        @if !run.without.is_empty() {
            p.notice {
                "Switched off on purpose: "
                @for (place, name) in run.without.iter().enumerate() { @if place > 0 { ", " } code { (name) } }
                ". Such a run is meant to be violated; the library as it is has these safeguards always."
            }
        }
    }
}

/// What was run, with the command that repeats it.
pub(super) fn run(story: &Story<'_>) -> Markup {
    let run = story.run;
    html! {
        section.card {
            h2 { "What was run" }
            p { "The same seed plans the same faults again; what the machine's scheduler does with them differs." }
            div.command {
                pre { code #command { (run.command) } }
                button.needs-script type="button" data-copies="command" { "copy" }
            }
            dl {
                dt { "seed" } dd { (run.seed) }
                dt { "fleet" } dd { (run.fleet) }
                dt { "server" } dd { (run.server) }
                dt { "nodes" } dd { (run.nodes.join(", ")) }
                dt { "clients" } dd { (run.clients) }
                dt { "TTL" } dd { (millis(run.ttl_millis)) ", at most " (millis(run.max_ttl_millis)) }
                dt { "faults" } dd { (if run.faults.is_empty() { "none".to_owned() } else { run.faults.join(", ") }) }
                dt { "switched off" } dd { (if run.without.is_empty() { "nothing".to_owned() } else { run.without.join(", ") }) }
            }
        }
    }
}

fn millis(millis: u64) -> String {
    readable(std::time::Duration::from_millis(millis))
}

/// What happened, in numbers.
pub(super) fn figures(story: &Story<'_>, figures: &Figures) -> Markup {
    let lost: usize = figures.lost.iter().map(|(_, count)| count).sum();
    html! {
        section.card {
            h2 { "What happened" }
            ul.numbers {
                li { b { (grouped(figures.acquired)) } "acquired" }
                li { b { (grouped(figures.given_up)) } "given up" }
                li { b { (grouped(lost)) } "lost" }
                @if let Some(recovery) = figures.recovery {
                    li { b { (readable(recovery)) } "until every client had acquired again after the last fault" }
                }
            }
            table.figures {
                tr { th {} th scope="col" { "half" } th scope="col" { "90 %" } th scope="col" { "99 %" } th scope="col" { "longest" } }
                (percentiles("waited at most", figures.waits))
                (percentiles("held at most", figures.holds))
            }
            (updates(figures))
            @if !figures.lost.is_empty() { (counted("Locks lost, by reason", &figures.lost)) }
            @if !figures.faults.is_empty() { (counted("Faults, by kind", &figures.faults)) }
            @if figures.faults_failed > 0 {
                p.notice { (count(figures.faults_failed, "fault", "faults")) " could not be done or undone: the table of faults says why." }
            }
            @if !story.left.is_empty() {
                h3 { "Keys that were left" }
                ul { @for (node, key) in &story.left { li { code { (key) } " on " (story.node(*node)) } } }
            }
        }
    }
}

/// Who led, and how long nobody did; nothing where there was no election.
pub(super) fn leaders(figures: &Figures) -> Markup {
    let Some(terms) = figures.terms else { return html! {} };
    html! {
        section.card #leaders {
            h2 { "Leaders" }
            p {
                "The clients stood for the election " code { (ELECTION) } " besides, in " code { "Election::run" } ": some work listened when it "
                "was told to stop, some did not. A term is a hold of that name in the picture above, its fencing token the epoch."
            }
            ul.numbers {
                li { b { (grouped(terms.count)) } (if terms.count == 1 { "term" } else { "terms" }) }
                li { b { (grouped(terms.clients)) } (if terms.clients == 1 { "client led" } else { "clients led" }) }
                li { b { (grouped(terms.lost)) } "lost" }
            }
            table.figures {
                tr { th {} th scope="col" { "half" } th scope="col" { "90 %" } th scope="col" { "99 %" } th scope="col" { "longest" } }
                (percentiles("led at most", terms.lasted))
                (percentiles("nobody led for at most", terms.between))
            }
        }
    }
}

fn percentiles(what: &str, one: Percentiles) -> Markup {
    html! {
        tr {
            th scope="row" { (what) }
            @for time in [one.p50, one.p90, one.p99, one.max] { td { (readable(time)) } }
        }
    }
}

fn updates(figures: &Figures) -> Markup {
    let row = |what: &str, one: Updates| {
        html! {
            tr {
                th scope="row" { (what) }
                td { (grouped(one.done)) } td { (grouped(one.refused)) }
                td.some[one.lost > 0] { (grouped(one.lost)) }
            }
        }
    };
    html! {
        h3 { "Updates of shared sets (read, sleep, write)" }
        table.figures {
            tr { th {} th scope="col" { "done" } th scope="col" { "refused" } th scope="col" { "lost" } }
            (row("checks fencing tokens", figures.fenced))
            (row("checks nothing", figures.unfenced))
        }
        p.hint {
            "A holder that is stopped between reading and writing writes after its lock has ended, over what the next holder "
            "wrote. The set that checks fencing tokens refuses such a write; the other one loses updates, which is no "
            "violation but what fencing tokens are for."
        }
    }
}

/// How often what happened, with bars.
fn counted(title: &str, counts: &[(String, usize)]) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    html! {
        h3 { (title) }
        table.counts {
            @for (what, count) in counts {
                tr {
                    th scope="row" { (what) }
                    td { (grouped(*count)) }
                    td.bar { svg width="100%" height="8" { rect x="0" y="0" width={ (count * 100 / most) "%" } height="8" {} } }
                }
            }
        }
    }
}
