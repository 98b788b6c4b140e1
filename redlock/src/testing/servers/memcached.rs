//! memcached servers, started for a test.

mod options;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::clock::{self, ClockStep, ServerClock};
use super::process::ServerProcess;
use super::{ServerError, port, program};

pub use options::MemcachedOptions;

/// How long a server may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(30);
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
const PORT_TRIES: u32 = 20;
const LOG_LINES: usize = 15;

/// A memcached of one's own: killed, and its directory removed, when dropped.
pub struct MemcachedServer {
    program: PathBuf,
    options: MemcachedOptions,
    port: u16,
    /// Its own, if it has one.
    clock: Option<ServerClock>,
    // Before the directory: the process ends before its files are removed.
    process: Mutex<Option<ServerProcess>>,
    directory: TempDir,
}

impl MemcachedServer {
    /// Starts a server on a free port of 127.0.0.1 and waits until it takes connections.
    ///
    /// # Errors
    /// As [`MemcachedOptions::start`].
    pub fn start() -> Result<Self, ServerError> {
        Self::options().start()
    }

    /// How to start a server otherwise.
    pub fn options() -> MemcachedOptions {
        MemcachedOptions::new()
    }

    fn start_with(options: &MemcachedOptions) -> Result<Self, ServerError> {
        let program = program::memcached()?;
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::start_once(&program, options) {
                // Somebody else took the port in between.
                Err(error) if options.port.is_none() && tries < PORT_TRIES && is_port_taken(&error) => {}
                result => return result,
            }
        }
    }

    fn start_once(program: &Path, options: &MemcachedOptions) -> Result<Self, ServerError> {
        let failed = |action: &str, source| ServerError::Io {
            server: program.display().to_string(),
            action: action.to_owned(),
            source,
        };
        let directory = tempfile::Builder::new()
            .prefix("redlock-memcached-")
            .tempdir()
            .map_err(|error| failed("make a temporary directory", error))?;
        let clock = options.clock_shim.is_some().then(|| ServerClock::create(directory.path().join("clock")));
        let port = options.port.map_or_else(|| port::free(&options.host), Ok);
        let server = Self {
            program: program.to_owned(),
            port: port.map_err(|error| failed("find a free port", error))?,
            options: options.clone(),
            clock: clock.transpose().map_err(|error| failed("create its clock", error))?,
            process: Mutex::new(None),
            directory,
        };
        server.launch(&mut server.process())?;
        Ok(server)
    }

    /// The port; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("{}:{}", self.options.host, self.port)
    }

    /// `memcached://127.0.0.1:PORT`, with the credentials of [`MemcachedOptions::user`]; `memcacheds://` with
    /// [`MemcachedOptions::tls`].
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "memcacheds" } else { "memcached" };
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let user = self.options.user.as_ref();
        let log_in = user.map(|(name, password)| format!("{}:{}@", encoded(name), encoded(password)));
        format!("{scheme}://{}{}", log_in.unwrap_or_default(), self.address())
    }

    /// The directory in which it keeps its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id; none after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(ServerProcess::pid)
    }

    /// Whether the process lives; a paused one does.
    pub fn is_running(&self) -> bool {
        self.process().as_ref().is_some_and(|process| process.is_running().unwrap_or(false))
    }

    /// Kills the process as a crash would (SIGKILL) and returns once it is gone. Without effect on a dead one.
    pub fn kill(&self) {
        self.process().take();
    }

    /// Freezes the process (SIGSTOP) and returns once it stands still: the kernel still takes connections for it.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.with_process("pause", ServerProcess::pause)
    }

    /// Lets a paused process go on (SIGCONT): it runs what has queued up meanwhile.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.with_process("resume", ServerProcess::resume)
    }

    /// Kills the process if it lives and starts a new, empty one on the same port.
    ///
    /// # Errors
    /// As [`MemcachedOptions::start`]; the server is dead then.
    pub fn restart(&self) -> Result<(), ServerError> {
        let mut process = self.process();
        process.take();
        self.launch(&mut process)
    }

    /// Steps its wall clock, which it reads when it starts, and never again: it counts by a monotonic one.
    ///
    /// # Errors
    /// [`ServerError::NoClock`] without [`MemcachedOptions::clock_shim`], [`ServerError::Io`] if the clock cannot show it.
    pub fn step_clock(&self, step: ClockStep) -> Result<(), ServerError> {
        let clock = self.clock.as_ref().ok_or_else(|| ServerError::NoClock { server: self.name() })?;
        clock.step(step).map_err(|error| self.failed("change its clock", error))
    }

    /// Sends `request` as it is on a connection of its own, in plain text, and reads until the answer ends with `end` (or the
    /// server closes the connection), for up to 5 s: `talk("flush_all\r\n", "\r\n")`.
    ///
    /// # Errors
    /// [`ServerError::Io`] without an answer in time.
    pub fn talk(&self, request: &str, end: &str) -> Result<String, ServerError> {
        let run = || -> io::Result<String> {
            let mut stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(COMMAND_LIMIT))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            let mut part = [0; 4096];
            while !answer.ends_with(end.as_bytes()) {
                match stream.read(&mut part)? {
                    0 => break,
                    read => answer.extend_from_slice(&part[..read]),
                }
            }
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        run().map_err(|error| self.failed("talk to it", error))
    }

    /// Starts the process and waits until it is ready; leaves none behind if it does not get there.
    fn launch(&self, process: &mut Option<ServerProcess>) -> Result<(), ServerError> {
        let log = File::create(self.log_file()).map_err(|error| self.failed("create its log", error))?;
        let errors = log.try_clone().map_err(|error| self.failed("create its log", error))?;
        self.options
            .write_users(self.directory())
            .map_err(|error| self.failed("write its file of users", error))?;
        let _ = fs::remove_file(self.ready_file());
        let mut command = Command::new(&self.program);
        command
            .args(self.options.command_line(self.port, self.directory()))
            .env("MEMCACHED_PORT_FILENAME", self.ready_file())
            .current_dir(self.directory())
            .stdout(log)
            .stderr(errors);
        if let (Some(clock), Some(shim)) = (&self.clock, &self.options.clock_shim) {
            command.env("LD_PRELOAD", shim).env(clock::VARIABLE, clock.path());
        }
        let started = ServerProcess::spawn(&mut command, self.directory())
            .map_err(|error| self.failed("start the process", error))?;
        self.wait_until_ready(&started)?;
        if let Some(clock) = &self.clock
            && !clock.is_used_by(started.pid()).map_err(|error| self.failed("read its clock", error))?
        {
            return Err(self.not_started("it has not loaded the clock shim".to_owned()));
        }
        *process = Some(started);
        Ok(())
    }

    /// It writes a file once it listens: no password is needed, and a stranger on the port is not mistaken for it.
    fn wait_until_ready(&self, process: &ServerProcess) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.ready_file().exists() {
            if !process.is_running().map_err(|error| self.failed("watch the process", error))? {
                return Err(self.not_started("the process ended".to_owned()));
            }
            if Instant::now() >= deadline {
                return Err(self.not_started(format!("it was not ready within {START_LIMIT:?}")));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn with_process(
        &self,
        action: &str,
        run: impl FnOnce(&ServerProcess) -> io::Result<()>,
    ) -> Result<(), ServerError> {
        match &*self.process() {
            Some(process) => run(process).map_err(|error| self.failed(action, error)),
            None => Err(ServerError::NotRunning { server: self.name() }),
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<ServerProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready_file(&self) -> PathBuf {
        self.directory().join("ready")
    }

    fn log_file(&self) -> PathBuf {
        self.directory().join("server.log")
    }

    fn name(&self) -> String {
        format!("memcached on {}", self.address())
    }

    fn failed(&self, action: &str, source: io::Error) -> ServerError {
        ServerError::Io { server: self.name(), action: action.to_owned(), source }
    }

    fn not_started(&self, reason: String) -> ServerError {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        ServerError::NotStarted { server: self.name(), reason, log }
    }
}

impl fmt::Debug for MemcachedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedServer")
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

fn is_port_taken(error: &ServerError) -> bool {
    matches!(error, ServerError::NotStarted { log, .. } if log.contains("already in use"))
}
