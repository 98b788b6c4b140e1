//! Acquire and release when nobody else wants the lock, one task, five nodes: ours, bare fred, and others.

use redlock::testing::servers::RedisFleet;

use super::Result;
use super::contenders::{
    FRED, FRED_FENCED, FRED_MULTI, FRED_OWN, FRED_OWN_FENCED, FRED_SCRIPTS, OURS, OURS_MULTI, RSLOCK,
    RSLOCK_MULTI, UNFENCED, entry,
};
use super::figures::{Measured, Metric};
use super::peers::{Library, Peers};
use super::plot::{Axis, Plot};
use super::section::Section;
use super::yardstick::{self, Effort, Entry};

const NODE: &str = Library::NodeRedlock.name();
const REDLOCK_PY: &str = Library::RedlockPy.name();
const POTTERY: &str = Library::Pottery.name();

/// Measures.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort, peers: &Peers) -> Result<Section> {
    let fleet = RedisFleet::start(5)?;
    let all = yardstick::measure("latency", entries(peers), &fleet.admin_urls(), &[1], effort)?;
    let mut section = Section::new("One task, free locks, five nodes").text(
        "A library of another language is in a process of its own, and its blocks take turns with the others'; \
         redlock-py does a fifth, pottery a twentieth of the cycles. Each has its defaults and a TTL of 30 s. \
         rslock waits for all nodes and redlock-py asks one after the other, the rest wait for a majority.",
    );
    for measured in &all {
        section = measured.failures().into_iter().chain(peers.missing()).fold(section, Section::text);
        section = goals(section, measured)
            .plot(Plot {
                file: "latency",
                title: "Acquire + release of a free lock: one task, five nodes".to_owned(),
                across: Axis::percentile("share of the cycles"),
                up: Axis::logarithmic("time, us"),
                lines: measured.percentiles(),
            })
            .table(measured.extent(), measured.table())
            .table("Compared block by block", measured.ratios());
    }
    Ok(section)
}

fn entries(peers: &Peers) -> Vec<Entry> {
    let mut entries = vec![
        entry(OURS).against(&[
            FRED_OWN,
            FRED_OWN_FENCED,
            FRED,
            FRED_FENCED,
            UNFENCED,
            RSLOCK,
            NODE,
            REDLOCK_PY,
            POTTERY,
        ]),
        entry(OURS_MULTI).against(&[FRED_MULTI, RSLOCK_MULTI]),
        entry(UNFENCED).against(&[FRED_SCRIPTS]),
        entry(FRED),
        entry(FRED_MULTI),
        entry(FRED_OWN),
        entry(FRED_OWN_FENCED),
        entry(FRED_SCRIPTS).against(&[FRED]),
        entry(FRED_FENCED).against(&[FRED]),
        entry(RSLOCK),
        entry(RSLOCK_MULTI),
    ];
    entries.extend(peers.entries(&[Library::NodeRedlock, Library::RedlockPy, Library::Pottery]));
    entries
}

fn goals(section: Section, measured: &Measured) -> Section {
    let reached = |ours, other| {
        let [median, p99] = [Metric::CycleMedian, Metric::CycleP99]
            .map(|metric| measured.ratio(ours, other, metric).map_or("-".to_owned(), |it| it.to_string()));
        format!("{median}, p99 {p99}")
    };
    let goal = "one task, acquire + release: median within 1.10 of bare fred's, p99 within 1.3";
    section
        .verdict(
            goal,
            reached(OURS, FRED_OWN),
            "fred (SET NX) on a thread of its own, as the library has one",
        )
        .verdict(goal, reached(OURS, FRED_OWN_FENCED), "fred, our scripts fenced, on a thread of its own")
        .verdict(goal, reached(OURS, FRED), "fred (SET NX), current-thread runtime")
        .verdict(goal, reached(OURS_MULTI, FRED_MULTI), "fred (SET NX), multi-thread runtime")
        .verdict("one task: ahead of rslock", reached(OURS, RSLOCK), RSLOCK)
        .verdict("one task: ahead of redlock-py", reached(OURS, REDLOCK_PY), REDLOCK_PY)
}
