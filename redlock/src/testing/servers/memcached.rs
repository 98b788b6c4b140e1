//! memcached servers, started for a test.

mod options;

use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::clock::{self, ClockStep, ServerClock};
use super::home::{self, Home};
use super::process::ServerProcess;
use super::{ServerError, port, program};

pub use options::MemcachedOptions;

/// How long a server may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(30);
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
const PORT_TRIES: u32 = 20;

/// A memcached of one's own: killed, and its directory removed, when dropped.
pub struct MemcachedServer {
    program: PathBuf,
    options: MemcachedOptions,
    port: u16,
    /// Its own, if it has one.
    clock: Option<ServerClock>,
    home: Home,
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
        let failed = |action: &str, source| home::failed(&program.display().to_string(), action, source);
        let home = Home::create("memcached", &program.display().to_string())?;
        let clock = options.clock_shim.is_some().then(|| ServerClock::create(home.path().join("clock")));
        let port = options.port.map_or_else(|| port::free(&options.host), Ok);
        let server = Self {
            program: program.to_owned(),
            port: port.map_err(|error| failed("find a free port", error))?,
            options: options.clone(),
            clock: clock.transpose().map_err(|error| failed("create its clock", error))?,
            home,
        };
        server.restart()?;
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
        self.home.path()
    }

    /// The process id; none after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.home.pid()
    }

    /// Whether the process lives; a paused one does.
    pub fn is_running(&self) -> bool {
        self.home.is_running()
    }

    /// Kills the process as a crash would (SIGKILL) and returns once it is gone. Without effect on a dead one.
    pub fn kill(&self) {
        self.home.kill();
    }

    /// Freezes the process (SIGSTOP) and returns once it stands still: the kernel still takes connections for it.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.home.pause(&self.name())
    }

    /// Lets a paused process go on (SIGCONT): it runs what has queued up meanwhile.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.home.resume(&self.name())
    }

    /// Kills the process if it lives and starts a new, empty one on the same port.
    ///
    /// # Errors
    /// As [`MemcachedOptions::start`]; the server is dead then.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.home.kill();
        self.options
            .write_users(self.directory())
            .map_err(|error| self.failed("write its file of users", error))?;
        let _ = fs::remove_file(self.ready_file());
        let mut command = Command::new(&self.program);
        command
            .args(self.options.command_line(self.port, self.directory()))
            .env("MEMCACHED_PORT_FILENAME", self.ready_file());
        if let (Some(clock), Some(shim)) = (&self.clock, &self.options.clock_shim) {
            command.env("LD_PRELOAD", shim).env(clock::VARIABLE, clock.path());
        }
        self.home.launch(&self.name(), &mut command, |started| {
            self.wait_until_ready(started)?;
            self.check_clock(started)
        })
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

    /// It writes a file once it listens: no password is needed, and a stranger on the port is not mistaken for it.
    fn wait_until_ready(&self, process: &ServerProcess) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.ready_file().exists() {
            if !process.is_running().map_err(|error| self.failed("watch the process", error))? {
                return Err(self.home.not_started(&self.name(), "the process ended".to_owned()));
            }
            if Instant::now() >= deadline {
                return Err(self
                    .home
                    .not_started(&self.name(), format!("it was not ready within {START_LIMIT:?}")));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// The loader goes on without a library that it cannot load.
    fn check_clock(&self, process: &ServerProcess) -> Result<(), ServerError> {
        let Some(clock) = &self.clock else { return Ok(()) };
        if clock.is_used_by(process.pid()).map_err(|error| self.failed("read its clock", error))? {
            return Ok(());
        }
        Err(self.home.not_started(&self.name(), "it has not loaded the clock shim".to_owned()))
    }

    fn ready_file(&self) -> PathBuf {
        self.directory().join("ready")
    }

    fn name(&self) -> String {
        format!("memcached on {}", self.address())
    }

    fn failed(&self, action: &str, source: io::Error) -> ServerError {
        home::failed(&self.name(), action, source)
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
