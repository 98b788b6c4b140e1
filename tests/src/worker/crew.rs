//! The workers of a run, as the process that starts them sees them.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::options::Options;
use crate::fault;
use crate::history::Event;

/// Worker processes, each one client of a run. Dropped, they are killed and gone.
pub struct Crew {
    program: PathBuf,
    members: Vec<Mutex<Member>>,
}

struct Member {
    /// Of its first process.
    options: Options,
    process: Process,
    histories: Vec<PathBuf>,
}

impl Crew {
    /// Starts a worker for each of these options: `PROGRAM worker OPTIONS`.
    ///
    /// # Errors
    /// If a process cannot be started; the others are gone again.
    pub fn start(program: &Path, clients: Vec<Options>) -> io::Result<Self> {
        let start = |options: Options| {
            let process = Process::start(program, &options)?;
            let histories = vec![options.history.clone()];
            Ok(Mutex::new(Member { options, process, histories }))
        };
        let members = clients.into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Self { program: program.to_owned(), members })
    }

    /// Stops a client (SIGSTOP), and returns once it stands still, or has ended. Clients are counted as they were given.
    ///
    /// # Errors
    /// If there is no such client, or it cannot be signalled.
    pub fn pause(&self, client: usize) -> io::Result<()> {
        self.member(client)?.process.pause()
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn resume(&self, client: usize) -> io::Result<()> {
        self.member(client)?.process.resume()
    }

    /// Kills a client (SIGKILL), and starts another process in its place once it is gone.
    ///
    /// # Errors
    /// If there is no such client, or the other process cannot be started.
    pub fn kill_and_replace(&self, client: usize) -> io::Result<()> {
        let mut member = self.member(client)?;
        member.process.kill();
        let generation = member.histories.len();
        let mut options = member.options.clone();
        options.history.as_mut_os_string().push(format!(".{generation}"));
        // What it does must not be what the first one has done.
        options.seed = options.seed.wrapping_add(1_000_003 * generation as u64);
        member.histories.push(options.history.clone());
        member.process = Process::start(&self.program, &options)?;
        Ok(())
    }

    /// Tells all that there are no faults any more. Those that stand still learn it when they go on.
    ///
    /// # Errors
    /// If one has ended.
    pub fn calm(&self) -> io::Result<()> {
        (0..self.members.len()).try_for_each(|client| self.member(client)?.process.say("calm"))
    }

    /// Waits until all have ended, for so long at most; returns those that have not, and those that ended with an error.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn wait(&self, limit: Duration) -> io::Result<Vec<usize>> {
        let started = Instant::now();
        let mut left: Vec<usize> = (0..self.members.len()).collect();
        let mut failed = Vec::new();
        loop {
            let mut running = Vec::new();
            for client in left {
                match self.member(client)?.process.child.try_wait()? {
                    None => running.push(client),
                    Some(status) if status.success() => {}
                    Some(_) => failed.push(client),
                }
            }
            left = running;
            if left.is_empty() || started.elapsed() >= limit {
                failed.extend(left);
                failed.sort_unstable();
                return Ok(failed);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The clients that have ended with an error up to now; what was wrong, they have said on stderr.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn failed(&self) -> io::Result<Vec<usize>> {
        let mut failed = Vec::new();
        for client in 0..self.members.len() {
            let status = self.member(client)?.process.child.try_wait()?;
            failed.extend(status.filter(|status| !status.success()).map(|_| client));
        }
        Ok(failed)
    }

    /// What all of them have written up to now, in no order.
    ///
    /// # Errors
    /// If a history cannot be read.
    pub fn events(&self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        for client in 0..self.members.len() {
            for path in &self.member(client)?.histories {
                match File::open(path) {
                    Ok(file) => events.extend(Event::read_lines(BufReader::new(file))?),
                    // It was killed before it had begun.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(events)
    }

    /// The processes that run now.
    pub fn pids(&self) -> Vec<u32> {
        let pid = |member: &Mutex<Member>| locked(member).process.child.id();
        self.members.iter().map(pid).collect()
    }

    fn member(&self, client: usize) -> io::Result<MutexGuard<'_, Member>> {
        let member = self.members.get(client).ok_or_else(|| {
            let what = format!("there is no client {client}, only {}", self.members.len());
            io::Error::new(io::ErrorKind::InvalidInput, what)
        })?;
        Ok(locked(member))
    }
}

impl fault::Crew for Crew {
    fn pause(&self, client: usize) -> io::Result<()> {
        Self::pause(self, client)
    }

    fn resume(&self, client: usize) -> io::Result<()> {
        Self::resume(self, client)
    }

    fn kill_and_replace(&self, client: usize) -> io::Result<()> {
        Self::kill_and_replace(self, client)
    }
}

fn locked(member: &Mutex<Member>) -> MutexGuard<'_, Member> {
    member.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One process, which ends with the one that started it, also while it stands still. It has a process group of its own: a
/// Ctrl-C on the terminal is for this program to handle.
struct Process {
    child: Child,
    watchdog: Child,
}

/// Its stdin is a pipe from this program. The pipe's end means that this program is gone, even by SIGKILL. A worker that
/// runs sees that by itself; one that stands still does not.
const WATCHDOG: &str = r#"read -r end; kill -KILL "$1""#;

impl Process {
    fn start(program: &Path, options: &Options) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("worker")
            .args(options.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display()))
            })?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(Self { child, watchdog }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn pause(&self) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP)?;
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), options)?;
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::CONT)?)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(pipe) => writeln!(pipe, "{line}"),
            None => Ok(()),
        }
    }

    fn kill(&mut self) {
        // The watchdog first: it must not find another process under this one's number.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
