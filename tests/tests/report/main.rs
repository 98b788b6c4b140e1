//! The page that shows a run: complete, well-formed, self-contained, and small enough to open.

mod forged;
mod html;
mod samples;

use std::collections::BTreeSet;

use forged::{Forged, at, busy, good};
use html::{attributes, elements, markup, page};
use redlock_tests::fault::FaultKind;
use redlock_tests::history::{ClientEvent, Event, RunEvent, Target};
use redlock_tests::oracle::{Rule, Verdict, Violation};
use samples::violated;

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

#[test]
fn the_verdict_is_said_in_words() {
    let history = busy(3, 2, 4_000, 100).history();
    let page_of_good = page(&history, &good());
    assert!(page_of_good.contains("<h1>Good</h1>") && page_of_good.contains("No rule was broken."));
    assert!(!page_of_good.contains("id=\"violations\""), "there is nothing to list");

    let (history, verdict) = violated();
    let page = page(&history, &verdict);
    assert!(page.contains("<h1>Violated</h1>") && !page.contains("No rule was broken."));
}

#[test]
fn what_was_run_is_there_with_the_command_that_repeats_it() {
    let history = busy(3, 2, 4_000, 100).without("quarantine").history();
    let page = page(&history, &good());
    assert!(page.contains(&format!("<code id=\"command\">{}</code>", history.run.command)));
    for text in
        ["<dd>7</dd>", "Redis 7.4.1", "127.0.0.1:40005", "1.00 s, at most 2.00 s", "<code>quarantine</code>"]
    {
        assert!(page.contains(text), "{text} is missing");
    }
}

#[test]
fn every_tag_is_closed() {
    let (history, verdict) = violated();
    let all = elements(&page(&history, &verdict));
    assert!(all.iter().filter(|name| *name == "rect").count() > 40, "there is a picture");
    elements(&page(&busy(8, 3, 10_000, 200).history(), &good()));
}

#[test]
fn every_violation_is_listed_and_leads_to_its_place() {
    let violation = |(index, rule)| Violation {
        rule,
        detail: format!("detail of violation {index}"),
        span: (at(1_000 + 100 * index as u64), at(1_050 + 100 * index as u64)),
        holds: vec![(0, 1)],
    };
    let violations: Vec<_> = RULES.into_iter().enumerate().map(violation).collect();
    let page = page(&busy(3, 2, 4_000, 100).history(), &Verdict { violations, ..good() });
    for index in 0..RULES.len() {
        assert!(page.contains(&format!("<div class=\"detail\">detail of violation {index}</div>")));
    }
    assert_eq!(page.matches("✖ broken 1 time").count(), RULES.len());
    assert_eq!(page.matches("✔ kept").count(), 0);
}

#[test]
fn holds_that_violate_a_rule_are_marked() {
    let (history, verdict) = violated();
    let marked = |verdict| page(&history, verdict).matches("class=\"bad\"").count();
    assert_eq!(marked(&verdict), 4, "two holds, each in its lock's row and in its client's");
    assert_eq!(marked(&good()), 0);
}

#[test]
fn every_fault_is_in_the_picture_and_in_the_table() {
    let mut forged = Forged::new(2, 3);
    for (index, kind) in FaultKind::ALL.into_iter().enumerate() {
        let targets = [Target::Node(index % 3), Target::Client(1), Target::Way { client: 0, node: 2 }];
        forged.fault(
            index as u64 * 100,
            kind,
            targets[index % 3],
            &format!("what {index} is"),
            index as u64 % 2 * 50,
        );
    }
    let failed = forged.fault(3_000, FaultKind::Promote, Target::Node(0), "", 0);
    forged.run(3_010, RunEvent::Failed { id: failed, why: "there is no replica".to_owned() });
    let page = page(&forged.history(), &good());
    for id in 1..=failed {
        assert_eq!(page.matches(&format!("id=\"fault-{id}\"")).count(), 1, "fault {id} in the picture");
        assert_eq!(page.matches(&format!("href=\"#fault-{id}\"")).count(), 1, "fault {id} in the table");
    }
    for index in 0..FaultKind::ALL.len() {
        assert!(page.contains(&format!("what {index} is")), "the detail of fault {index}");
    }
    assert!(page.contains("✖ failed: there is no replica"));
}

#[test]
fn every_link_leads_somewhere_and_no_place_is_there_twice() {
    for (history, verdict) in [violated(), (busy(8, 3, 20_000, 200).history(), good())] {
        let page = page(&history, &verdict);
        let places = attributes(&page, "id");
        let distinct: BTreeSet<_> = places.iter().collect();
        assert_eq!(places.len(), distinct.len(), "two places of one name");
        for link in attributes(&page, "href") {
            let place = link.strip_prefix('#').expect("only to the page itself");
            assert!(places.contains(&place), "{link} leads nowhere");
        }
        for hold in attributes(&page, "data-a") {
            assert!(places.contains(&format!("a{hold}").as_str()), "hold {hold} is not described");
        }
    }
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;";
    let mut forged = Forged::new(1, 1);
    forged.hold(0, 0, hostile, (10, 20, 900));
    forged.client(950, 0, ClientEvent::Wants { hold: 1, name: hostile.to_owned() });
    forged.client(990, 0, ClientEvent::GaveUp { hold: 1, why: hostile.to_owned() });
    forged.fault(100, FaultKind::Clock, Target::Node(0), hostile, 0);
    forged.run(999, RunEvent::LeftKey { node: 0, key: hostile.to_owned() });
    let mut history = forged.history();
    for text in
        [&mut history.run.command, &mut history.run.server, &mut history.run.fleet, &mut history.run.nodes[0]]
    {
        *text = hostile.to_owned();
    }
    let mut verdict = good();
    let (rule, detail) = (Rule::Liveness, hostile.to_owned());
    verdict.violations.push(Violation { rule, detail, span: (at(0), at(10)), holds: vec![(0, 0)] });
    verdict.figures.lost.push((hostile.to_owned(), 1));
    let page = page(&history, &verdict);
    assert!(!elements(&page).iter().any(|name| name == "img" || name == "script"));
    assert_eq!(page.matches("<script>").count(), 1, "only its own");
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let (history, verdict) = violated();
    let page = page(&history, &verdict);
    for outside in ["http:", "https:", "src=", "@import", "url(//", "<link", "<iframe", "fetch("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_long_run_makes_a_file_that_still_opens() {
    let history = busy(8, 3, 330_000, 130).history();
    assert!(history.events.len() > 50_000, "{} events", history.events.len());
    let page = page(&history, &good());
    assert!(page.len() < 5_000_000, "{} bytes for {} events", page.len(), history.events.len());
    elements(&page);
}

#[test]
fn more_holds_than_can_be_described_are_merged_but_for_the_remarkable_ones() {
    let history = busy(8, 8, 40_000, 20).history();
    let is_loss = |event: &&Event| matches!(event, Event::Client { what: ClientEvent::Lost { .. }, .. });
    let lost = history.events.iter().filter(is_loss).count();
    let page = page(&history, &good());
    assert!(page.contains("So many holds are drawn as one shape a row"));
    assert!(page.len() < 5_000_000, "{} bytes for {} events", page.len(), history.events.len());
    assert!(attributes(&page, "data-a").len() >= lost, "the lost ones are described");
    elements(&page);
}

#[test]
fn a_history_that_makes_no_sense_is_drawn_all_the_same() {
    let empty = Forged::new(0, 0).history();
    elements(&page(&empty, &Verdict::default()));

    let mut forged = Forged::new(1, 1);
    forged.client(5, 7, ClientEvent::Holds { hold: 3, valid_until: 0 });
    forged.client(6, 7, ClientEvent::Released { hold: 9, outcome: "released".to_owned() });
    forged.client(9, 7, ClientEvent::Starved { from: at(20) });
    forged.run(7, RunEvent::Healed { id: 99 });
    forged.run(8, RunEvent::LeftKey { node: 4, key: "chaos:left".to_owned() });
    let page = page(&forged.history(), &Verdict::default());
    elements(&page);
    assert!(page.contains("client 7") && page.contains("chaos:left"));
    assert!(page.contains("No lock was acquired at all"));
}

#[test]
fn a_node_that_may_have_forgotten_is_shown_in_quarantine_unless_that_is_switched_off() {
    let forged = || {
        let mut forged = Forged::new(1, 3);
        forged.fault(500, FaultKind::Flush, Target::Node(1), "flush", 0);
        forged.fault(900, FaultKind::Amnesia, Target::Node(1), "amnesia", 100);
        forged.client(5_000, 0, ClientEvent::Ended);
        forged
    };
    let shown = |history| markup(&page(&history, &good())).matches("grants nothing new: it may have").count();
    assert_eq!(shown(forged().history()), 1, "two that overlap are one");
    assert_eq!(shown(forged().without("quarantine").history()), 0);
}
