//! `redlock doctor`: looks at the nodes, says what is wrong with them, and what to do about it.

mod memory;
mod text;

use std::io::{self, Write as _};
use std::process::ExitCode;

use redlock::preflight::{Finding, FindingKind, Report, Severity};
use serde_json::{Value, json};

use crate::exit::{self, Failed};
use crate::source::Source;
use crate::terminal::{self, Colours};

/// Look at the nodes: how they are set up, whether they go together, what to do about it
///
/// Reads, and changes nothing: it can be run against nodes in use, and against new ones before anybody relies on them. The worst
/// is said first, with advice. What a node does not let this client read (CONFIG is often denied) is unknown, never good.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes and --config the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES. Give it what the clients have: their TTL,
maxExpiration and node timeout are what clocks, round trips and markers are judged by.

Examples:
  redlock doctor --config etc/etc.toml
  redlock doctor --nodes redis://10.0.0.1,redis://10.0.0.2,redis://10.0.0.3 --fail-on error
  redlock doctor --json

Exit codes: 0 nothing to be done, 1 errors or warnings were found (see --fail-on), 64 usage, 69 too few nodes answer,
78 configuration (also: too few nodes can be used until somebody changes a setting)")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The least finding that is a failure. `error`: what clients refuse to start on
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = Threshold::Warning)]
    fail_on: Threshold,
}

/// What counts as a failure.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Threshold {
    Error,
    Warning,
    /// What could not be read, too
    Unknown,
}

impl From<Threshold> for Severity {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Error => Self::Error,
            Threshold::Warning => Self::Warning,
            Threshold::Unknown => Self::Unknown,
        }
    }
}

/// Runs the command to its end.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(args.run())
}

/// What it comes to, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Findings,
    /// Too few nodes answer.
    Unreachable,
    /// Too few nodes can be used, and waiting does not help.
    Misconfigured,
}

impl Args {
    async fn run(&self) -> Result<ExitCode, Failed> {
        let builder = self.source.builder()?;
        let nodes = builder.look().await?;
        let mut report = builder.preflight(&nodes).await?;
        memory::judge(&nodes).into_iter().for_each(|finding| report.add(finding));
        let verdict = verdict(&report, self.fail_on.into());
        let mut out = io::stdout();
        // Printing never fails: a reader that has gone (`| head`) does not change the exit code.
        let _ = if self.json {
            writeln!(out, "{:#}", to_json(&report, verdict))
        } else {
            let colours = Colours::of(&out);
            write!(
                out,
                "{}\n{}\n",
                text::coloured(&report, colours, terminal::width(&out)),
                text::verdict(&report, verdict, colours)
            )
        };
        Ok(match verdict {
            Verdict::Good => ExitCode::SUCCESS,
            Verdict::Findings => ExitCode::FAILURE,
            Verdict::Unreachable => ExitCode::from(exit::UNAVAILABLE),
            Verdict::Misconfigured => ExitCode::from(exit::CONFIGURATION),
        })
    }
}

fn verdict(report: &Report, least: Severity) -> Verdict {
    let has = |wanted: fn(&FindingKind) -> bool| report.findings().iter().any(|found| wanted(&found.kind));
    let no_quorum = has(|kind| matches!(kind, FindingKind::NoQuorum { .. }));
    match no_quorum {
        true if has(|kind| matches!(kind, FindingKind::Unreachable { .. })) => Verdict::Unreachable,
        true => Verdict::Misconfigured,
        false if report.worst() >= least => Verdict::Findings,
        false => Verdict::Good,
    }
}

fn to_json(report: &Report, verdict: Verdict) -> Value {
    let quorum = report.quorum();
    let finding = |found: &Finding| {
        json!({
            "node": found.node.as_deref(),
            "severity": found.severity().to_string(),
            "found": found.kind.to_string(),
            "advice": found.advice(),
        })
    };
    json!({
        "ok": verdict == Verdict::Good,
        "nodes": quorum.nodes(),
        "quorum": quorum.size(),
        "worst": report.worst().to_string(),
        "findings": report.findings().iter().map(finding).collect::<Vec<_>>(),
    })
}
