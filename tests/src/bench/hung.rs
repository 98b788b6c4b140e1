//! Acquiring while nodes stand still or are gone, and memory against a node that never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redlock::Locks;
use redlock::testing::servers::{RedisFleet, RedisServer};

use super::{
    Result,
    contender::Contender,
    ours,
    place::{Caller, Io, Place},
    plot::{Axis, Plot},
    progress::Progress,
    section::Section,
    stats::{self, Ratio},
    table::Table,
    usage::resident,
};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Cycles a block for one task; four times as many for several tasks together
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..))]
    pub cycles: u32,
    /// Numbers of concurrent tasks, each with its own names
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u16).range(1..))]
    pub tasks: Vec<u16>,
    /// How long memory is watched while one of five nodes stands still
    #[arg(long = "for", default_value = "60s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub length: Duration,
}

/// Longer than any pause between attempts to connect, and setting up.
const BACK: Duration = Duration::from_secs(3);
/// By then a connection that is silent has been given up.
const SETTLED: Duration = Duration::from_secs(3);
/// Tasks that acquire and release while memory is watched.
const USERS: usize = 16;

/// What happens to the nodes of one fleet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Healthy,
    /// Standing still since the block began.
    JustHung(usize),
    /// Standing still from the beginning.
    Hung(usize),
    Dead(usize),
}

impl Fate {
    const ALL: [Self; 7] = [
        Self::Healthy,
        Self::JustHung(1),
        Self::Hung(1),
        Self::JustHung(2),
        Self::Hung(2),
        Self::Dead(1),
        Self::Dead(2),
    ];

    fn name(self) -> String {
        match self {
            Self::Healthy => "all five well".to_owned(),
            Self::JustHung(nodes) => format!("{nodes} hung just now"),
            Self::Hung(nodes) => format!("{nodes} hung for long"),
            Self::Dead(nodes) => format!("{nodes} dead"),
        }
    }
}

struct Stage {
    fate: Fate,
    // Before `place`: a client ends on a runtime that still runs.
    contender: Arc<dyn Contender>,
    place: Place,
    fleet: RedisFleet,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Stage {
    fn new(fate: Fate) -> Result<Self> {
        let fleet = RedisFleet::start(5)?;
        let place = Place::new(Caller::MultiThread, Io::Callers)?;
        let urls = fleet.urls();
        let contender = place.on_io(async move { ours::connect(urls).await })?;
        match fate {
            Fate::Healthy | Fate::JustHung(_) => {}
            Fate::Hung(nodes) => first(&fleet, nodes).try_for_each(RedisServer::pause)?,
            Fate::Dead(nodes) => first(&fleet, nodes).for_each(RedisServer::kill),
        }
        Ok(Self { fate, contender, place, fleet, p50: Vec::new(), p99: Vec::new() })
    }

    fn measure(&mut self, tasks: usize, cycles: usize) -> Result<()> {
        // Connections and caches are warm, and all five well where they are not to be hung for long.
        self.place.measure(&self.contender, tasks, cycles / 10)?;
        if let Fate::JustHung(nodes) = self.fate {
            first(&self.fleet, nodes).try_for_each(RedisServer::pause)?;
        }
        let block = self.place.measure(&self.contender, tasks, cycles)?;
        if let Fate::JustHung(nodes) = self.fate {
            first(&self.fleet, nodes).try_for_each(RedisServer::resume)?;
        }
        self.p50.push(block.acquire.value_at_quantile(0.5) as f64 / 1e3);
        self.p99.push(block.acquire.value_at_quantile(0.99) as f64 / 1e3);
        Ok(())
    }
}

fn first(fleet: &RedisFleet, nodes: usize) -> impl Iterator<Item = &RedisServer> {
    fleet.iter().take(nodes)
}

/// Measures on fleets of five.
///
/// # Errors
/// A server that does not start or answer, or a lock that cannot be acquired.
pub fn run(effort: &Effort) -> Result<Section> {
    let mut section = Section::new("Nodes that hang or are dead").text(
        "Five nodes, of which some stand still (SIGSTOP: the kernel goes on taking connections and bytes for them) or are \
         dead (SIGKILL: connections are refused), and a fleet of its own for each; interleaved blocks. \"Just now\" is from the \
         moment of the SIGSTOP on, while the connection looks alive; \"for long\" is after that.",
    );
    let mut stages = Fate::ALL.into_iter().map(Stage::new).collect::<Result<Vec<_>>>()?;
    thread::sleep(SETTLED);
    for &tasks in &effort.tasks {
        let tasks = usize::from(tasks);
        let cycles = effort.cycles as usize * if tasks == 1 { 1 } else { 4 };
        stages.iter_mut().for_each(|stage| (stage.p50.clear(), stage.p99.clear()).0);
        let mut progress = Progress::start(format!("{tasks} task(s)"), effort.blocks);
        for block in 0..effort.blocks {
            let (back, count) = (block as usize, stages.len());
            for turn in 0..count {
                stages[(turn + back) % count].measure(tasks, cycles)?;
            }
            progress.step();
            thread::sleep(BACK);
        }
        section = section.table(
            format!(
                "{tasks} task(s), {} blocks of {cycles} cycles, each with a name of its own:",
                effort.blocks
            ),
            figures(&stages),
        );
        let well = stages.iter().find(|stage| stage.fate == Fate::Healthy);
        for stage in stages.iter().filter(|stage| stage.fate != Fate::Healthy) {
            let ratio = well.and_then(|well| Ratio::paired(&stage.p99, &well.p99));
            section = section.verdict(
                format!("{}, {tasks} task(s): acquire p99 within 1.5 of healthy", stage.fate.name()),
                ratio.map_or("-".to_owned(), |ratio| ratio.to_string()),
                "the same with all nodes well",
            );
        }
    }
    drop(stages);
    watch_memory(effort.length, section)
}

fn figures(stages: &[Stage]) -> Table {
    let mut table = Table::new([
        "median of blocks",
        "acquire p50 us",
        "p99 us",
        "p50 / all well [95 %]",
        "p99 / all well [95 %]",
    ]);
    let Some(well) = stages.iter().find(|stage| stage.fate == Fate::Healthy) else { return table };
    for stage in stages {
        let ratio = |ours: &[f64], theirs: &[f64]| match Ratio::paired(ours, theirs) {
            Some(ratio) if stage.fate != Fate::Healthy => ratio.to_string(),
            _ => "-".to_owned(),
        };
        table.row([
            stage.fate.name(),
            format!("{:.0}", stats::median(&stage.p50)),
            format!("{:.0}", stats::median(&stage.p99)),
            ratio(&stage.p50, &well.p50),
            ratio(&stage.p99, &well.p99),
        ]);
    }
    table
}

/// Goes on acquiring and releasing while one node stands still, and looks at the process's memory every second.
fn watch_memory(length: Duration, section: Section) -> Result<Section> {
    let _progress = Progress::start(format!("memory, for {length:?}"), 1_u64);
    let fleet = RedisFleet::start(5)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let locks = runtime.block_on(Locks::builder().nodes(fleet.urls()).init())?;
    let stop = Arc::new(AtomicBool::new(false));
    let user = |number| {
        let (locks, stop) = (locks.clone(), Arc::clone(&stop));
        runtime.spawn(async move {
            let mut cycles = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let guard = locks.lock(format!("user:{number}:{}", cycles % 1_000)).acquire().await?;
                guard.release().await?;
                cycles += 1;
            }
            Ok::<u64, Box<dyn std::error::Error + Send + Sync>>(cycles)
        })
    };
    let users: Vec<_> = (0..USERS).map(user).collect();
    thread::sleep(Duration::from_secs(1));
    let before = resident()?;
    fleet.server(0).pause()?;
    let started = Instant::now();
    let mut seen = vec![(0.0, before as f64 / 1e6)];
    while started.elapsed() < length {
        thread::sleep(Duration::from_secs(1));
        seen.push((started.elapsed().as_secs_f64(), resident()? as f64 / 1e6));
    }
    stop.store(true, Ordering::Relaxed);
    let mut cycles = 0;
    for user in users {
        cycles += runtime.block_on(user)??;
    }
    fleet.server(0).resume()?;
    let quarter = |number: usize| {
        let part = seen.len() / 4;
        stats::median(&seen.iter().skip(number * part).take(part).map(|&(_, mb)| mb).collect::<Vec<_>>())
    };
    let mut table = Table::new(["memory (RSS)", "MB"]);
    table.row(["before the hang".to_owned(), format!("{:.1}", before as f64 / 1e6)]);
    for (number, name) in ["first", "second", "third", "last"].into_iter().enumerate() {
        table.row([format!("median of the {name} quarter"), format!("{:.1}", quarter(number))]);
    }
    let most = seen.iter().map(|&(_, mb)| mb).fold(0.0, f64::max);
    table.row(["most".to_owned(), format!("{most:.1}")]);
    let plot = Plot {
        file: "hung-memory",
        title: "The client's memory while one of five nodes hangs".to_owned(),
        across: Axis::linear("seconds since the hang"),
        up: Axis::linear("RSS, MB"),
        lines: vec![("one of five hung".to_owned(), seen)],
    };
    Ok(section
        .table(
            format!(
                "One of five nodes hung for {length:.0?} while {USERS} tasks acquired and released {cycles} times; the whole \
                 process:"
            ),
            table,
        )
        .plot(plot))
}
