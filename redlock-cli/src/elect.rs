//! `redlock elect`: a command that runs while this process leads.

mod health;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use redlock::{AcquireError, CampaignError, Election, Leadership, LockName, ReleaseError};
use tokio::time::sleep;

use crate::duration;
use crate::exit::{self, Failed};
use crate::source::LockSource;
use crate::supervise::{self, Ended, Job, Keeper, Limits, Why};

/// How long others have to win after a leader has let go of its own accord, and how long a campaign that failed is not repeated.
const PAUSE: Duration = Duration::from_secs(1);

/// Run a command while this process is the leader
///
/// Of all processes that stand for election under a name one leads at a time. It runs the command, with REDLOCK_NAME and
/// REDLOCK_FENCING_TOKEN, the epoch of its leadership, in its environment; the others wait. When the leadership cannot be
/// renewed, the command is ended in time, as `redlock run` does it, and this process stands for election again.
///
/// When the command ends by itself, so does this process, with its exit code: whatever has started it sees that and starts it
/// again with a delay of its own choice, and another leader can take over at once. With --restart it resigns, gives the
/// others a second, and stands for election again.
///
/// Signals are passed on; when the command ends after one that asks it to, this process resigns and ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes, --config and --local the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES. While no quorum of them can be
reached, it waits.

Examples:
  redlock elect --config etc/etc.toml --value http://web-3:8080 scheduler -- /usr/bin/scheduler
  redlock elect --health-file /run/scheduler.health scheduler -- /usr/bin/scheduler
  redlock elect --probe /run/scheduler.health       (a liveness probe)

Exit codes: that of the command, 128 + N if signal N has ended it or the wait, 64 usage, 75 the leadership was lost as the
command ended, 78 configuration, or none, 126 the command cannot be executed, 127 it is not there; of a probe 0 well, 1 not")]
pub(crate) struct Args {
    #[command(flatten)]
    source: LockSource,
    /// Stand for election again when the command has ended by itself
    #[arg(long)]
    restart: bool,
    /// How long the command has between SIGTERM and SIGKILL when it must stop [default: a quarter of the TTL]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
    /// What all who ask who leads are told besides, such as an address
    #[arg(long, value_name = "TEXT")]
    value: Option<String>,
    /// Keep in this file how this process is, for --probe; written every second or so, best in memory (/run)
    #[arg(long, value_name = "FILE")]
    health_file: Option<PathBuf>,
    /// Only say whether the process that keeps this file is well: as long as it need not be restarted
    #[arg(long, value_name = "FILE", exclusive = true)]
    probe: Option<PathBuf>,
    /// Say what is done
    #[arg(short, long)]
    verbose: bool,
    /// The name of the election
    #[arg(value_name = "NAME", required_unless_present = "probe")]
    name: Option<OsString>,
    /// The command and its arguments
    #[arg(value_name = "CMD", trailing_var_arg = true, required_unless_present = "probe")]
    words: Vec<OsString>,
}

/// Runs the command to its end.
pub(crate) fn run(args: &Args) -> ExitCode {
    if let Some(file) = &args.probe {
        return health::probe(file);
    }
    match args.lock_name() {
        Ok(_) => supervise::front("elect-keeper"),
        Err(failed) => failed.end(),
    }
}

/// Stands for election.
pub(crate) fn keep(args: Args) -> ExitCode {
    exit::block_on(args.keep())
}

/// What a leadership came to.
enum Next {
    Again,
    End(ExitCode),
}

impl Args {
    fn lock_name(&self) -> Result<LockName, Failed> {
        let name = self.name.as_ref().map_or(&[][..], |name| name.as_bytes());
        LockName::new(name).map_err(|error| Failed::Misused(error.to_string()))
    }

    async fn keep(&self) -> Result<ExitCode, Failed> {
        let mut keeper = Keeper::attach().map_err(failed)?;
        let name = self.lock_name()?;
        // A candidate that gives up would be started again, and brings back no node.
        let builder = self.source.builder()?.start_without_quorum();
        let built = keeper.unless_interrupted(|| builder.clone().build()).await;
        let locks = match built {
            Ok(built) => built?,
            Err(interrupted) => return Ok(interrupted.into()),
        };
        let limits = Limits::new(locks.ttl(), self.grace).map_err(Failed::Misused)?;
        let election = locks.election(name.as_bytes()).description(supervise::program_of(&self.words));
        if let Some(file) = &self.health_file {
            health::keep(file.clone(), election.clone()).await.map_err(|error| {
                Failed::Misconfigured(format!("--health-file: {}: {error}", file.display()))
            })?;
        }
        let code = self.stand(&election, limits, &mut keeper).await;
        locks.shutdown(Duration::from_secs(1)).await;
        code
    }

    async fn stand(
        &self,
        election: &Election,
        limits: Limits,
        keeper: &mut Keeper,
    ) -> Result<ExitCode, Failed> {
        loop {
            if self.verbose {
                keeper.say(format!("candidate {} waits to lead", election.candidate()));
            }
            let won = keeper.unless_interrupted(|| election.campaign()).await;
            let next = match won {
                Ok(Ok(leadership)) => self.lead(leadership, limits, keeper).await?,
                Ok(Err(error)) if is_passing(&error) => Next::Again,
                Ok(Err(CampaignError::Acquire(error))) => return Err(error.into()),
                Ok(Err(error)) => return Err(Failed::Misconfigured(error.to_string())),
                Err(interrupted) => Next::End(interrupted.into()),
            };
            match next {
                Next::End(code) => return Ok(code),
                Next::Again => match keeper.unless_interrupted(|| sleep(PAUSE)).await {
                    Ok(()) => {}
                    Err(interrupted) => return Ok(interrupted.into()),
                },
            }
        }
    }

    async fn lead(
        &self,
        mut leadership: Leadership,
        limits: Limits,
        keeper: &mut Keeper,
    ) -> Result<Next, Failed> {
        if let Some(value) = &self.value {
            match leadership.proclaim(value).await {
                Ok(()) | Err(redlock::ProclaimError::Extend(_)) => {}
                Err(error) => return Err(Failed::Misused(format!("--value: {error}"))),
            }
        }
        if leadership.remaining() <= limits.term() + limits.look() && leadership.verify().await.is_err() {
            keeper.say("the leadership could not be renewed; the command was not started");
            return Ok(Next::Again);
        }
        if self.verbose {
            keeper.say(format!("leads {}, epoch {}", leadership.name(), leadership.epoch()));
        }
        let job = Job::new(leadership.name(), self.words.clone());
        let ended = job.run(&leadership.term(), limits, keeper).await.map_err(failed)?;
        let resigned = leadership.resign().await;
        if self.verbose {
            match &resigned {
                Ok(()) => keeper.say("resigned"),
                Err(error) => keeper.say(error.to_string()),
            }
        }
        Ok(self.next(&ended, &resigned))
    }

    fn next(&self, ended: &Ended, resigned: &Result<(), ReleaseError>) -> Next {
        let code = ExitCode::from(ended.status.code());
        match (ended.why, resigned) {
            (Why::FrontGone, _) => Next::End(code),
            _ if ended.was_told_to_end => Next::End(code),
            (Why::Lost(_), _) => Next::Again,
            (Why::ByItself, _) if self.restart => Next::Again,
            (Why::ByItself, Err(ReleaseError::NotHeld { .. })) => Next::End(exit::lost()),
            (Why::ByItself, _) => Next::End(code),
        }
    }
}

/// Whether the next campaign can end otherwise.
fn is_passing(error: &CampaignError) -> bool {
    matches!(error, CampaignError::Acquire(AcquireError::Busy { .. } | AcquireError::Unavailable { .. }))
}

fn failed(error: io::Error) -> Failed {
    Failed::Other(error.to_string())
}
