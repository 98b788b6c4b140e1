//! What this process and servers have used: CPU, memory, commands and bytes.

use std::io;
use std::time::Duration;

use redlock::testing::servers::RedisServer;
use rustix::time::{ClockId, clock_gettime};

use super::Result;

/// CPU time of this process, all of its threads.
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Resident memory of this process, in bytes.
///
/// # Errors
/// `/proc` does not tell.
pub fn resident() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS in kB"))
}

/// What a server has done so far, or several together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Served {
    /// Calls of scripts: what the client sent, but for its own examination of the server.
    pub scripts: f64,
    /// Commands, those within scripts too.
    pub commands: f64,
    /// From clients.
    pub bytes_in: f64,
    /// To clients.
    pub bytes_out: f64,
    /// Seconds, user and system.
    pub cpu: f64,
    /// Bytes of its memory, as it counts them.
    pub memory: f64,
}

impl Served {
    /// Asks one server.
    ///
    /// # Errors
    /// It does not answer.
    pub fn by(server: &RedisServer) -> Result<Self> {
        let reply = server.command(&["INFO", "everything"])?;
        let text = reply.text().ok_or("INFO is no text")?;
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or_default()
        };
        // cmdstat_evalsha:calls=1,usec=...
        let calls = text.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls = calls.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or_default();
        Ok(Self {
            scripts: calls,
            commands: field("total_commands_processed"),
            bytes_in: field("total_net_input_bytes"),
            bytes_out: field("total_net_output_bytes"),
            cpu: field("used_cpu_user") + field("used_cpu_sys"),
            memory: field("used_memory"),
        })
    }

    /// Asks several, and adds up.
    ///
    /// # Errors
    /// One does not answer.
    pub fn by_all<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> Result<Self> {
        servers.into_iter().try_fold(Self::default(), |sum, server| {
            let one = Self::by(server)?;
            Ok(Self {
                scripts: sum.scripts + one.scripts,
                commands: sum.commands + one.commands,
                bytes_in: sum.bytes_in + one.bytes_in,
                bytes_out: sum.bytes_out + one.bytes_out,
                cpu: sum.cpu + one.cpu,
                memory: sum.memory + one.memory,
            })
        })
    }

    /// What was done since `earlier`, divided by `by`.
    #[must_use]
    pub fn since(self, earlier: Self, by: f64) -> Self {
        Self {
            scripts: (self.scripts - earlier.scripts) / by,
            commands: (self.commands - earlier.commands) / by,
            bytes_in: (self.bytes_in - earlier.bytes_in) / by,
            bytes_out: (self.bytes_out - earlier.bytes_out) / by,
            cpu: (self.cpu - earlier.cpu) / by,
            memory: (self.memory - earlier.memory) / by,
        }
    }
}
