//! `redlock nodes`: changes which servers are the nodes, while locks are held.

mod change;
pub(crate) mod standing;
mod status;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Subcommand;
use redlock::{BuildError, NodeSetError};

use crate::exit::{self, Failed};

/// Change which servers are the nodes, while locks are held
///
/// One node is added or removed at a time, and each such change has a number (nodeSet) that clients have in their configuration
/// beside the list of nodes. A change has three parts: the nodes are opened to clients with the new list, beside those with the
/// old one; you restart the clients, one after the other, with the new list and number; clients that still have the old list
/// are shut out, and the new list is in force. Run the same command again after the restart: it goes on where it was, also
/// when it was interrupted, since all it knows is on the nodes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The nodes are those of the clients' configuration as it was before the change (or is by now): --config, --nodes with
--node-set, or REDLOCK_CONFIG, or REDLOCK_NODES with REDLOCK_NODE_SET. Never edit the list of nodes of running clients without
this command: clients with different lists can then hold the same lock.

Examples, a dead server replaced by a new one, in three runs of one command:
  redlock nodes replace redis://10.0.0.3 redis://10.0.0.6 --config old.toml   (opens; exit code 75)
      restart the clients with the list and the number that it prints
  redlock nodes replace redis://10.0.0.3 redis://10.0.0.6 --config old.toml   (without the old one, opens to the new one; 75)
      restart the clients with the next list and number
  redlock nodes replace redis://10.0.0.3 redis://10.0.0.6 --config old.toml   (0: done)

Exit codes: 0 done, 75 the clients must be restarted before it goes on, 1 not confirmed, 64 usage (also: no terminal and no
--yes), 69 too few nodes reached, 78 configuration")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show which set of nodes is in force, and how far a change has come
    Status(status::Args),
    /// Add a server
    Add(change::Add),
    /// Remove a server, which may be dead
    Remove(change::Remove),
    /// Replace a server, which may be dead, by another one
    Replace(change::Replace),
}

/// Runs the command to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(async move {
        match args.what {
            What::Status(args) => args.run().await,
            What::Add(args) => args.run().await,
            What::Remove(args) => args.run().await,
            What::Replace(args) => args.run().await,
        }
    })
}

/// Has the operator say yes to a question, unless that was said beforehand. `advice`: when to give `--yes`.
pub(crate) fn confirm(yes: bool, question: &str, advice: &str) -> Result<(), Failed> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let refused = format!("nothing was changed: there is no terminal to ask on; {advice}");
        return Err(Failed::Misused(refused));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let failed = |error: io::Error| Failed::Other(format!("nothing was changed: {error}"));
    io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer)).map_err(failed)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failed::Other("nothing was changed: not confirmed".to_owned())),
    }
}

impl From<NodeSetError> for Failed {
    fn from(error: NodeSetError) -> Self {
        match error {
            NodeSetError::Build(error) => BuildError::into(error),
            NodeSetError::TooFew { .. } => Self::Unavailable(error.to_string()),
            error => Self::Misconfigured(error.to_string()),
        }
    }
}
