//! Nodes that are memcached processes on loopback.

use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::{ClockStep, MemcachedOptions, MemcachedServer, ServerError};

use super::{Action, ActionKind, Fleet, FleetError, text};
use crate::network::Protocol;

/// Memcached servers of this machine's own program. They keep nothing: whatever is started is empty.
#[derive(Debug)]
pub struct MemcachedFleet {
    nodes: Vec<MemcachedServer>,
    program: String,
}

impl MemcachedFleet {
    /// Starts so many servers.
    ///
    /// # Errors
    /// [`FleetError::Failed`] says what is missing: the program, or the end of a server's log.
    pub fn start(nodes: usize) -> Result<Self, FleetError> {
        let shim = crate::built_clock_shim();
        let options = shim.into_iter().fold(MemcachedServer::options(), MemcachedOptions::clock_shim);
        let start = |_| options.start().map_err(|error| text::failed("the nodes", error));
        let nodes = (0..nodes).map(start).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = nodes.first() else {
            return Err(text::not_done("the nodes", "there are none; expected one at least"));
        };
        let version = talk(first, "version")?;
        let program = format!("memcached {}", version.trim_start_matches("VERSION").trim());
        Ok(Self { nodes, program })
    }
}

impl Fleet for MemcachedFleet {
    fn kind(&self) -> &'static str {
        "memcached"
    }

    fn server(&self) -> String {
        self.program.clone()
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Bytes)
    }

    fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(MemcachedServer::address).collect()
    }

    fn config(&self, reached_at: &[String]) -> String {
        let urls: Vec<_> = reached_at.iter().map(|address| format!("memcached://{address}")).collect();
        text::config(&urls, RedisConfig::DEFAULT_PREFIX)
    }

    fn actions(&self) -> Vec<ActionKind> {
        use ActionKind::{ClockStep, Flush, Kill, Pause, Resume, Start, StartEmpty};
        let clocks = crate::built_clock_shim().map(|_| ClockStep);
        [Kill, Start, StartEmpty, Pause, Resume, Flush].into_iter().chain(clocks).collect()
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        let server = text::pick(self, &self.nodes, node)?;
        let done = match action {
            Action::Kill => {
                server.kill();
                Ok(())
            }
            Action::Start if server.is_running() => Ok(()),
            Action::StartEmpty if server.is_running() => {
                return Err(text::not_done(&server.address(), text::RUNS));
            }
            Action::Start | Action::StartEmpty => server.restart(),
            Action::Pause => server.pause(),
            Action::Resume => server.resume(),
            Action::Flush => return talk(server, "flush_all").map(drop),
            Action::ClockForward(by) => server.step_clock(ClockStep::Forward(by)),
            Action::ClockBack(by) => server.step_clock(ClockStep::Back(by)),
            _ => return Err(FleetError::Unsupported { fleet: self.kind(), action }),
        };
        done.map_err(|error| text::failed(&server.address(), error))
    }

    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        let server = text::pick(self, &self.nodes, node)?;
        // One item a line, `key=KEY exp=...`, without those that have expired.
        let dump = server
            .talk("lru_crawler metadump all\r\n", "END\r\n")
            .map_err(|error| text::failed(&server.address(), error))?;
        if !dump.ends_with("END\r\n") {
            return Err(text::not_done(
                &server.address(),
                &format!("it does not list its keys: {}", dump.trim()),
            ));
        }
        let keys = dump.lines().filter_map(|line| line.strip_prefix("key=")?.split(' ').next());
        let mut keys: Vec<_> = keys.map(text::percent_decoded).collect();
        keys.retain(|key| text::is_lock_key(key, prefix));
        keys.sort_unstable();
        Ok(keys)
    }
}

/// The line that answers a command of one line.
fn talk(server: &MemcachedServer, command: &str) -> Result<String, FleetError> {
    let answer = server.talk(&format!("{command}\r\n"), "\r\n");
    answer.map_err(|error: ServerError| text::failed(&server.address(), error))
}
