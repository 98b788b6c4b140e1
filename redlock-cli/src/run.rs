//! `redlock run`: a command that runs while a lock is held.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::Duration;

use redlock::{AcquireError, LockGuard, LockName, Locks, ReleaseError};

use crate::duration;
use crate::exit::{self, Failed};
use crate::source::LockSource;
use crate::supervise::{self, Ended, Job, Keeper, Limits, Why};

/// Run a command while holding a lock
///
/// Waits for the lock, runs the command, and releases. The command has REDLOCK_NAME and REDLOCK_FENCING_TOKEN in its
/// environment: hand the token to whatever the lock protects, which refuses smaller ones.
///
/// Nothing of the command runs without the lock. When the lock cannot be renewed, the command gets SIGTERM, and SIGKILL after
/// --grace, both before others can get the lock. What it leaves running when it ends has --grace to end by itself; then
/// it is ended in the same way, and only then the lock is released. When redlock itself is killed, so is the command with
/// all that it has started, on macOS its process group.
///
/// Signals are passed on to the command's process group. On a terminal that is the foreground group. Stopped with Ctrl-Z the
/// command keeps its lock, which is renewed meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --nodes, --config and --local the nodes are those of REDLOCK_CONFIG or REDLOCK_NODES. Other users of this machine
can see a command line: give passwords by the file or the environment.

--local keeps its locks in /run/lock/redlock-UID, or /var/tmp/redlock-UID where /run/lock is for root alone: they are locks
between the processes of one user. For several users, give --nodes file:///DIRECTORY, a directory for a group of theirs.

Examples:
  redlock run --config etc/etc.toml nightly -- /usr/bin/backup --all
  redlock run -n --local cleanup -- find /tmp/scratch -delete
  redlock run -w 30 -E 0 report -c 'make report > report.txt'

Exit codes: that of the command, 128 + N if signal N has ended it, 1 (or -E) not acquired, 64 usage, 69 no quorum of nodes
reached, 75 the lock was lost while the command ran, whatever its own exit code was, 78 configuration, or none, 126 the
command cannot be executed, 127 it is not there")]
pub(crate) struct Args {
    #[command(flatten)]
    source: LockSource,
    /// Do not wait for the lock
    #[arg(short, long, visible_alias = "nonblock", conflicts_with = "wait")]
    no_wait: bool,
    /// How long to wait for the lock: 30s, 1m30s; a bare number is seconds
    #[arg(short, long, value_name = "SECS", visible_alias = "timeout", value_parser = duration::parse)]
    wait: Option<Duration>,
    /// The exit code when the lock was not acquired
    #[arg(short = 'E', long, value_name = "CODE", default_value_t = 1)]
    conflict_exit_code: u8,
    /// How long the command has between SIGTERM and SIGKILL when the lock cannot be renewed [default: a quarter of the TTL]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
    /// Say what is done
    #[arg(short, long)]
    verbose: bool,
    /// A command for the shell, instead of CMD
    #[arg(short = 'c', long = "command", value_name = "SHELL COMMAND", conflicts_with = "words")]
    shell: Option<OsString>,
    /// The name of the lock
    #[arg(value_name = "NAME")]
    name: OsString,
    /// The command and its arguments
    #[arg(value_name = "CMD", trailing_var_arg = true, required_unless_present = "shell")]
    words: Vec<OsString>,
}

/// Runs the command to its end.
pub(crate) fn run(args: &Args) -> ExitCode {
    match args.lock_name() {
        Ok(_) => supervise::front("run-keeper"),
        Err(failed) => failed.end(),
    }
}

/// Holds the lock.
pub(crate) fn keep(args: Args) -> ExitCode {
    exit::block_on(args.keep())
}

impl Args {
    fn lock_name(&self) -> Result<LockName, Failed> {
        LockName::new(self.name.as_bytes()).map_err(|error| Failed::Misused(error.to_string()))
    }

    async fn keep(&self) -> Result<ExitCode, Failed> {
        let mut keeper = Keeper::attach().map_err(failed)?;
        let name = self.lock_name()?;
        let builder = self.source.builder()?;
        let built = keeper.unless_interrupted(|| builder.clone().build()).await;
        let locks = match built {
            Ok(built) => built?,
            Err(interrupted) => return Ok(interrupted.into()),
        };
        let limits = Limits::new(locks.ttl(), self.grace).map_err(Failed::Misused)?;
        let acquired = keeper.unless_interrupted(|| self.acquire(&locks, &name)).await;
        let code = match acquired {
            Ok(Ok(Some(guard))) => self.hold(guard, limits, &mut keeper).await,
            Ok(Ok(None)) => Ok(self.not_acquired(&self.holder(&locks, &name).await)),
            Ok(Err(error @ AcquireError::Busy { .. })) => Ok(self.not_acquired(&error.to_string())),
            Ok(Err(error)) => Err(error.into()),
            Err(interrupted) => Ok(interrupted.into()),
        };
        // What was granted too late, or is released on the nodes that are left, is seen to its end.
        locks.shutdown(Duration::from_secs(1)).await;
        code
    }

    async fn acquire(&self, locks: &Locks, name: &LockName) -> Result<Option<LockGuard>, AcquireError> {
        let lock = locks.lock(name.as_bytes()).description(supervise::program_of(&self.words()));
        match self.wait {
            _ if self.no_wait => lock.try_acquire().await,
            Some(Duration::ZERO) => lock.try_acquire().await,
            Some(limit) => lock.wait_at_most(limit).acquire().await.map(Some),
            None => lock.acquire().await.map(Some),
        }
    }

    /// What is executed.
    fn words(&self) -> Vec<OsString> {
        match &self.shell {
            Some(command) => vec!["/bin/sh".into(), "-c".into(), command.clone()],
            None => self.words.clone(),
        }
    }

    /// Who has it, for those who want to be told.
    async fn holder(&self, locks: &Locks, name: &LockName) -> String {
        let view = if self.verbose { locks.look(name.as_bytes()).await.ok() } else { None };
        match view.and_then(|view| view.holder()) {
            Some(holding) => format!("{name} is {holding}"),
            None => format!("{name} is held by somebody else"),
        }
    }

    /// As flock has it, this is no error to speak of.
    fn not_acquired(&self, why: &str) -> ExitCode {
        if self.verbose {
            eprintln!("redlock: {why}");
        }
        ExitCode::from(self.conflict_exit_code)
    }

    async fn hold(&self, guard: LockGuard, limits: Limits, keeper: &mut Keeper) -> Result<ExitCode, Failed> {
        if guard.remaining() <= limits.term() + limits.look() {
            // The nodes took long to answer.
            guard.extend().await.map_err(|error| Failed::Unavailable(error.to_string()))?;
        }
        if self.verbose {
            let token =
                guard.fencing_token().map(|token| format!(", fencing token {token}")).unwrap_or_default();
            keeper.say(format!("{} is held{token}", guard.name()));
        }
        let job = Job::new(guard.name(), self.words());
        let Ended { status, why, .. } = job.run(&guard.held(), limits, keeper).await.map_err(failed)?;
        let released = guard.release().await;
        if self.verbose {
            match &released {
                Ok(()) => keeper.say("released"),
                Err(error) => keeper.say(error.to_string()),
            }
        }
        match (why, released) {
            // It may have overlapped with another holder.
            (Why::ByItself, Err(error @ ReleaseError::NotHeld { .. })) => {
                eprintln!("redlock: {error}");
                Ok(exit::lost())
            }
            (Why::Lost(_), _) => Ok(exit::lost()),
            (Why::ByItself | Why::FrontGone, _) => Ok(ExitCode::from(status.code())),
        }
    }
}

fn failed(error: io::Error) -> Failed {
    Failed::Other(error.to_string())
}
