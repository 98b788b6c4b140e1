//! A client in a process of its own, which writes down what it does.
//!
//! Each of its tasks acquires, holds and releases locks by turns, as its habit is, until stdin says `calm`; then it acquires
//! every lock once more, and ends. Besides, it may stand for an election. Tasks of one process may hand a lock to each other. If its stdin ends first, so has the process that started it: it ends at once.

mod control;
mod crew;
mod hold;
mod leads;
mod options;
mod stands;
mod starvation;
mod turns;
mod update;

use std::error::Error;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{io, process, thread};

use futures::executor::block_on;
use redlock::config::Config;
use redlock::{BuildError, Locks, LocksBuilder, Protections};

use crate::history::{ClientEvent, HistoryFile, Journal};
use crate::resource::ResourceClient;
use control::Control;
pub use crew::Crew;
pub(crate) use leads::DELAY;
pub use options::{Habit, Options, name_of};
use stands::Candidate;
use turns::Turns;

/// How long nodes may be in a state that no `Locks` can be built on: faults strike while a client starts, too.
const BUILD_LIMIT: Duration = Duration::from_secs(60);

/// How long what is still to be released may take in the end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);

/// Works as the options say, until stdin says `calm` or ends.
///
/// # Errors
/// If the configuration is wrong, the history cannot be written, or the resource is not there.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let control = Control::start()?;
    let journal = Journal::new(options.client, Arc::new(HistoryFile::create(&options.history)?));
    journal.note(ClientEvent::Started { pid: process::id() })?;
    starvation::watch(journal.clone())?;
    let locks = block_on(build(builder(options)?))?;
    let next = Arc::new(AtomicU64::new(0));
    let (end, ends) = mpsc::channel();
    for task in 0..options.tasks as u64 {
        let resource = options.resource.as_deref().map(ResourceClient::connect).transpose()?;
        if options.habit == Habit::Leads {
            leads::lead(options, &locks, &journal, resource, &control)?;
            continue;
        }
        let (next, journal) = (Arc::clone(&next), journal.clone());
        let turns = Turns::new(options, task, next, locks.clone(), journal, resource, control.clone());
        let end = end.clone();
        // On a thread of its own: what it does under its locks blocks.
        thread::Builder::new().name(format!("task-{task}")).spawn(move || {
            // The one who waits has gone only if another has failed.
            let _ = end.send(on_a_runtime(turns.take()));
        })?;
    }
    if options.stands {
        let (locks, seed, end) = (locks.clone(), options.seed, end.clone());
        let candidate = Candidate::new(&locks, seed, next, journal.clone(), control);
        thread::Builder::new().name("candidate".to_owned()).spawn(move || {
            let _ = end.send(on_a_runtime(candidate.stand()));
        })?;
    }
    // One that panics ends without a word.
    drop(end);
    let tasks = if options.habit == Habit::Leads { 0 } else { options.tasks };
    for _ in 0..tasks + usize::from(options.stands) {
        ends.recv().map_err(|_| "a task has panicked")??;
    }
    block_on(locks.shutdown(SHUTDOWN_LIMIT));
    journal.note(ClientEvent::Ended)?;
    Ok(())
}

fn on_a_runtime(work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(work)
}

fn builder(options: &Options) -> Result<LocksBuilder, Box<dyn Error>> {
    let builder = Config::from_file(&options.config)?.into_builder()?.start_without_quorum();
    let Some(name) = &options.without else { return Ok(builder) };
    let protections = Protections::without(name).ok_or_else(|| {
        format!("there is no safeguard `{name}`; expected one of {}", Protections::NAMES.join(", "))
    })?;
    Ok(builder.protections(protections))
}

async fn build(builder: LocksBuilder) -> Result<Locks, BuildError> {
    let started = Instant::now();
    loop {
        match builder.clone().build().await {
            // That does not pass.
            Err(error @ BuildError::Misconfigured { .. }) => return Err(error),
            Err(_) if started.elapsed() < BUILD_LIMIT => thread::sleep(Duration::from_millis(200)),
            result => return result,
        }
    }
}
