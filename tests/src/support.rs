//! What the tests on real servers share: waiting, fleets and their keys, and the helper process.
//!
//! Everything here panics instead of returning errors: it is for tests alone. Nothing needs a runtime.

mod certificates;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use certificates::Certificates;
use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::Node;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{Locks, LocksBuilder};
use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for what must happen. A machine that is busy with other tests is slow.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How long the `holder` program waits for a node when it asks for many locks.
pub const ASK_PATIENCE: Duration = Duration::from_secs(1);

/// A TTL that no test outlives: a key that goes away was released, and did not expire.
pub const LONG: Duration = Duration::from_secs(300);

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Locks on these servers with a TTL that no test outlives, and patience with slow servers. Without the restart guard: its
/// quarantines are as long as the TTL; tests of what it is for switch it on.
pub fn builder(fleet: &RedisFleet) -> LocksBuilder {
    builder_with_prefix(fleet, RedisConfig::DEFAULT_PREFIX)
}

/// Servers whose user may lock under this prefix.
pub fn start_for_prefix(count: usize, prefix: &str) -> RedisFleet {
    let rights = RedisConfig::new("localhost").prefix(prefix).restart_guard(true).acl_rule();
    RedisFleet::start_with(count, &RedisServer::options().rights(rights)).unwrap()
}

/// As [`builder`], with keys that begin with this prefix, on servers of [`start_for_prefix`].
pub fn builder_with_prefix(fleet: &RedisFleet, prefix: &str) -> LocksBuilder {
    let builder = Locks::builder().restart_guard(false).ttl(LONG).node_timeout(Duration::from_millis(500));
    fleet.urls().iter().fold(builder, |builder, url| {
        let config = RedisConfig::from_url(url).unwrap().prefix(prefix);
        builder.redis(config.connect_timeout(Duration::from_secs(3)))
    })
}

/// As [`builder`], connected.
#[track_caller]
pub fn connect(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).build()).unwrap()
}

/// Waits until no lock is left on any server that runs. Paused ones must have been resumed.
#[track_caller]
pub fn assert_no_key_is_left(fleet: &RedisFleet) {
    eventually("no key is left on any server", || {
        fleet.iter().filter(|server| server.is_running()).all(|server| lock_keys(server).is_empty())
    });
}

/// The keys of a server that are locks, sorted; the counters beside them stay for a while.
pub fn lock_keys(server: &RedisServer) -> Vec<String> {
    server.lock_keys().unwrap()
}

/// How many of the servers that answer have this key.
pub fn servers_with(fleet: &RedisFleet, key: &str) -> usize {
    let has = |server: &&RedisServer| {
        server.is_running()
            && !is_paused(server)
            && server.command(&["EXISTS", key]).unwrap().integer() == Some(1)
    };
    fleet.iter().filter(has).count()
}

/// Whether the process stands still (SIGSTOP).
pub fn is_paused(server: &RedisServer) -> bool {
    let Some(pid) = server.pid() else { return false };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    state_of(&stat) == Some('T')
}

/// The state in a `stat` file of proc(5).
fn state_of(stat: &str) -> Option<char> {
    // It comes behind the name, which is in parentheses.
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Whether the node says at once that it has no connection.
pub fn is_disconnected(node: &Arc<dyn Node>) -> bool {
    // An answer that is there at once: the server need not be asked.
    matches!(Arc::clone(node).probe().now_or_never(), Some(Err(_)))
}

/// Measures how late this process gets the CPU, for tests of what would otherwise be exact.
pub struct Lateness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Lateness {
    /// Begins to measure, on a thread that does nothing but sleep.
    pub fn start() -> Self {
        const TICK: Duration = Duration::from_millis(2);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut worst = Duration::ZERO;
            while !stopped.load(Ordering::SeqCst) {
                let started = Instant::now();
                thread::sleep(TICK);
                worst = worst.max(started.elapsed().saturating_sub(TICK));
            }
            worst
        });
        Self { stop, thread }
    }

    /// What to allow for one thread that wakes another: little, unless the machine was starved meanwhile.
    pub fn allowance(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        Duration::from_millis(100) + 2 * self.thread.join().unwrap()
    }
}

/// `program` in a time namespace of its own, whose clocks are so many seconds ahead of the machine's.
///
/// It ends when the command is killed. Without root the kernel must allow user namespaces.
pub fn in_time_namespace(boottime: i64, monotonic: i64, program: &str) -> Command {
    let offsets = [format!("--boottime={boottime}"), format!("--monotonic={monotonic}")];
    let unshare = |rights: &[&str], program: &str| {
        let mut command = Command::new("unshare");
        command.args(rights).arg("--time").args(&offsets).args(["--fork", "--kill-child", "--", program]);
        command
    };
    let mut refusals = Vec::new();
    for rights in [&[][..], &["--user", "--map-root-user"]] {
        let mut attempt = unshare(rights, "true");
        match attempt.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return unshare(rights, program),
            Ok(output) => refusals.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    panic!(
        "this test needs time namespaces: Linux 5.6 or later, `unshare` of util-linux 2.36 or later, and root or \
         unprivileged user namespaces (a container may forbid both: allow CAP_SYS_ADMIN, or the system call \
         unshare(2), or run the tests outside of it). As this user, and in a user namespace: {refusals:?}"
    );
}

/// The `holder` program in a process of its own; killed (SIGKILL) when dropped.
pub struct HolderProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl HolderProcess {
    /// Starts the program, which the test knows as `env!("CARGO_BIN_EXE_holder")`.
    pub fn start(program: &str, arguments: &[&str], fleet: &RedisFleet) -> Self {
        Self::spawn(Command::new(program).args(arguments), fleet)
    }

    /// Starts the program by a command of one's own, which lacks the servers alone.
    pub fn spawn(command: &mut Command, fleet: &RedisFleet) -> Self {
        Self::spawn_on(command, &fleet.urls())
    }

    /// The same on nodes of any kind.
    pub fn spawn_on(command: &mut Command, urls: &[String]) -> Self {
        Self::run(command.args(urls))
    }

    /// Starts any program that talks by lines.
    pub fn run(command: &mut Command) -> Self {
        // Its stdin is a pipe: the program ends when this one does, however that happens.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line that it prints; blocks until it does, or ends.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Writes a line to its stdin; the line stays in the pipe while it stands still.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// Writes any line to its stdin.
    pub fn ask(&mut self) {
        self.say("go");
    }

    /// Waits until each of its threads waits for something: it is in the middle of nothing.
    pub fn wait_until_idle(&self) {
        let tasks = format!("/proc/{}/task", self.child.id());
        eventually("every thread of the holder waits", || {
            fs::read_dir(&tasks).unwrap().all(|task| {
                let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
                state_of(&stat) == Some('S')
            })
        });
    }

    /// Stops it (SIGSTOP), or lets it go on (SIGCONT).
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it with SIGKILL, and returns once it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for HolderProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
