//! What one more node costs.

use redlock::testing::servers::RedisFleet;

use super::Result;
use super::contenders::{FRED, FRED_FENCED, OURS, RSLOCK, entry};
use super::figures::{Measured, Metric, lines};
use super::peers::{Library, Peers};
use super::plot::{Axis, Plot};
use super::section::Section;
use super::yardstick::{self, Entry};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    #[command(flatten)]
    blocks: yardstick::Effort,
    /// Numbers of nodes
    #[arg(long, value_delimiter = ',', default_value = "1,3,5,7,9", value_parser = clap::value_parser!(u8).range(1..))]
    nodes: Vec<u8>,
    /// Numbers of concurrent tasks
    #[arg(long, value_delimiter = ',', default_value = "1,64", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: Vec<u16>,
}

/// Measures on fleets of every size asked for.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort, peers: &Peers) -> Result<Section> {
    let mut all = Vec::new();
    for &nodes in &effort.nodes {
        let fleet = RedisFleet::start(nodes.into())?;
        let what = format!("{nodes} node(s)");
        let measured =
            yardstick::measure(&what, entries(peers), &fleet.admin_urls(), &effort.tasks, &effort.blocks)?;
        all.extend(measured.into_iter().map(|measured| (nodes, measured)));
    }
    let mut section = Section::new("What a node costs").text(
        "The same with more and fewer nodes. Every node is asked and answers, while a majority is waited for; all servers share the machine.",
    );
    let failures = all.iter().flat_map(|(_, measured)| measured.failures()).chain(peers.missing());
    section = failures.fold(section, Section::text);
    let with = |tasks: usize| {
        let of_tasks = all.iter().filter(move |(_, measured)| measured.tasks == tasks);
        of_tasks.map(|(nodes, measured)| (f64::from(*nodes), measured)).collect::<Vec<(f64, &Measured)>>()
    };
    let plot =
        |file, title: String, up, lines| Plot { file, title, across: Axis::linear("nodes"), up, lines };
    if let (Some(&few), Some(&many)) = (effort.tasks.first(), effort.tasks.last()) {
        let latency = lines(&with(few.into()), Metric::CycleMedian);
        let cpu = lines(&with(many.into()), Metric::Cpu);
        section = section
            .plot(plot(
                "nodes",
                format!("Acquire + release, {few} task(s)"),
                Axis::linear("median, us"),
                latency,
            ))
            .plot(plot(
                "nodes-cpu",
                format!("Client CPU, {many} task(s)"),
                Axis::linear("CPU, us a cycle"),
                cpu,
            ));
    }
    for (nodes, measured) in &all {
        section = section.table(format!("{nodes} node(s), {}", measured.extent()), measured.table());
    }
    Ok(section)
}

fn entries(peers: &Peers) -> Vec<Entry> {
    let mut entries = vec![entry(OURS), entry(FRED), entry(FRED_FENCED), entry(RSLOCK)];
    entries.extend(peers.entries(&[Library::NodeRedlock]));
    entries
}
