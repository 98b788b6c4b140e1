//! `redlock init`: admits all nodes of a fleet at once, on the operator's word that nobody holds a lock.

mod duration;
mod standing;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use redlock::config::Config;
use redlock::node::{Node, NodeError, Standing};
use redlock::{BuildError, Locks, LocksBuilder};

use crate::exit;

/// The TTL of locks that state none; the longest one may be shorter.
const DEFAULT_TTL: Duration = Duration::from_secs(10);

/// Admit all nodes at once, on your word that no client holds a lock on them
///
/// A node whose memory is new grants nothing until the longest TTL (maxExpiration) has passed: what it may have forgotten has
/// expired by then. The nodes of a new fleet wait so once, too. Where you know that nobody holds a lock, on new servers
/// or with every client stopped, this ends the wait. It is also how maxExpiration or the set of nodes is changed with
/// every client stopped. Said while somebody holds a lock, another may get it as well.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes and --config the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES. Other users of this machine can see a
command line: give passwords by the file or the environment.

Examples:
  redlock init --nodes redis://10.0.0.1,redis://10.0.0.2,redis://10.0.0.3
  redlock init --config etc/etc.toml --yes

Exit codes: 0 all nodes are admitted, 1 not confirmed, 64 usage (also: no terminal and no --yes), 69 not every node
reached, 78 configuration")]
pub(crate) struct Args {
    /// The nodes, separated by commas: redis://[user:password@]host[:port][/db], or rediss:// for TLS
    #[arg(long, value_name = "URL,...", value_delimiter = ',', conflicts_with = "config")]
    nodes: Vec<String>,
    /// The configuration file of the clients
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The longest TTL, as all clients have it (maxExpiration): 30s, 1m30s; a bare number is seconds
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max_ttl: Option<Duration>,
    /// Do not ask: no client holds a lock
    #[arg(long)]
    yes: bool,
}

/// Why it ended before all nodes were admitted.
enum Failed {
    Unavailable(String),
    Misconfigured(String),
    Misused(String),
    Other(String),
}

/// Runs the command to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failed(error),
    };
    match runtime.block_on(args.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Unavailable(why)) => exit::unavailable(why),
        Err(Failed::Misconfigured(why)) => exit::misconfigured(why),
        Err(Failed::Misused(why)) => exit::misused(why),
        Err(Failed::Other(why)) => exit::failed(why),
    }
}

impl Args {
    async fn run(&self) -> Result<(), Failed> {
        let builder = self.builder()?;
        let nodes = builder.look().await?;
        println!("To be admitted at once, as one fleet:");
        list(&nodes);
        can_be_initialised(&nodes).await?;
        self.confirm()?;
        drop(nodes);
        let locks = builder.init().await?;
        println!("Admitted:");
        list(locks.nodes());
        Ok(())
    }

    fn builder(&self) -> Result<LocksBuilder, Failed> {
        let builder = match (self.nodes.as_slice(), &self.config) {
            ([], Some(file)) => Config::from_file(file).map_err(BuildError::from)?.into_builder()?,
            ([], None) => {
                let config = Config::from_env().map_err(BuildError::from)?;
                config.ok_or_else(nothing_configured)?.into_builder()?
            }
            (urls, _) => {
                let ttl = self.max_ttl.map_or(DEFAULT_TTL, |max| max.min(DEFAULT_TTL));
                Locks::builder().nodes(urls).ttl(ttl)
            }
        };
        Ok(match self.max_ttl {
            Some(max) => builder.max_ttl(max),
            None => builder,
        })
    }

    /// Has the operator say that nobody holds a lock.
    fn confirm(&self) -> Result<(), Failed> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            let refused = "nothing was changed: there is no terminal to ask on; \
                           give --yes if no client holds a lock on these nodes";
            return Err(Failed::Misused(refused.to_owned()));
        }
        eprint!("No client holds a lock on these nodes? [y/N] ");
        let mut answer = String::new();
        let failed = |error: io::Error| Failed::Other(format!("nothing was changed: {error}"));
        io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer)).map_err(failed)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failed::Other("nothing was changed: not confirmed".to_owned())),
        }
    }
}

fn nothing_configured() -> Failed {
    let nothing = "no nodes: give --nodes or --config, or set REDLOCK_CONFIG or REDLOCK_NODES";
    Failed::Misconfigured(nothing.to_owned())
}

/// A line for each node.
fn list(nodes: &[Arc<dyn Node>]) {
    let width = nodes.iter().map(|node| node.address().len()).max().unwrap_or(0);
    for node in nodes {
        println!("  {:width$}  {}", node.address(), standing::describe(node.standing(), node.clock()));
    }
}

/// Every node is there and keeps a marker.
async fn can_be_initialised(nodes: &[Arc<dyn Node>]) -> Result<(), Failed> {
    let mut missing: Vec<NodeError> = Vec::new();
    for node in nodes {
        match node.standing() {
            Standing::Unguarded => {
                let off = "nothing to initialise: the restart guard is off in this configuration \
                           (restartGuard = false), so that the nodes keep no marker";
                return Err(Failed::Misconfigured(off.to_owned()));
            }
            Standing::Unknown => missing.extend(Arc::clone(node).probe().await.err()),
            _ => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let why = format!("nothing was changed: every node is needed: {}", reasons.join("; "));
    match missing.iter().all(|error| error.kind.is_transient()) {
        true => Err(Failed::Unavailable(why)),
        false => Err(Failed::Misconfigured(why)),
    }
}

impl From<BuildError> for Failed {
    fn from(error: BuildError) -> Self {
        let why = error.to_string();
        match error {
            BuildError::InitIncomplete { .. } | BuildError::NoQuorum { .. } => Self::Unavailable(why),
            BuildError::Threads(_) => Self::Other(why),
            _ => Self::Misconfigured(why),
        }
    }
}
