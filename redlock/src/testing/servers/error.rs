use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// A server could not be started, steered or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server's program is not on this machine.
    #[error(
        "none of {programs:?} was found on PATH or in the usual directories; install it: {install}. \
         Without root it is enough to put the program into a directory that is on PATH"
    )]
    NotInstalled {
        /// The names that were looked for.
        programs: &'static [&'static str],
        /// The commands that install it.
        install: &'static str,
    },
    /// The process ended, or did not get ready in time.
    #[error("{server} did not start: {reason}; the end of its log:\n{log}")]
    NotStarted {
        /// Program and address.
        server: String,
        /// What was seen.
        reason: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// The server was killed, or has ended by itself.
    #[error("{server} is not running; start it again with `restart`")]
    NotRunning {
        /// Program and address.
        server: String,
    },
    /// The server shows the machine's time, which a test cannot change.
    #[error(
        "{server} has the machine's clock; start it with `RedisOptions::clock_shim` to give it one of its own"
    )]
    NoClock {
        /// Program and address.
        server: String,
    },
    /// The server answered a command with an error.
    #[error("{server} answered `{command}` with: {message}")]
    Refused {
        /// Program and address.
        server: String,
        /// The command's name, without its arguments, which may be secret.
        command: String,
        /// The server's own words.
        message: String,
    },
    /// The operating system refused a step, or the server did not answer in time.
    #[error("{server}: cannot {action}: {source}")]
    Io {
        /// Program and address.
        server: String,
        /// What was tried.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// How long servers may take to find each other. A machine that is busy with other tests is slow.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until a condition holds.
pub(super) fn eventually(
    what: &str,
    server: &str,
    mut holds: impl FnMut() -> Result<bool, ServerError>,
) -> Result<(), ServerError> {
    let deadline = Instant::now() + LIMIT;
    while !holds()? {
        if Instant::now() >= deadline {
            let server = format!("redis on {server}");
            return Err(ServerError::Io {
                server,
                action: format!("wait until {what}"),
                source: io::ErrorKind::TimedOut.into(),
            });
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
