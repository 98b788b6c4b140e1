//! Many tasks, each on names of its own, on five nodes.

use redlock::testing::servers::RedisFleet;

use super::Result;
use super::contenders::{FRED, FRED_FENCED, FRED_MULTI, OURS, OURS_MULTI, RSLOCK, RSLOCK_MULTI, entry};
use super::figures::{Measured, Metric, lines};
use super::peers::{Library, Peers};
use super::plot::{Axis, Plot};
use super::section::Section;
use super::yardstick::{self, Entry};

const NODE: &str = Library::NodeRedlock.name();

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    #[command(flatten)]
    blocks: yardstick::Effort,
    /// Numbers of concurrent tasks
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64,256", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: Vec<u16>,
}

/// Measures.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort, peers: &Peers) -> Result<Section> {
    let fleet = RedisFleet::start(5)?;
    let urls = fleet.admin_urls();
    let all = yardstick::measure("throughput", entries(peers), &urls, &effort.tasks, &effort.blocks)?;
    let by_tasks: Vec<_> = all.iter().map(|measured| (measured.tasks as f64, measured)).collect();
    let plot = |file, title: &str, up, metric| Plot {
        file,
        title: title.to_owned(),
        across: Axis::logarithmic("concurrent tasks"),
        up,
        lines: lines(&by_tasks, metric),
    };
    let mut section = Section::new("Many tasks, each its own lock, five nodes").text(
        "Each task acquires and releases locks that nobody else wants. The servers run on the same cores: where a line is flat, client and \
         servers together have used up the machine. Tasks are threads in Python.",
    );
    let failures = all.iter().flat_map(Measured::failures).chain(peers.missing());
    section = failures.fold(section, Section::text);
    section = section
        .plot(plot(
            "throughput",
            "Locks taken and given back, five nodes",
            Axis::logarithmic("cycles a second"),
            Metric::Rate,
        ))
        .plot(plot(
            "throughput-cpu",
            "What a cycle costs the client, five nodes",
            Axis::logarithmic("client CPU, us a cycle"),
            Metric::Cpu,
        ));
    for measured in &all {
        if measured.tasks == 64 {
            section = goals(section, measured);
        }
        section = section.table(measured.extent(), measured.table());
        section = section.table("Compared block by block", measured.ratios());
    }
    Ok(section)
}

fn entries(peers: &Peers) -> Vec<Entry> {
    let mut entries = vec![
        entry(OURS).against(&[FRED, FRED_FENCED, RSLOCK, NODE]),
        entry(OURS_MULTI).against(&[FRED_MULTI, RSLOCK_MULTI]),
        entry(FRED),
        entry(FRED_MULTI),
        entry(FRED_FENCED),
        entry(RSLOCK),
        entry(RSLOCK_MULTI),
    ];
    entries.extend(peers.entries(&[Library::NodeRedlock, Library::RedlockPy, Library::Pottery]));
    entries
}

fn goals(section: Section, measured: &Measured) -> Section {
    let figure = |name, metric| measured.median(name, metric).unwrap_or(f64::NAN);
    let ratio = measured.ratio(OURS, RSLOCK, Metric::Rate).map_or("-".to_owned(), |ratio| ratio.to_string());
    let rate =
        format!("{:.0} cycles/s beside {:.0}", figure(OURS, Metric::Rate), figure(RSLOCK, Metric::Rate));
    let cpu = |name| format!("{:.1} us", figure(name, Metric::Cpu));
    section
        .verdict(
            "64 tasks: at least 1.7 times rslock (stretch: 2.2) and 30,000 cycles/s (40,000)",
            format!("{ratio}, {rate}"),
            RSLOCK,
        )
        .verdict(
            "64 tasks: at most 15 us of client CPU a cycle",
            cpu(OURS),
            format!("{} of {FRED}", cpu(FRED)),
        )
}
