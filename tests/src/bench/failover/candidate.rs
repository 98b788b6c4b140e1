//! A candidate in a process of its own: it leads whenever it can, and says on stdout when it began and stopped.
//!
//! A line each way, JSON. Times are those of the machine's clock, which all processes share.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use redlock::{Election, Instant, Locks};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::bench::Result;

/// What such a process is started with.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The TTL of the leadership
    #[arg(long, value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// The servers
    pub urls: Vec<String>,
}

/// What is to be led. Every fleet has only one.
pub(super) const NAME: &str = "failover";

/// What it is to do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Order {
    /// Resigns, and stands back until it is told to stand again.
    StandBack,
    /// Campaigns again.
    Stand,
}

/// What it says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Event {
    /// It is connected and campaigns.
    Ready,
    /// It was told to resign.
    Resigns { at: u64 },
    /// It leads.
    Leads { at: u64, epoch: u64 },
    /// Its work has stopped.
    Stopped { at: u64, epoch: u64 },
}

/// Campaigns until stdin ends.
///
/// # Errors
/// A server that cannot be reached, or refuses what it must not refuse.
pub fn run(options: &Options) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<()> {
    let builder = Locks::builder().nodes(&options.urls).ttl(options.ttl).max_ttl(options.ttl);
    let locks = builder.build().await?;
    let election = locks.election(NAME);
    let (told, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(io::Result::ok) {
            // The election may have ended by an error.
            let _ = told.send(line);
        }
    });
    say(Event::Ready)?;
    let leads = election.run(|term| async move {
        let epoch = term.epoch().get();
        // Dropped with the work, in whatever way that ends.
        let _stopped = Stopped { epoch };
        let _ = say(Event::Leads { at: now(), epoch });
        term.stop_requested().await;
        ControlFlow::<()>::Continue(())
    });
    tokio::select! {
        ended = leads => drop(ended?),
        obeyed = obey(&election, orders) => obeyed?,
    }
    Ok(())
}

async fn obey(election: &Election, mut orders: mpsc::UnboundedReceiver<String>) -> Result<()> {
    while let Some(line) = orders.recv().await {
        match serde_json::from_str(&line)? {
            Order::StandBack => {
                say(Event::Resigns { at: now() })?;
                election.set_eligible(false);
            }
            Order::Stand => election.set_eligible(true),
        }
    }
    Ok(())
}

struct Stopped {
    epoch: u64,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Whoever reads has gone, or is told.
        let _ = say(Event::Stopped { at: now(), epoch: self.epoch });
    }
}

fn now() -> u64 {
    Instant::now().as_nanos()
}

fn say(event: Event) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(&event)?)?;
    Ok(stdout.flush()?)
}
