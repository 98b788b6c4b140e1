//! What a worker is told when it starts.

use std::ffi::OsString;
use std::path::PathBuf;

/// What a worker is told when it starts.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Its number, from 0
    #[arg(long)]
    pub client: usize,
    /// The configuration of its locks (TOML)
    #[arg(long)]
    pub config: PathBuf,
    /// The file that its history goes to; there must be none yet
    #[arg(long)]
    pub history: PathBuf,
    /// The seed of all that it does at random
    #[arg(long)]
    pub seed: u64,
    /// How many locks there are: `chaos-0` and so on
    #[arg(long)]
    pub names: usize,
    /// The socket of the resource that the locks protect; none is used otherwise
    #[arg(long)]
    pub resource: Option<PathBuf>,
    /// Lacks this safeguard of the library
    #[arg(long)]
    pub without: Option<String>,
    /// How many tasks it has, each with locks of its own
    #[arg(long, default_value_t = 1)]
    pub tasks: usize,
    /// Stands for an election besides
    #[arg(long)]
    pub stands: bool,
    /// What it does with its locks
    #[arg(long, value_enum, default_value_t)]
    pub habit: Habit,
}

/// What a worker does with its locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Habit {
    /// Waits, tries and loses patience; keeps locks for a moment, for several TTLs, or unrenewed to their end; updates the
    /// resource under half of them.
    #[default]
    Mixed,
    /// Updates the resource under every lock, and lets two TTLs pass between its read and its write, without a look at the
    /// lock.
    Careless,
    /// Stands for an election, and updates the resource in every term in the same way. Has one task.
    Leads,
}

/// The name of a lock, by its number.
pub fn name_of(number: usize) -> String {
    format!("chaos-{number}")
}

impl Options {
    /// The same on a command line.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        add("--client", self.client.to_string().into());
        add("--config", self.config.clone().into());
        add("--history", self.history.clone().into());
        add("--seed", self.seed.to_string().into());
        add("--names", self.names.to_string().into());
        add("--tasks", self.tasks.to_string().into());
        if let Some(resource) = &self.resource {
            add("--resource", resource.clone().into());
        }
        if let Some(without) = &self.without {
            add("--without", without.into());
        }
        let habit = match self.habit {
            Habit::Mixed => "mixed",
            Habit::Careless => "careless",
            Habit::Leads => "leads",
        };
        add("--habit", habit.into());
        if self.stands {
            arguments.push("--stands".into());
        }
        arguments
    }
}
