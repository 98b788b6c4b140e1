//! A worker process: one client, steered by the demo through pipes.
//!
//! It connects, says `ready`, and begins at the line `go` on stdin. When stdin ends, so does the process: the demo is
//! gone then, however it ended.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::{fs, thread};

use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::Node;
use redlock::testing::real_env;
use tokio::sync::{mpsc, oneshot};

use super::client::{Client, Job};
use super::counter::Counter;
use super::event::Event;
use super::without::Without;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Increments the demo's counter; started by `redlock demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    #[arg(long)]
    counter: PathBuf,
    #[arg(long)]
    first: u32,
    #[arg(long)]
    contenders: u32,
    #[arg(long)]
    rounds: u32,
    #[arg(long)]
    without: Option<Without>,
    #[arg(required = true)]
    nodes: Vec<String>,
}

impl WorkerArgs {
    /// The words that start a worker with this job.
    pub(super) fn words(job: &Job, nodes: &[String]) -> Vec<String> {
        let mut words = vec![
            "demo-worker".to_owned(),
            format!("--counter={}", job.counter.file().display()),
            format!("--first={}", job.first),
            format!("--contenders={}", job.contenders),
            format!("--rounds={}", job.rounds),
        ];
        words.extend(job.without.name().map(|name| format!("--without={name}")));
        words.extend_from_slice(nodes);
        words
    }
}

/// Runs a worker to its end.
pub(crate) fn work(args: WorkerArgs) -> ExitCode {
    let go = obey_stdin(args.counter.clone());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(contend(args, go)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn contend(args: WorkerArgs, go: oneshot::Receiver<()>) -> Result<(), Error> {
    let WorkerArgs { counter, first, contenders, rounds, without, nodes } = args;
    let without = without.unwrap_or_default();
    let job = Job { counter: Counter::open(counter), first, contenders, rounds, without };
    let client = Client::connect(job, redis_nodes(&nodes, without)?).await?;
    say(&Event::Ready)?;
    go.await?;
    let (events, mut reported) = mpsc::unbounded_channel();
    let contending = tokio::spawn(client.contend(events));
    while let Some(event) = reported.recv().await {
        say(&event)?;
    }
    Ok(contending.await?)
}

fn redis_nodes(urls: &[String], without: Without) -> Result<Vec<Arc<dyn Node>>, Error> {
    let env = real_env()?;
    let node = |url: &String| -> Result<Arc<dyn Node>, Error> {
        let config = RedisConfig::from_url(url)?;
        Ok(RedisNode::start(config, Arc::clone(&env), without.protections())?)
    };
    urls.iter().map(node).collect()
}

/// Passes the word on when it is given, and ends the process when stdin ends.
fn obey_stdin(counter: PathBuf) -> oneshot::Receiver<()> {
    let (go, gone) = oneshot::channel();
    thread::spawn(move || {
        let mut lines = io::stdin().lock().lines();
        if let Some(Ok(_)) = lines.next() {
            let _ = go.send(());
        }
        while let Some(Ok(_)) = lines.next() {}
        tidy_up(&counter);
        process::exit(1)
    });
    gone
}

/// The demo removes its directory itself, unless it was killed.
fn tidy_up(counter: &Path) {
    let _ = fs::remove_file(counter);
    let _ = counter.parent().map(fs::remove_dir);
}

fn say(event: &Event) -> io::Result<()> {
    writeln!(io::stdout(), "{event}")
}

fn failed(error: &Error) -> ExitCode {
    // If the demo is gone, so is the pipe.
    let _ = say(&Event::Failed(error.to_string())).and_then(|()| say(&Event::Done));
    ExitCode::FAILURE
}
