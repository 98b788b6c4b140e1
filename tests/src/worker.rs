//! A client in a process of its own, which writes down what it does.
//!
//! It acquires, holds and releases locks by turns, as its habit is, until its stdin says `calm`; then it acquires every
//! lock once more, and ends. If its stdin ends first, so has the process that started it: it ends at once.

mod control;
mod crew;
mod hold;
mod options;
mod starvation;
mod turns;
mod update;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{process, thread};

use redlock::config::Config;
use redlock::{BuildError, Locks, LocksBuilder, Protections};

use crate::history::{ClientEvent, HistoryFile, Journal};
use crate::resource::ResourceClient;
use control::Control;
pub use crew::Crew;
pub use options::{Habit, Options, name_of};
use turns::Turns;

/// How long nodes may be in a state that no `Locks` can be built on: faults strike while a client starts, too.
const BUILD_LIMIT: Duration = Duration::from_secs(60);

/// Works as the options say, until stdin says `calm` or ends.
///
/// # Errors
/// If the configuration is wrong, the history cannot be written, or the resource is not there.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let control = Control::start()?;
    let journal = Journal::new(options.client, Arc::new(HistoryFile::create(&options.history)?));
    journal.note(ClientEvent::Started { pid: process::id() })?;
    starvation::watch(journal.clone())?;
    let resource = options.resource.as_deref().map(ResourceClient::connect).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let locks = build(builder(options)?).await?;
        Turns::new(options, locks, journal, resource, control).take().await?;
        Ok(())
    })
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
