//! The course of a run: clients at work, faults, calm, and the verdict on what was written down.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::config::Config;

use super::options::Options;
use super::progress::Progress;
use crate::fault::{self, Plan, Stage, Store};
use crate::fleet::{self, Fleet, Servers};
use crate::history::{Event, History, Run, RunEvent};
use crate::network::Protocol;
use crate::oracle::{self, Verdict};
use crate::resource::Resource;
use crate::worker::{self, Crew, Habit};

/// How long clients may take to get every lock once more and to end when nothing goes wrong any more, besides quarantines.
const PATIENCE: Duration = Duration::from_secs(90);

/// Has it all go wrong, on this fleet.
///
/// # Errors
/// What kept the run from taking place. What the locks did wrong is in the verdict.
pub(super) fn run(
    options: &Options,
    program: &Path,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<(History, Verdict), Box<dyn Error>> {
    progress.stage("starting the nodes");
    let fleet = fleet::open(&options.fleet, options.nodes())?;
    let addresses = fleet.addresses();
    let kinds = options.kinds(&*fleet)?;
    let seed = options.seed.unwrap_or_else(rand::random);
    let clients = options.clients as usize;
    let folder = tempfile::tempdir()?;
    let settings = settings(options);
    let mut granularity = Duration::ZERO;
    if !options.is_of_strangers() {
        // Nobody else can hold locks there.
        let file = folder.path().join("init.toml");
        fs::write(&file, fleet.config(&addresses) + &settings)?;
        let locks = block_on(Config::from_file(&file)?.into_builder()?.init())?;
        let of_nodes = locks.nodes().iter().map(|node| node.abilities().ttl_granularity);
        granularity = of_nodes.max().unwrap_or_default();
    }
    let network = fleet::ways_to(&*fleet, clients)?;
    let resource = Resource::start(folder.path())?;
    progress.stage("starting the clients");
    let mut workers = Vec::new();
    for client in 0..clients {
        let config = folder.path().join(format!("client-{client}.toml"));
        fs::write(&config, fleet.config(&network.reached_at(client)) + &settings)?;
        workers.push(worker::Options {
            client,
            config,
            history: folder.path().join(format!("client-{client}.jsonl")),
            seed: seed.wrapping_add(client as u64),
            names: options.names as usize,
            resource: Some(resource.path().to_owned()),
            without: options.without.clone(),
            tasks: options.tasks as usize,
            stands: !options.no_election,
            habit: Habit::Mixed,
        });
    }
    let crew = Crew::start(program, workers)?;
    let events = Mutex::new(Vec::new());
    let record = |what: RunEvent| {
        let at = redlock::Instant::now().as_nanos();
        events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Event::Run { at, what });
    };

    let strikes = fault::schedule(&Plan {
        seed,
        kinds: kinds.clone(),
        nodes: network.nodes(),
        store: Store {
            servers: fleet.servers(),
            protocol: fleet.protocol().unwrap_or(Protocol::Bytes),
            granularity,
        },
        clients,
        length: options.length,
        ttl: options.ttl,
        max_ttl: options.longest_ttl(),
    });
    progress.faults(options.length);
    let stage = Stage { fleet: &*fleet, network: &network, crew: &crew };
    let happens = |what: RunEvent| {
        progress.happens(&what);
        record(what);
    };
    let passes = |so_far: fault::Progress| {
        progress.passes(so_far.elapsed);
        // One that ends by itself cannot work at all: what is wrong it has said itself.
        if crew.failed().is_ok_and(|failed| !failed.is_empty()) {
            stop.store(true, Ordering::SeqCst);
        }
    };
    fault::play(&stage, &strikes, &happens, stop, &passes)?;
    if let Some(client) = crew.failed()?.first() {
        return Err(format!("client {client} has ended by itself; what it said is above").into());
    }

    progress.stage("calm: every client acquires every lock once more");
    record(RunEvent::Calm);
    crew.calm()?;
    // Whoever does not end has not acquired every lock: the oracle sees it.
    crew.wait(PATIENCE + 3 * options.longest_ttl())?;
    let mut all = crew.events()?;
    drop(crew);
    progress.stage("looking at what is left");
    for (node, key) in keys_left(&*fleet, options, granularity)? {
        record(RunEvent::LeftKey { node, key });
    }
    record(resource.sets());
    all.extend(events.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));

    let run = Run {
        command: options.command(seed, &kinds),
        seed,
        fleet: fleet.kind().to_owned(),
        server: fleet.server(),
        nodes: addresses,
        clients,
        restarts_forget: fleet.servers() == Servers::Nodes,
        faults: kinds.iter().map(ToString::to_string).collect(),
        ttl_millis: millis(options.ttl),
        max_ttl_millis: millis(options.longest_ttl()),
        without: options.without.iter().cloned().collect(),
    };
    let history = History::new(run, all);
    let verdict = oracle::judge(&history);
    Ok((history, verdict))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is added to the configuration of the nodes.
fn settings(options: &Options) -> String {
    format!(
        "\nexpiration = \"{}ms\"\nmaxExpiration = \"{}ms\"\n",
        options.ttl.as_millis(),
        options.longest_ttl().as_millis()
    )
}

/// Keys of locks that are there when the last of them must have expired.
fn keys_left(
    fleet: &dyn Fleet,
    options: &Options,
    granularity: Duration,
) -> Result<Vec<(usize, String)>, Box<dyn Error>> {
    // Clients that were killed have released nothing; a node that was set back or slewed takes longer, and one that counts in
    // seconds keeps a lock for up to three more.
    let patience = 2 * options.longest_ttl() + 3 * granularity + Duration::from_secs(5);
    let started = Instant::now();
    loop {
        let mut left = Vec::new();
        for node in 0..fleet.addresses().len() {
            let keys = fleet.lock_keys(node, &options.prefix())?;
            left.extend(keys.into_iter().map(|key| (node, key)));
        }
        if left.is_empty() || started.elapsed() > patience {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
