//! The rules, and what broke them.

use maud::{Markup, html};

use super::story::Story;
use super::units::{between, count};
use crate::oracle::{Rule, Verdict};

const RULES: [Rule; 8] = [
    Rule::MutualExclusion,
    Rule::TokenOrder,
    Rule::FencedUpdates,
    Rule::LostInTime,
    Rule::WorkInTerm,
    Rule::Liveness,
    Rule::NothingLeft,
    Rule::WellFormed,
];

/// What a rule is called.
pub(super) const fn rule_title(rule: Rule) -> &'static str {
    match rule {
        Rule::MutualExclusion => "mutual exclusion",
        Rule::TokenOrder => "order of fencing tokens",
        Rule::FencedUpdates => "fenced updates",
        Rule::LostInTime => "told of the loss in time",
        Rule::WorkInTerm => "work within its term",
        Rule::Liveness => "liveness",
        Rule::NothingLeft => "nothing left behind",
        Rule::WellFormed => "a history that makes sense",
    }
}

const fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::MutualExclusion => "No two clients hold the same name at a time.",
        Rule::TokenOrder => "A later holder has a greater fencing token.",
        Rule::FencedUpdates => "A resource that checks fencing tokens loses no update.",
        Rule::LostInTime => {
            "A holder is told of its loss before the validity ends, unless it did not get the CPU."
        }
        Rule::WorkInTerm => {
            "A leader's work ends before its term does, and before the next leader begins, unless it did not get the CPU."
        }
        Rule::Liveness => "After the faults every client gets every lock.",
        Rule::NothingLeft => "Nothing stays on a node when all clients have ended.",
        Rule::WellFormed => "Nobody releases what it has not acquired.",
    }
}

/// Every rule, and whether it was kept.
pub(super) fn rules(verdict: &Verdict) -> Markup {
    html! {
        ul.rules {
            @for rule in RULES {
                @let broken = verdict.violations.iter().filter(|one| one.rule == rule).count();
                @if broken == 0 {
                    li { span.kept { "✔ kept" } " " (rule_text(rule)) }
                } @else {
                    li.is-broken { span.broken { "✖ broken " (count(broken, "time", "times")) } " " (rule_text(rule)) }
                }
            }
        }
    }
}

/// Every violation, with the way to its place in the timeline.
pub(super) fn list(story: &Story<'_>, verdict: &Verdict) -> Markup {
    let scale = story.scale;
    html! {
        section #violations {
            h2 { "Violations" }
            ol {
                @for (index, one) in verdict.violations.iter().enumerate() {
                    li id={ "violation-" (index + 1) } {
                        strong { (rule_title(one.rule)) } " "
                        a.place href={ "#place-" (index + 1) } data-from=(scale.x(one.span.0)) data-to=(scale.x(one.span.1)) {
                            "at " (scale.moment(one.span.0))
                            @if one.span.1 > one.span.0 { " for " (between(one.span.0, one.span.1)) }
                        }
                        div.detail { (one.detail) }
                        @if !one.holds.is_empty() {
                            div.hint {
                                @for (place, (client, hold)) in one.holds.iter().enumerate() {
                                    @if place > 0 { "; " }
                                    "client " (client) ", hold " (hold)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
