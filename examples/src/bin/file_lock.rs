//! A lock between the processes of one machine, without a server: records in a directory, guarded by flock(2).
//!
//! Unlike flock(1) alone it has what all locks here have: a TTL, fencing tokens, and the report of its loss.
//!
//! ```sh
//! cargo run -p redlock-examples --bin file_lock
//! ```

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::Context as _;
use redlock::Locks;
use redlock::backend::file::FileConfig;
use redlock::blocking;

const WORKERS: u32 = 4;
const ROUNDS: u32 = 25;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => supervise(),
        ["count", folder] => count(Path::new(folder)),
        ["hold", folder] => hold(Path::new(folder)),
        _ => anyhow::bail!("expected no arguments"),
    }
}

/// The locks in a directory. All programs that share them name the same one.
fn open(folder: &Path) -> anyhow::Result<blocking::Locks> {
    Ok(Locks::builder()
        .file(FileConfig::new(folder.join("locks")))
        .ttl(Duration::from_secs(1))
        .build_blocking()?)
}

/// Starts the others, and kills one of them.
fn supervise() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let counter = folder.path().join("counter");
    fs::write(&counter, "0")?;

    let workers: Vec<Child> =
        (0..WORKERS).map(|_| start("count", folder.path())).collect::<anyhow::Result<_>>()?;
    for mut worker in workers {
        anyhow::ensure!(worker.wait()?.success(), "a worker has failed");
    }
    println!("{WORKERS} processes, {ROUNDS} rounds each: the counter is {}", fs::read_to_string(&counter)?);

    let mut holder = start("hold", folder.path())?;
    let mut line = String::new();
    let output = holder.stdout.take().context("its output is a pipe")?;
    BufReader::new(output).read_line(&mut line)?;
    holder.kill()?;
    holder.wait()?;
    println!("a holder was killed (SIGKILL), {}", line.trim_end());

    // Whatever it was about to do it cannot do any more. Its lock ends with its TTL, as it would on a server.
    let locks = open(folder.path())?;
    let killed = Instant::now();
    let guard = locks.lock("counter").acquire()?;
    let waited = if killed.elapsed() < Duration::from_secs(2) { "within its TTL of 1 s" } else { "later" };
    let token = guard.fencing_token().map_or(0, |token| token.get());
    println!("the next one has the lock {waited}, token {token}");
    guard.release()?;
    locks.shutdown(Duration::from_secs(1));
    Ok(())
}

fn start(task: &str, folder: &Path) -> anyhow::Result<Child> {
    Ok(Command::new(env::current_exe()?).arg(task).arg(folder).stdout(Stdio::piped()).spawn()?)
}

/// Adds 1 to the number in a file, again and again.
fn count(folder: &Path) -> anyhow::Result<()> {
    let locks = open(folder)?;
    let counter = folder.join("counter");
    for _ in 0..ROUNDS {
        let guard = locks.lock("counter").acquire()?;
        let number: u32 = fs::read_to_string(&counter)?.parse()?;
        fs::write(&counter, (number + 1).to_string())?;
        guard.release()?;
    }
    locks.shutdown(Duration::from_secs(1));
    Ok(())
}

/// Acquires, and never lets go.
fn hold(folder: &Path) -> anyhow::Result<()> {
    let locks = open(folder)?;
    let guard = locks.lock("counter").acquire()?;
    println!("token {}", guard.fencing_token().map_or(0, |token| token.get()));
    loop {
        thread::park();
    }
}
