//! `redlock demo`: contenders in several processes, a counter that only the lock protects, and nodes that die.

mod client;
mod counter;
mod course;
mod crew;
mod event;
mod fleet;
mod report;
mod screen;
mod signals;
mod view;
mod votes;
mod without;
mod worker;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use redlock::testing::servers::RedisFleet;

use crate::exit;
use client::Job;
use counter::Counter;
use course::{Course, Plan};
use crew::Crew;
use fleet::{Fleet, Started};
use report::Report;
use screen::{Screen, Tone, count};
use signals::Signals;
use without::Without;

pub(crate) use worker::{WorkerArgs, work};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Show that the lock excludes: contenders count under it while Redis servers are killed
///
/// Starts Redis servers of its own on free ports, lets contenders in several processes increment a number in a plain file
/// under one lock, and kills a minority of the servers meanwhile. Succeeds if no increment was lost, no two holders
/// overlapped and every contender has finished. Without redis-server on this machine the nodes are in this process.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  redlock demo
  redlock demo --contenders 20 --rounds 50
  redlock demo --nodes 3 --kill 2 --limit 10     no majority is left: no progress, and no harm

Exit codes: 0 all is well, 1 it is not, 64 usage, 128 + N ended by signal N (Ctrl-C: 130)")]
pub(crate) struct Args {
    /// Contenders, all processes together
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = range(1, 10_000))]
    contenders: u32,
    /// Increments of each contender
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = range(1, 100_000))]
    rounds: u32,
    /// Processes that share the contenders; with nodes in this process: clients in it
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = range(1, 64))]
    processes: u32,
    /// Redis servers to start
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = range(1, 63))]
    nodes: u32,
    /// Nodes to kill on the way [default: 2, if they are a minority]
    #[arg(long, value_name = "N", value_parser = range(0, 63))]
    kill: Option<u32>,
    /// Seconds after which the demo gives up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = range(1, 86_400))]
    limit: u32,
    /// Use nodes in this process also where Redis is installed
    #[arg(long)]
    in_process: bool,
    /// Print plain lines on a terminal too, instead of a view that is redrawn
    #[arg(long)]
    plain: bool,
    /// Print the result as one JSON object; what happens on the way goes to stderr
    #[arg(long)]
    json: bool,
    /// Switch a safeguard off, or the `lock` itself, to see what it is for
    #[arg(long, value_name = "WHAT", hide = true)]
    without: Option<Without>,
}

fn range(from: u64, to: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(from..=to)
}

/// Runs the demo to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(error),
    };
    runtime.block_on(async { args.run().await.unwrap_or_else(exit::failed) })
}

impl Args {
    async fn run(&self) -> Result<ExitCode, Error> {
        let mut screen = if self.json { Screen::stderr(self.plain) } else { Screen::stdout(self.plain) };
        let shares = self.shares();
        let Started { fleet, instead } = self.start_nodes(shares.len())?;
        let mut signals = Signals::listen()?;
        let directory = tempfile::Builder::new().prefix("redlock-demo-").tempdir()?;
        let counter = Counter::create(directory.path().join("counter"))?;
        let mut crew = Crew::start(self.jobs(&shares, &counter), &fleet)?;
        self.introduce(&mut screen, &fleet, instead.as_deref(), &crew, &counter);

        let mut course = Course::new(self.plan(), self.nodes as usize, crew.len());
        tokio::select! {
            () = course.run(&mut crew, &fleet, &mut screen) => {}
            number = signals.next() => {
                screen.settle();
                screen.line(format_args!("Stopped by signal {number}, and with it all workers and servers."));
                return Ok(exit::signalled(number));
            }
        }
        crew.stop().await;
        let report = Report {
            expected: self.plan().increments,
            counter: counter.read().map_err(|error| error.to_string()),
            addresses: fleet.addresses(),
            fate: fleet.fate(),
            course,
        };
        if self.json {
            // As for lines: a reader that has gone changes nothing.
            let _ = writeln!(io::stdout(), "{}", report.to_json());
        } else {
            report.print(&mut screen);
        }
        Ok(if report.all_is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn start_nodes(&self, clients: usize) -> Result<Started, fleet::FleetError> {
        let nodes = self.nodes as usize;
        if self.in_process {
            Started::in_process(nodes, clients)
        } else {
            Started::best(nodes, clients, RedisFleet::start)
        }
    }

    /// The contenders of each client, as evenly as possible.
    fn shares(&self) -> Vec<u32> {
        let clients = self.processes.min(self.contenders);
        let (share, rest) = (self.contenders / clients, self.contenders % clients);
        (0..clients).map(|client| share + u32::from(client < rest)).collect()
    }

    fn jobs(&self, shares: &[u32], counter: &Counter) -> Vec<Job> {
        let mut first = 1;
        let job = |contenders: &u32| {
            let job = Job {
                counter: counter.clone(),
                first,
                contenders: *contenders,
                rounds: self.rounds,
                without: self.without.unwrap_or_default(),
            };
            first += contenders;
            job
        };
        shares.iter().map(job).collect()
    }

    fn plan(&self) -> Plan {
        let minority = (self.nodes - 1) / 2;
        Plan {
            contenders: self.contenders,
            rounds: self.rounds,
            increments: u64::from(self.contenders) * u64::from(self.rounds),
            kills: self.kill.unwrap_or(minority.min(2)).min(self.nodes) as usize,
            limit: Duration::from_secs(self.limit.into()),
        }
    }

    fn introduce(
        &self,
        screen: &mut Screen,
        fleet: &Fleet,
        instead: Option<&str>,
        crew: &Crew,
        counter: &Counter,
    ) {
        let Self { contenders, rounds, nodes, .. } = *self;
        let (clients, nodes) = (crew.len() as u64, count(nodes, "node"));
        let clients = match fleet {
            Fleet::Redis(_) if clients == 1 => "1 process".to_owned(),
            Fleet::Redis(_) => format!("{clients} processes"),
            Fleet::InProcess(_) => format!("{} of one process", count(clients, "client")),
        };
        let times = if rounds == 1 { "once".to_owned() } else { format!("{rounds} times") };
        let heading = format!(
            "{} in {clients} increment a counter {times} each, under one lock on {nodes}.",
            count(contenders, "contender"),
        );
        screen.line(screen.toned(Tone::Heading, heading));
        if let Some(why) = instead {
            let instead = format!("In-process nodes instead of Redis servers: {why}.");
            screen.line(screen.toned(Tone::Warning, instead));
            screen.line("They are cut off instead of killed.");
        }
        if let Some(name) = self.without.unwrap_or_default().name() {
            screen.line(screen.toned(Tone::Warning, format!("Switched off: {name}.")));
        }
        screen.line("");
        let pids = match fleet {
            Fleet::Redis(servers) => servers.iter().map(|server| server.pid()).collect(),
            Fleet::InProcess(_) => Vec::new(),
        };
        for (index, address) in fleet.addresses().iter().enumerate() {
            let pid = pids.get(index).copied().flatten().map(|pid| format!("  redis-server, pid {pid}"));
            screen.line(format_args!("node {:<3} {address}{}", index + 1, pid.unwrap_or_default()));
        }
        let pids = crew.pids();
        if !pids.is_empty() {
            let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
            screen.line(format_args!("workers  pid {}", pids.join(" ")));
        }
        screen.line(format_args!("counter  {}", counter.file().display()));
        screen.line("");
    }
}
