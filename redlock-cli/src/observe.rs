//! `redlock observe`: who leads, a line for every change.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use redlock::{Leader, Observation};
use serde_json::{Value, json};

use crate::exit::{self, Failed};
use crate::source::LockSource;

/// Show who leads, a line for every change
///
/// At first what is known now, then every change: a leader, with its epoch and what it has proclaimed, no leader, or disconnected
/// when no majority of nodes says who leads: the last leader may lead still. A leader that has died is shown until its lock
/// has expired.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes, --config and --local the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES.

Examples:
  redlock observe --config etc/etc.toml scheduler
  redlock observe --json scheduler | jq -r .value

With --json a line is an object: event (leader, no_leader, disconnected), at_ms (this machine's clock, milliseconds since 1970);
of a leader candidate, epoch, value, host, pid, since_ms, where they are known; of disconnected error.

Exit codes: 64 usage, 78 configuration, or none; it runs until it is ended")]
pub(crate) struct Args {
    #[command(flatten)]
    source: LockSource,
    /// Print objects of JSON
    #[arg(long)]
    json: bool,
    /// The name of the election
    #[arg(value_name = "NAME")]
    name: OsString,
}

/// Observes until nobody reads it any more.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(args.observe())
}

impl Args {
    async fn observe(&self) -> Result<ExitCode, Failed> {
        let locks = self.source.builder()?.start_without_quorum().build().await?;
        let observer = locks.election(self.name.as_bytes()).observe();
        let mut observer = observer.map_err(|error| Failed::Misused(error.to_string()))?;
        loop {
            let observation = observer.next().await;
            let line = if self.json { object(&observation).to_string() } else { words(&observation) };
            let mut stdout = io::stdout().lock();
            if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn words(observation: &Observation) -> String {
    match observation {
        Observation::Leader(leader) => format!("leader: {leader}"),
        Observation::NoLeader => "no leader".to_owned(),
        Observation::Disconnected(why) => format!("disconnected: {why}"),
        other => format!("{other:?}"),
    }
}

fn object(observation: &Observation) -> Value {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let at = u64::try_from(at).unwrap_or(u64::MAX);
    match observation {
        Observation::Leader(Leader { candidate, epoch, value, holder, .. }) => json!({
            "event": "leader",
            "at_ms": at,
            "candidate": candidate.as_str(),
            "epoch": epoch.get(),
            "value": value,
            "host": Some(&holder.host).filter(|host| !host.is_empty()),
            "pid": holder.pid,
            "since_ms": holder.since,
        }),
        Observation::NoLeader => json!({ "event": "no_leader", "at_ms": at }),
        Observation::Disconnected(why) => {
            json!({ "event": "disconnected", "at_ms": at, "error": why.to_string() })
        }
        other => json!({ "event": format!("{other:?}"), "at_ms": at }),
    }
}
