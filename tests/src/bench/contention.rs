//! Many processes want one lock: how long they wait, how many rounds they need, and how fast it goes from one to the next.

pub mod client;
mod crowd;
mod rounds;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use redlock::Locks;
use redlock::testing::servers::RedisFleet;

use super::Result;
use super::plot::{Axis, Plot};
use super::progress::Progress;
use super::section::Section;
use super::stats::{self, Ratio};
use super::table::Table;
use client::{Account, NOT_TOLD, Order, Way};
use crowd::Crowd;

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Handovers a block from one process to another
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub handovers: u32,
    /// Numbers of processes that want the lock at the same moment
    #[arg(long, value_delimiter = ',', default_value = "2,5,10,20,50", value_parser = clap::value_parser!(u16).range(2..))]
    pub processes: Vec<u16>,
    /// Processes, and tasks of each, that count together
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    pub crowd: u16,
    /// How long those contend in a block who want it all the time, in milliseconds
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub contend_millis: u64,
}

const NODES: usize = 5;
/// Who want the lock all the time, and hold it so long.
const ALWAYS: usize = 8;
const HOLD: Duration = Duration::from_millis(1);
const WAYS: [(Way, &str); 4] = [
    (Way::Told, "told"),
    (Way::Polling, "polling"),
    (Way::BareJitter, "bare fred, 0 to 20 ms"),
    (Way::BareFixed, "bare fred, 20 ms"),
];

/// Measures processes of this program that contend for one lock.
///
/// # Errors
/// A server or process that does not start or answer.
pub fn run(effort: &Effort) -> Result<Section> {
    let stage = Stage::new(effort)?;
    let section = Section::new("Contention between processes").text(format!(
        "{NODES} Redis; every client is a process of its own with its own connections, which are up before anything is \
         measured. \"Told\" is the library; \"polling\" is the library as an ACL user that may not be told (`CLIENT` denied); \
         the others are bare fred with the library's scripts (without fencing), which asks again after a pause that is drawn \
         from 0 to 20 ms, or is always 20 ms. Blocks are interleaved; figures are medians of {} blocks.",
        effort.blocks
    ));
    let section = stage.handovers(section)?;
    let section = stage.together(section)?;
    let section = stage.always(section)?;
    stage.rounds(section)
}

struct Stage<'a> {
    effort: &'a Effort,
    /// They run as long as this lives.
    _fleet: RedisFleet,
    urls: Vec<String>,
    counter: tempfile::TempDir,
}

impl<'a> Stage<'a> {
    fn new(effort: &'a Effort) -> Result<Self> {
        let fleet = RedisFleet::start(NODES)?;
        for server in &fleet {
            server.command(NOT_TOLD)?;
        }
        let urls = fleet.admin_urls();
        // Nobody has a lock on new servers.
        let operator = Locks::builder().nodes(urls.clone()).ttl(Duration::from_secs(30));
        drop(futures::executor::block_on(operator.init())?);
        Ok(Self { effort, _fleet: fleet, urls, counter: tempfile::tempdir()? })
    }

    fn crowds(&self, ways: &[(Way, &str)], count: usize) -> Result<Vec<Crowd>> {
        ways.iter().map(|(way, _)| Crowd::start(*way, count, &self.urls)).collect()
    }

    /// Calls `measure` for every crowd in every block, in an order drawn anew for each.
    fn blocks(
        &self,
        what: &str,
        crowds: &mut [Crowd],
        mut measure: impl FnMut(usize, &mut Crowd, &mut StdRng) -> Result<()>,
    ) -> Result<()> {
        let mut progress = Progress::start(what, self.effort.blocks);
        for block in 0..self.effort.blocks {
            let mut random = StdRng::seed_from_u64(block.into());
            let mut order: Vec<_> = (0..crowds.len()).collect();
            order.shuffle(&mut random);
            for index in order {
                measure(index, &mut crowds[index], &mut random)?;
            }
            progress.step();
        }
        Ok(())
    }

    /// From one process to another: from the call of release until the other one holds.
    fn handovers(&self, section: Section) -> Result<Section> {
        let mut crowds = self.crowds(&WAYS, 2)?;
        let mut sides = vec![Side::default(); crowds.len()];
        let mut all = vec![Vec::new(); crowds.len()];
        self.blocks("handover", &mut crowds, |index, crowd, random| {
            let name = format!("handover-{index}");
            crowd.send(0, &Order::Acquire { name: name.clone() })?;
            crowd.account(0)?;
            let mut micros = Vec::new();
            for turn in 0..self.effort.handovers as usize {
                let (holder, waiter) = (turn % 2, (turn + 1) % 2);
                crowd.send(waiter, &Order::Acquire { name: name.clone() })?;
                // Long enough that it waits, and at no fixed point of its polling.
                std::thread::sleep(Duration::from_micros(random.random_range(10_000..40_000)));
                crowd.send(holder, &Order::Release)?;
                let released = crowd.account(holder)?.at;
                micros.push(crowd.account(waiter)?.at.saturating_sub(released) as f64 / 1e3);
            }
            let last = self.effort.handovers as usize % 2;
            crowd.send(last, &Order::Release)?;
            crowd.account(last)?;
            sides[index].first.push(stats::median(&micros));
            sides[index].second.push(stats::share(&micros, 0.99));
            all[index].extend(micros);
            Ok(())
        })?;
        let table = compared(["us", "p50", "p99"], &sides, 0);
        let lines =
            WAYS.iter().zip(&all).map(|((_, name), micros)| (name.to_string(), stats::shares(micros)));
        let plot = Plot {
            file: "contention-handover",
            title: "From a release to the next holder in another process".to_owned(),
            across: Axis::linear("share of the handovers"),
            up: Axis::logarithmic("us"),
            lines: lines.collect(),
        };
        let reached = format!("{:.2} ms", stats::median(&sides[0].first) / 1e3);
        let polling = format!("the same library polling: {:.2} ms", stats::median(&sides[1].first) / 1e3);
        Ok(section
            .verdict("release to the next holder in another process: median at most 1 ms", reached, polling)
            .table("Handover from one process to another that waits for it, from the call of release", table)
            .plot(plot))
    }

    /// Ten processes of ten tasks, each of which adds 1 to a counter under the lock.
    fn together(&self, section: Section) -> Result<Section> {
        let mut crowds = self.crowds(&WAYS, self.effort.crowd.into())?;
        let mut sides = vec![Side::default(); crowds.len()];
        self.blocks("counter", &mut crowds, |index, crowd, random| {
            let (millis, accounts) = self.count(crowd, self.effort.crowd.into(), random)?;
            let waits: Vec<f64> =
                accounts.iter().flat_map(|account| &account.waits_micros).map(|wait| *wait as f64).collect();
            let mean = waits.iter().sum::<f64>() / waits.len() as f64;
            sides[index].first.push(millis);
            sides[index].second.push(stats::share(&waits, 1.0) / mean);
            Ok(())
        })?;
        let table = compared(["", "counter at 100, ms", "longest wait / mean"], &sides, 1);
        let crowd = self.effort.crowd;
        let caption = format!(
            "{crowd} processes of {crowd} tasks; each task acquires once, adds 1 to a counter, releases"
        );
        let [millis, longest] = [&sides[0].first, &sides[0].second].map(|values| stats::median(values));
        let fred = format!("bare fred, 0 to 20 ms: {:.0} ms", stats::median(&sides[2].first));
        let goal = "10 processes x 10 tasks, one key: at most 250 ms, longest wait at most 5 times the mean";
        Ok(section.verdict(goal, format!("{millis:.0} ms, {longest:.1} times"), fred).table(caption, table))
    }

    /// The counter's way up: milliseconds from the signal until all have reported, and what they reported.
    fn count(&self, crowd: &mut Crowd, tasks: u32, random: &mut StdRng) -> Result<(f64, Vec<Account>)> {
        let counter: PathBuf = self.counter.path().join("counter");
        fs::write(&counter, "0")?;
        let name = format!("counter-{:x}", random.random::<u64>());
        let started = Instant::now();
        let accounts = crowd.all(&Order::Together { name, tasks, counter: counter.clone() })?;
        let millis = started.elapsed().as_secs_f64() * 1e3;
        let reached: usize = fs::read_to_string(&counter)?.trim().parse()?;
        let wanted = accounts.iter().map(|account| account.waits_micros.len()).sum::<usize>();
        if reached != wanted || wanted != accounts.len() * tasks as usize {
            return Err(format!("the counter is at {reached} instead of {wanted}: two held at a time").into());
        }
        Ok((millis, accounts))
    }

    /// Some that want it all the time.
    fn always(&self, section: Section) -> Result<Section> {
        let mut crowds = self.crowds(&WAYS, ALWAYS)?;
        let mut sides = vec![Side::default(); crowds.len()];
        let lasts_millis = self.effort.contend_millis;
        self.blocks("always", &mut crowds, |index, crowd, random| {
            let name = format!("always-{:x}", random.random::<u64>());
            let hold_micros = u64::try_from(HOLD.as_micros())?;
            let started = Instant::now();
            let accounts = crowd.all(&Order::Always { name, lasts_millis, hold_micros })?;
            let seconds = started.elapsed().as_secs_f64();
            let waits: Vec<f64> =
                accounts.iter().flat_map(|account| &account.waits_micros).map(|wait| *wait as f64).collect();
            sides[index].first.push(waits.len() as f64 / seconds);
            sides[index].second.push(stats::share(&waits, 1.0) / 1e3);
            Ok(())
        })?;
        let table = compared(["", "turns/s", "longest wait, ms"], &sides, 0);
        let caption = format!("{ALWAYS} processes that want it all the time and hold it for {HOLD:?}");
        Ok(section.table(caption, table))
    }

    /// How many rounds an acquisition takes when so many ask at the same moment.
    fn rounds(&self, mut section: Section) -> Result<Section> {
        let headings =
            ["processes", "way", "all served, ms", "longest wait, ms", "rounds p50", "p90", "p99", "most"];
        let (mut table, mut lines) = (Table::new(headings), Vec::new());
        for &count in &self.effort.processes {
            let mut crowds = self.crowds(&WAYS, count.into())?;
            let mut sides = vec![(Vec::new(), Vec::new(), Vec::new()); crowds.len()];
            self.blocks(&format!("{count} processes"), &mut crowds, |index, crowd, random| {
                let (millis, accounts) = self.count(crowd, 1, random)?;
                let (walls, waits, rounds) = &mut sides[index];
                walls.push(millis);
                for account in accounts {
                    waits.extend(account.waits_micros.into_iter().map(|wait| wait as f64 / 1e3));
                    rounds.extend(account.rounds.into_iter().map(|rounds| rounds as f64));
                }
                Ok(())
            })?;
            for ((way, name), (walls, waits, rounds)) in WAYS.iter().zip(&sides) {
                let times =
                    [stats::median(walls), stats::share(waits, 1.0)].map(|millis| format!("{millis:.1}"));
                let taken = [0.5, 0.9, 0.99, 1.0].map(|part| format!("{:.0}", stats::share(rounds, part)));
                let head = [count.to_string(), (*name).to_owned()];
                table.row(head.into_iter().chain(times).chain(taken));
                if matches!(way, Way::Told | Way::BareJitter) {
                    lines.push((format!("{name}, {count}"), stats::shares(rounds)));
                }
            }
        }
        let plot = Plot {
            file: "contention-rounds",
            title: "Rounds an acquisition when so many processes ask at the same moment".to_owned(),
            across: Axis::linear("share of the acquisitions"),
            up: Axis::logarithmic("rounds"),
            lines,
        };
        section =
            section.table("All ask at the same moment, each for one turn that adds 1 to a counter", table);
        Ok(section.plot(plot))
    }
}

/// Two figures a block of one way to wait.
#[derive(Clone, Default)]
struct Side {
    first: Vec<f64>,
    second: Vec<f64>,
}

/// Medians, and each way beside the first.
fn compared(headings: [&str; 3], sides: &[Side], digits: usize) -> Table {
    let mut table = Table::new(headings.into_iter().chain(["told / this [95 %]"]));
    for ((_, name), side) in WAYS.iter().zip(sides) {
        let figures = [&side.first, &side.second].map(|values| format!("{:.digits$}", stats::median(values)));
        let ratio =
            Ratio::paired(&sides[0].first, &side.first).map_or("-".to_owned(), |ratio| ratio.to_string());
        table.row([(*name).to_owned()].into_iter().chain(figures).chain([ratio]));
    }
    table
}
