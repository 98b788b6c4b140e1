//! A client in a process of its own: it does what it is told on stdin, and says on stdout what came of it.
//!
//! A line each way, JSON. The process is connected before it says that it is ready, so that no start is measured.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use futures::future::try_join_all;
use redlock::backend::redis::RedisConfig;
use redlock::{Instant, LockGuard, Locks};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::rounds::Rounds;
use crate::bench::Result;
use crate::bench::bare_fred::{BareFred, Polled};
use crate::bench::one_key::jittered;

/// Between two rounds of bare fred, or at most that.
const PAUSE: Duration = Duration::from_millis(20);

/// Who may do everything but be told; then the library polls.
pub(super) const NOT_TOLD: &[&str] = &["ACL", "SETUSER", "nottold", "on", ">pw", "~*", "+@all", "-client"];

/// How a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// The library, told by the servers.
    Told,
    /// The library as a user that may not be told.
    Polling,
    /// Bare fred; after a round in vain a pause from 0 to 20 ms.
    BareJitter,
    /// Bare fred; after a round in vain a pause of 20 ms.
    BareFixed,
}

/// What such a process is started with.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How it waits
    pub way: Way,
    /// The servers, as a user that may do everything
    pub urls: Vec<String>,
}

/// What it is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// So many tasks acquire the lock at once, and each adds 1 to the file.
    Together { name: String, tasks: u32, counter: std::path::PathBuf },
    /// Acquires, holds, releases, again and again.
    Always { name: String, lasts_millis: u64, hold_micros: u64 },
    /// Acquires, and says so.
    Acquire { name: String },
    /// Releases, and says when it began to.
    Release,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Account {
    /// From the order until a task held the lock.
    pub(super) waits_micros: Vec<u64>,
    /// That the acquisitions took, those that needed none left out.
    pub(super) rounds: Vec<u64>,
    /// When it was acquired, or when the release began: nanoseconds of the machine's clock.
    pub(super) at: u64,
}

/// Works until stdin ends.
///
/// # Errors
/// A server that cannot be reached, or refuses what it must not refuse.
pub fn run(options: &Options) -> Result<()> {
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(io::Result::ok) {
            // The work may have ended by an error.
            let _ = sender.send(line);
        }
    });
    let rounds = Rounds::count()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(options, orders, rounds))
}

async fn serve(options: &Options, mut orders: mpsc::UnboundedReceiver<String>, rounds: Rounds) -> Result<()> {
    let client = Client::connect(options).await?;
    say("ready")?;
    let mut held = None;
    while let Some(line) = orders.recv().await {
        let mut account = Account::default();
        match serde_json::from_str(&line)? {
            Order::Together { name, tasks, counter } => {
                let started = Instant::now();
                let task = async || {
                    let (held, took) = client.acquire(&name).await?;
                    let waited = since(started);
                    let number: u64 = std::fs::read_to_string(&counter)?.trim().parse()?;
                    std::fs::write(&counter, (number + 1).to_string())?;
                    held.release().await?;
                    Ok::<_, Box<dyn std::error::Error + Send + Sync>>((waited, took))
                };
                for (waited, took) in try_join_all((0..tasks).map(|_| task())).await? {
                    account.waits_micros.push(waited);
                    account.rounds.extend(took);
                }
            }
            Order::Always { name, lasts_millis, hold_micros } => {
                let until = Instant::now().saturating_add(Duration::from_millis(lasts_millis));
                while Instant::now() < until {
                    let started = Instant::now();
                    let (held, took) = client.acquire(&name).await?;
                    account.waits_micros.push(since(started));
                    account.rounds.extend(took);
                    tokio::time::sleep(Duration::from_micros(hold_micros)).await;
                    held.release().await?;
                }
            }
            Order::Acquire { name } => {
                held = Some(client.acquire(&name).await?.0);
                account.at = Instant::now().as_nanos();
            }
            Order::Release => {
                account.at = Instant::now().as_nanos();
                held.take().ok_or("nothing is held")?.release().await?;
            }
        }
        account.rounds.extend(rounds.take());
        say(&serde_json::to_string(&account)?)?;
    }
    Ok(())
}

fn since(started: Instant) -> u64 {
    u64::try_from(Instant::now().saturating_since(started).as_micros()).unwrap_or(u64::MAX)
}

fn say(line: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

enum Client {
    Ours(Locks),
    Bare(BareFred, Way),
}

enum Held<'a> {
    Ours(LockGuard),
    Bare(Polled<'a>),
}

impl Client {
    async fn connect(options: &Options) -> Result<Self> {
        let way = options.way;
        if matches!(way, Way::BareJitter | Way::BareFixed) {
            return Ok(Self::Bare(BareFred::connect_all(options.urls.clone()).await?, way));
        }
        let mut builder = Locks::builder().ttl(Duration::from_secs(30));
        for url in &options.urls {
            let config = RedisConfig::from_url(url)?;
            builder = builder.redis(if way == Way::Told {
                config
            } else {
                config.username("nottold").password("pw")
            });
        }
        Ok(Self::Ours(builder.build().await?))
    }

    /// With the rounds that it took, where the library's telemetry does not tell.
    async fn acquire(&self, name: &str) -> Result<(Held<'_>, Option<u64>)> {
        match self {
            Self::Ours(locks) => Ok((Held::Ours(locks.lock(name).acquire().await?), None)),
            Self::Bare(fred, way) => {
                let pause = || if *way == Way::BareJitter { jittered(PAUSE) } else { PAUSE };
                let (held, rounds) = fred.poll(name, pause).await?;
                Ok((Held::Bare(held), Some(rounds)))
            }
        }
    }
}

impl Held<'_> {
    async fn release(self) -> Result<()> {
        match self {
            Self::Ours(guard) => Ok(guard.release().await?),
            Self::Bare(held) => held.release().await,
        }
    }
}
