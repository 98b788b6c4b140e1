//! `redlock status`: the nodes as they are, and who holds what.

mod json;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use redlock::{FleetView, LockName};

use crate::exit::{self, Failed};
use crate::source::Source;

/// Show every node, and who holds a lock
///
/// Nothing is changed on the nodes, and no lock is taken. For each NAME the verdict of the quorum comes first: who holds it
/// and for how long, by the holder's own account. Without a NAME the nodes alone are shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes and --config the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES. The prefix of keys is the configuration's.

Examples:
  redlock status
  redlock status invoice:42 nightly
  redlock status --json invoice:42

Exit codes: 0 a quorum of nodes has answered, 64 usage, 69 no quorum has answered (what is known is printed),
78 configuration")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// The locks to look at
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<LockName>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<LockName, String> {
    LockName::new(text).map_err(|why| why.to_string())
}

/// Runs the command to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(args.run())
}

impl Args {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let view = self.source.builder()?.view(&self.names).await?;
        let text = if self.json { json::render(&view) } else { table::render(&view) };
        // Whoever has closed the pipe wants no more.
        let _ = std::io::stdout().write_all(text.as_bytes());
        if is_known(&view) { Ok(ExitCode::SUCCESS) } else { Err(Failed::Unavailable(unknown(&view))) }
    }
}

fn is_known(view: &FleetView) -> bool {
    view.has_quorum() && view.locks.iter().all(redlock::LockView::is_known)
}

fn unknown(view: &FleetView) -> String {
    let quorum = view.quorum;
    format!("no quorum: {} of {} nodes reached, {} are needed", view.reached(), quorum.nodes(), quorum.size())
}
