//! What a run of chaos is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use redlock::backend::redis::RedisConfig;

use crate::fault::{self, FaultKind};
use crate::fleet::{self, Fleet, UrlFleet};

/// What a run is asked to do.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// What the locks are kept on: `process` (redis-servers of its own), `docker` (Redis in containers of its own), `memcached`
    /// (servers of its own), `etcd` or `zookeeper` (the members of an ensemble of its own), `file` (a directory), or the URLs of Redis
    /// servers that run already, with commas between them: nothing is done to those but what happens on the way to them
    #[arg(long, default_value = "process", value_name = "KIND|URLS")]
    pub fleet: String,
    /// How many nodes, or members of an ensemble; without it 5, 3 members, or 1 directory; with URLs as many as there are
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub nodes: Option<u32>,
    /// What goes wrong, with commas between the kinds; `all` is whatever can be done to such nodes
    ///
    /// To nodes: kill (SIGKILL, back with its data, if it keeps any), amnesia (back without), power (back with old data), pause
    /// (SIGSTOP), flush (FLUSHALL, flush_all), promote (a lagging replica takes over), clock (jumps), slew (runs 8 % wrong). On the way:
    /// partition, reply-lost, delay, reset. To clients: client-kill, client-pause. Redis processes can have all of them, memcached all
    /// but power, promote and slew, members of etcd and ZooKeeper kill, pause and those on the way; clients can have theirs anywhere.
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "KINDS")]
    pub faults: Vec<Faults>,
    /// How many clients, each in a process of its own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub clients: u32,
    /// How many tasks each client has, which may hand a lock to each other
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub tasks: u32,
    /// How many locks they contend for
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub names: u32,
    /// Without the election that all clients stand for besides
    #[arg(long)]
    pub no_election: bool,
    /// The seed of everything random; without it a new one, which is printed
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long things go wrong; what comes before and after takes a few TTLs more
    #[arg(long = "for", default_value = "60s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub length: Duration,
    /// The TTL of the locks
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// The longest TTL, which nodes without their memory are out for; all clients of a node must agree on it. Without it, the TTL
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub max_ttl: Option<Duration>,
    /// Where the report goes, an HTML file; without it `chaos-SEED.html`
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Where the history goes, if it is wanted: an event a line, in JSON
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Runs without this safeguard of the library, to see what it is for
    #[arg(long, value_name = "SWITCH", value_parser = clap::builder::PossibleValuesParser::new(redlock::Protections::NAMES))]
    pub without: Option<String>,
}

/// One word of `--faults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// All that are possible.
    All,
    /// This kind.
    One(FaultKind),
}

impl std::str::FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

impl Options {
    /// The kinds of faults that are asked for.
    ///
    /// # Errors
    /// If one cannot be done to this fleet, with those that can.
    pub fn kinds(&self, fleet: &dyn Fleet) -> Result<Vec<FaultKind>, String> {
        let mut kinds = Vec::new();
        for faults in &self.faults {
            match faults {
                Faults::All => kinds.extend(fault::possible(fleet)),
                Faults::One(kind) => kinds.push(*kind),
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        fault::check(fleet, &kinds)?;
        Ok(kinds)
    }

    /// How many nodes are to be started.
    pub fn nodes(&self) -> usize {
        self.nodes.map_or_else(|| fleet::nodes_by_default(&self.fleet), |nodes| nodes as usize)
    }

    /// The longest TTL.
    pub fn longest_ttl(&self) -> Duration {
        self.max_ttl.unwrap_or(self.ttl)
    }

    /// The command that repeats this run, for people.
    pub fn command(&self, seed: u64, kinds: &[FaultKind]) -> String {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        // URLs may hold passwords.
        let fleet = if self.is_of_strangers() { "URLS" } else { &self.fleet };
        let mut command = format!(
            "cargo run --release -p redlock-tests --bin chaos -- --fleet {fleet} --nodes {} --faults {} --clients {} \
             --tasks {} --names {} --seed {seed} --for {} --ttl {}",
            self.nodes(),
            kinds.join(","),
            self.clients,
            self.tasks,
            self.names,
            humantime::format_duration(self.length),
            humantime::format_duration(self.ttl),
        );
        if let Some(longest) = self.max_ttl {
            command += &format!(" --max-ttl {}", humantime::format_duration(longest));
        }
        if self.no_election {
            command += " --no-election";
        }
        if let Some(safeguard) = &self.without {
            command += &format!(" --without {safeguard}");
        }
        command
    }

    /// What the keys of the locks begin with.
    pub fn prefix(&self) -> String {
        // The users of servers of our own may have no other.
        let prefix = if self.is_of_strangers() { UrlFleet::PREFIX } else { RedisConfig::DEFAULT_PREFIX };
        prefix.to_owned()
    }

    /// Whether the nodes are somebody else's.
    pub fn is_of_strangers(&self) -> bool {
        self.fleet.contains("://")
    }
}
