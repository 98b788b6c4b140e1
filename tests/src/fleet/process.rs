//! Nodes that are native processes on loopback, each with a log of its writes and a wall clock of its own.

mod sampler;
mod written;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fred::types::Value;
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::{ClockStep, RedisFleet, RedisOptions, RedisServer};

use self::sampler::Sampler;
use self::written::Written;
use super::text::{RUNS, failed, not_done};
use super::{Action, ActionKind, Fleet, FleetError, ask, text};

/// How long a replica has been without its master's writes when it takes that one's place.
const LAG: Duration = Duration::from_millis(300);
/// How long a server may take to answer an operator.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// Redis servers of this machine's own program (`redis-server` or `valkey-server`).
///
/// They append every write to a log before they answer. Where there is a clock shim, each has its own wall clock.
#[derive(Debug)]
pub struct ProcessFleet {
    nodes: Vec<ProcessNode>,
    addresses: Vec<String>,
    prefix: String,
    program: String,
    actions: Vec<ActionKind>,
    // Ends by itself.
    _sampler: Sampler,
}

/// One node. An action holds it until it is done.
#[derive(Debug)]
struct ProcessNode {
    /// Another one after a promotion.
    server: Mutex<RedisServer>,
    written: Arc<Mutex<Written>>,
}

impl ProcessFleet {
    /// Starts so many servers, on which clients may lock under the library's default prefix.
    ///
    /// # Errors
    /// [`FleetError::Failed`] says what is missing: the program, or the end of a server's log.
    pub fn start(nodes: usize) -> Result<Self, FleetError> {
        Self::start_for_prefix(nodes, RedisConfig::DEFAULT_PREFIX)
    }

    /// The same for another prefix: the clients' user may use no other keys.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_for_prefix(nodes: usize, prefix: &str) -> Result<Self, FleetError> {
        let shim = crate::built_clock_shim();
        let options = shim.into_iter().fold(options(prefix), RedisOptions::clock_shim);
        let fleet = RedisFleet::start_with(nodes, &options).map_err(|error| failed("the nodes", error))?;
        let info = match fleet.iter().next() {
            Some(server) => info(server)?,
            None => return Err(not_done("the nodes", "there are none; expected one at least")),
        };
        let addresses = fleet.iter().map(RedisServer::address).collect();
        let nodes = fleet.into_iter().map(ProcessNode::new).collect::<Result<Vec<_>, _>>()?;
        let sampler = Sampler::start(nodes.iter().map(|node| Arc::clone(&node.written)).collect())
            .map_err(|error| failed_to("the nodes", "start the thread that watches their logs", &error))?;
        Ok(Self {
            nodes,
            addresses,
            prefix: prefix.to_owned(),
            program: text::program(&info),
            actions: actions(&info, shim),
            _sampler: sampler,
        })
    }
}

impl Fleet for ProcessFleet {
    fn kind(&self) -> &'static str {
        "process"
    }

    fn server(&self) -> String {
        self.program.clone()
    }

    fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    fn config(&self, reached_at: &[String]) -> String {
        let url = |(node, address): (&ProcessNode, &String)| text::redirected(&node.server().url(), address);
        let urls: Vec<_> = self.nodes.iter().zip(reached_at).map(url).collect();
        text::config(&urls, &self.prefix)
    }

    fn actions(&self) -> Vec<ActionKind> {
        self.actions.clone()
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        let node = text::pick(self, &self.nodes, node)?;
        if !self.actions.contains(&action.kind()) {
            return Err(FleetError::Unsupported { fleet: self.kind(), action });
        }
        node.act(action)
    }

    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        let server = text::pick(self, &self.nodes, node)?.server();
        let mut keys = server.lock_keys().map_err(|error| failed(&server.address(), error))?;
        keys.retain(|key| text::is_lock_key(key, prefix));
        Ok(keys)
    }

    fn command(&self, node: usize, command: &[&str]) -> Result<Value, FleetError> {
        // By the address alone: an action may have hold of the server meanwhile.
        let address = text::pick(self, &self.addresses, node)?;
        ask(&format!("redis://{address}"), command, COMMAND_LIMIT)
            .map_err(|detail| not_done(address, &detail))
    }
}

impl ProcessNode {
    fn new(server: RedisServer) -> Result<Self, FleetError> {
        let written = begin(&server)?;
        Ok(Self { server: Mutex::new(server), written: Arc::new(Mutex::new(written)) })
    }

    fn server(&self) -> MutexGuard<'_, RedisServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, action: Action) -> Result<(), FleetError> {
        let mut server = self.server();
        let address = server.address();
        let done = match action {
            Action::Kill => {
                server.kill();
                Ok(())
            }
            Action::Start if server.is_running() => Ok(()),
            Action::Start => return self.start(&server, |_| Ok(())),
            Action::StartEmpty if server.is_running() => {
                return Err(not_done(&address, RUNS));
            }
            Action::StartEmpty => return self.start(&server, |_| remove_files(server.directory())),
            Action::LosePower => {
                server.kill();
                return self.start(&server, |written| written.lose(Instant::now()));
            }
            Action::Pause => server.pause(),
            Action::Resume => server.resume(),
            Action::Flush => server.command(&["FLUSHALL"]).map(drop),
            Action::Promote => return self.promote(&mut server),
            Action::ClockForward(by) => server.step_clock(ClockStep::Forward(by)),
            Action::ClockBack(by) => server.step_clock(ClockStep::Back(by)),
            Action::ClockRate(ppm) => server.slew_clock(ppm),
        };
        done.map_err(|error| failed(&address, error))
    }

    /// Starts a dead one after something was done to its files.
    fn start(
        &self,
        server: &RedisServer,
        files: impl FnOnce(&mut Written) -> io::Result<()>,
    ) -> Result<(), FleetError> {
        let address = server.address();
        let mut written = self.written();
        files(&mut written).map_err(|error| failed_to(&address, "change its files", &error))?;
        server.restart().map_err(|error| failed(&address, error))?;
        *written = begin(server)?;
        Ok(())
    }

    /// A real replica is started beside the node and fed; then it is made a master, so that it misses what the node is told
    /// from now on; a while later the node is killed, and the replica's process listens at its address.
    fn promote(&self, server: &mut RedisServer) -> Result<(), FleetError> {
        let address = server.address();
        let taken_over = || {
            let replica = server.start_replica()?;
            replica.promote()?;
            thread::sleep(LAG);
            replica.take_place_of(server)?;
            Ok(replica)
        };
        let replica = taken_over().map_err(|error| failed(&address, error))?;
        let mut written = self.written();
        *written = begin(&replica)?;
        *server = replica;
        Ok(())
    }
}

fn options(prefix: &str) -> RedisOptions {
    let rights = RedisConfig::new("localhost").prefix(prefix).restart_guard(true).acl_rule();
    RedisServer::options()
        .persistent()
        .rights(rights)
        // With `everysec` an answered write may wait in the process for a sync that is under way, and a kill takes it.
        .arg("--appendfsync", "no")
        // Its length says how old it is: `written`.
        .arg("--auto-aof-rewrite-percentage", "0")
        .arg("--repl-diskless-sync-delay", "0")
}

fn actions(info: &str, shim: Option<&Path>) -> Vec<ActionKind> {
    use ActionKind::*;
    let mut actions = vec![Kill, Start, StartEmpty, LosePower, Pause, Resume, Flush];
    let major =
        text::field(info, "redis_version").and_then(|version| version.split('.').next()?.parse().ok());
    // An earlier one cannot change its port.
    if major.is_some_and(|major: u32| major >= 7) {
        actions.push(Promote);
    }
    if shim.is_some() {
        actions.extend([ClockStep, ClockRate]);
    }
    actions
}

fn info(server: &RedisServer) -> Result<String, FleetError> {
    let info = server.command(&["INFO", "server"]).map_err(|error| failed(&server.address(), error))?;
    Ok(info.text().unwrap_or_default().to_owned())
}

fn begin(server: &RedisServer) -> Result<Written, FleetError> {
    Written::begin(server.directory(), Instant::now())
        .map_err(|error| failed_to(&server.address(), "look at its log", &error))
}

/// Removes what a server has written: a log, in a file or a directory of them, or a dump.
fn remove_files(directory: &Path) -> io::Result<()> {
    let missing_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    missing_is_fine(fs::remove_dir_all(directory.join("appendonlydir")))?;
    missing_is_fine(fs::remove_file(directory.join("appendonly.aof")))?;
    missing_is_fine(fs::remove_file(directory.join("dump.rdb")))
}

fn failed_to(node: &str, what: &str, error: &io::Error) -> FleetError {
    not_done(node, &format!("cannot {what}: {error}"))
}
