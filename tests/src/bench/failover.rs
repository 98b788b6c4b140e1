//! Leader election: how long nobody leads after a resignation, a kill, a partition; and that nodes which die change nothing.

pub mod candidate;
mod field;

use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;
use redlock::testing::servers::{RedisFleet, RedisServer};

use super::Result;
use super::plot::{Axis, Plot};
use super::progress::Progress;
use super::section::Section;
use super::stats;
use super::table::Table;
use crate::network::{Direction, Network, Way};
use candidate::{Event, Order};
use field::{Field, Reign};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Resignations
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub resignations: u32,
    /// Leaders that are killed, leaders that are cut off, and times that two nodes are killed
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub faults: u32,
    /// TTL of the leadership where something fails
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
}

const NODES: usize = 5;
const CANDIDATES: usize = 3;
/// What a kill may take beyond the TTL.
const SLACK: Duration = Duration::from_millis(200);

/// Measures candidates in processes of their own.
///
/// # Errors
/// A server or process that does not start or answer.
pub fn run(effort: &Effort) -> Result<Section> {
    let section = Section::new("Failover of a leader").text(format!(
        "{NODES} Redis, and {CANDIDATES} candidates in processes of their own, each in `Election::run`. Times are those of the machine's \
         clock: of the resignation, the kill or the cut, and of the first and the last moment in which work was running."
    ));
    let mut table = Table::new(["ms", "times", "p50", "p90", "longest"]);
    let (resigned, killed) = (resignations(effort)?, kills(effort)?);
    let Cuts { leaderless, gaps } = cuts(effort)?;
    let changes = dead_nodes(effort)?;
    for (what, millis) in [
        ("resigned, to the next leader", &resigned),
        ("killed by SIGKILL, to the next leader", &killed),
        ("cut off from all nodes, to the next leader", &leaderless),
        ("cut off, from the old leader's last moment to the next one's first", &gaps),
    ] {
        table.row(row(what, millis));
    }
    let ttl = effort.ttl;
    let overlaps = gaps.iter().filter(|gap| **gap <= 0.0).count();
    let section = section
        .table(format!("From one leader to the next, TTL {ttl:?}"), table)
        .text(format!(
            "Two of the five nodes were killed {} times, and were away for {:?} each: the leader changed {changes} times.",
            effort.faults,
            away(effort)
        ))
        .plot(Plot {
            file: "failover",
            title: format!("Without a leader: {CANDIDATES} candidates, TTL {ttl:?}"),
            across: Axis::percentile("share of the changes"),
            up: Axis::logarithmic("time, ms"),
            lines: [("resigned", &resigned), ("killed", &killed), ("cut off", &leaderless)]
                .map(|(name, millis)| (name.to_owned(), stats::shares(millis)))
                .into(),
        });
    let limit = (ttl + SLACK).as_millis();
    Ok(section
        .verdict(
            "resign to the next leader: median under 5 ms",
            format!("{:.2} ms", stats::median(&resigned)),
            "no other",
        )
        .verdict(
            format!("leader killed: the next within TTL + {SLACK:?} ({limit} ms)"),
            format!("longest {:.0} ms", stats::share(&killed, 1.0)),
            format!("the TTL, {ttl:?}"),
        )
        .verdict(
            "leader cut off: it has stopped before the next one starts",
            format!("{overlaps} overlaps, shortest distance {:.0} ms", stats::share(&gaps, 0.0)),
            "the machine's clock",
        )
        .verdict("two of five nodes killed: the leader stays", format!("{changes} changes"), "no other"))
}

/// From a resignation until somebody else leads, in milliseconds.
fn resignations(effort: &Effort) -> Result<Vec<f64>> {
    // Far from its end, so that nothing is lost on a busy machine.
    let ttl = Duration::from_secs(10);
    let fleet = new_fleet(ttl)?;
    let mut field = Field::start(ttl, &vec![fleet.admin_urls(); CANDIDATES])?;
    let mut leader = settled(&field)?;
    let mut progress = Progress::start("failover: resignations", effort.resignations);
    let mut millis = Vec::new();
    for _ in 0..effort.resignations {
        field.order(leader.candidate, Order::StandBack)?;
        // Lines of two processes may arrive in any order.
        let (mut resigned, mut next) = (None, None);
        let (resigned, next) = field.until("a resignation and the next leader", |candidate, event| {
            match event {
                Event::Resigns { at } => resigned = Some(at),
                Event::Leads { at, epoch } => next = Some(Reign { candidate, since: at, epoch }),
                _ => {}
            }
            resigned.zip(next)
        })?;
        field.order(leader.candidate, Order::Stand)?;
        millis.push(between(resigned, next.since));
        leader = next;
        // By then all others wait again, as they do in life: `run` stands back for up to 100 ms after each leadership.
        field.listen(Duration::from_millis(150))?;
        progress.step();
    }
    Ok(millis)
}

/// From a SIGKILL until somebody else leads, in milliseconds.
fn kills(effort: &Effort) -> Result<Vec<f64>> {
    let fleet = new_fleet(effort.ttl)?;
    let mut field = Field::start(effort.ttl, &vec![fleet.admin_urls(); CANDIDATES])?;
    let mut leader = settled(&field)?;
    let mut progress = Progress::start("failover: kills", effort.faults);
    let mut millis = Vec::new();
    for count in 0..effort.faults {
        // Anywhere between two renewals.
        field.listen(effort.ttl.mul_f64(0.3 + 0.1 * f64::from(count % 5)))?;
        let (killed, next) = field.kill(leader.candidate)?;
        millis.push(between(killed, next.since));
        leader = next;
        progress.step();
    }
    Ok(millis)
}

/// What came of leaders that were cut off from the nodes, in milliseconds.
struct Cuts {
    /// From the cut until somebody else leads.
    leaderless: Vec<f64>,
    /// From the last moment of the old leader's work to the first one of the next; below zero, two have led.
    gaps: Vec<f64>,
}

fn cuts(effort: &Effort) -> Result<Cuts> {
    let fleet = new_fleet(effort.ttl)?;
    let addresses: Vec<_> = fleet.iter().map(RedisServer::address).collect();
    let network = Network::start(&addresses, CANDIDATES)?;
    let urls = |candidate| network.reached_at(candidate).iter().map(|at| format!("redis://{at}")).collect();
    let field = Field::start(effort.ttl, &(0..CANDIDATES).map(urls).collect::<Vec<_>>())?;
    let mut leader = settled(&field)?;
    let mut progress = Progress::start("failover: partitions", effort.faults);
    let mut cuts = Cuts { leaderless: Vec::new(), gaps: Vec::new() };
    for _ in 0..effort.faults {
        field.listen(effort.ttl / 2)?;
        let at = redlock::Instant::now().as_nanos();
        (0..NODES).for_each(|node| network.way(leader.candidate, node).cut(Direction::Both));
        let (mut stopped, mut next) = (None, None);
        let (stopped, new) = field.until("the old leader's end and a new one", |candidate, event| {
            match event {
                Event::Stopped { at, epoch } if epoch == leader.epoch => stopped = Some(at),
                Event::Leads { at, epoch } => next = Some(Reign { candidate, since: at, epoch }),
                _ => {}
            }
            stopped.zip(next)
        })?;
        network.ways().for_each(Way::mend);
        cuts.leaderless.push(between(at, new.since));
        cuts.gaps.push(between(stopped, new.since));
        leader = new;
        progress.step();
    }
    Ok(cuts)
}

/// How often another leader came, or the leader stopped, while two nodes of five were away.
fn dead_nodes(effort: &Effort) -> Result<usize> {
    let fleet = new_fleet(effort.ttl)?;
    let field = Field::start(effort.ttl, &vec![fleet.admin_urls(); CANDIDATES])?;
    settled(&field)?;
    let mut progress = Progress::start("failover: dead nodes", effort.faults);
    let mut changes = 0;
    for count in 0..effort.faults as usize {
        let pair = [count % NODES, (count + 1) % NODES];
        pair.iter().for_each(|node| fleet.server(*node).kill());
        changes += field.listen(away(effort))?.len();
        pair.iter().try_for_each(|node| fleet.server(*node).restart())?;
        // They are in quarantine for a TTL and its drift; the next two are killed when these count again.
        changes += field.listen(2 * effort.ttl)?.len();
        progress.step();
    }
    Ok(changes)
}

fn away(effort: &Effort) -> Duration {
    2 * effort.ttl
}

/// New servers that may grant at once.
fn new_fleet(ttl: Duration) -> Result<RedisFleet> {
    let fleet = RedisFleet::start(NODES)?;
    drop(block_on(Locks::builder().nodes(fleet.admin_urls()).ttl(ttl).max_ttl(ttl).init())?);
    Ok(fleet)
}

/// All are there, and one leads.
fn settled(field: &Field) -> Result<Reign> {
    let (mut ready, mut leader) = (0, None);
    field.until("all candidates and a leader", |candidate, event| {
        match event {
            Event::Ready => ready += 1,
            Event::Leads { at, epoch } => leader = Some(Reign { candidate, since: at, epoch }),
            _ => {}
        }
        leader.filter(|_| ready == CANDIDATES)
    })
}

/// Milliseconds from one point of the machine's clock to another, which may be the earlier one.
fn between(from: u64, to: u64) -> f64 {
    (to as f64 - from as f64) / 1e6
}

fn row(what: &str, millis: &[f64]) -> Vec<String> {
    let figures = [0.5, 0.9, 1.0].map(|part| format!("{:.2}", stats::share(millis, part)));
    [what.to_owned(), millis.len().to_string()].into_iter().chain(figures).collect()
}
