//! `redlock init`: admits all nodes of a fleet at once, on the operator's word that nobody holds a lock.

use std::process::ExitCode;
use std::sync::Arc;

use redlock::node::{Node, NodeError, Standing};

use crate::exit::{self, Failed};
use crate::nodes::confirm;
use crate::nodes::standing::list;
use crate::source::FleetSource;

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
    #[command(flatten)]
    source: FleetSource,
    /// Do not ask: no client holds a lock
    #[arg(long)]
    yes: bool,
}

/// Runs the command to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(args.run())
}

impl Args {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let builder = self.source.builder()?;
        let nodes = builder.look().await?;
        println!("To be admitted at once, as one fleet:");
        list(&nodes);
        can_be_initialised(&nodes).await?;
        let refused = "give --yes if no client holds a lock on these nodes";
        confirm(self.yes, "No client holds a lock on these nodes?", refused)?;
        drop(nodes);
        let locks = builder.init().await?;
        println!("Admitted:");
        list(locks.nodes());
        Ok(ExitCode::SUCCESS)
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
