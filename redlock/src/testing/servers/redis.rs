use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::clock::{self, ClockStep, ServerClock};
use super::home::{self, Home};
use super::process::ServerProcess;
use super::resp::Connection;
use super::{RedisOptions, Reply, ServerError, lock_user, port, program};

/// How long a server may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(30);
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
const PORT_TRIES: u32 = 20;

/// A Redis (or Valkey) server of one's own: killed, and its directory removed, when dropped.
pub struct RedisServer {
    program: PathBuf,
    pub(super) options: RedisOptions,
    /// Changes when it takes the place of another one.
    pub(super) port: AtomicU16,
    tls_port: Option<u16>,
    /// Of the user of [`url`](Self::url).
    pub(super) password: String,
    /// Its own, if it has one.
    pub(super) clock: Option<ServerClock>,
    home: Home,
}

impl RedisServer {
    /// Starts a server on a free port of 127.0.0.1, without persistence, and waits until it takes commands.
    ///
    /// # Errors
    /// As [`RedisOptions::start`].
    pub fn start() -> Result<Self, ServerError> {
        Self::options().start()
    }

    /// How to start a server otherwise.
    pub fn options() -> RedisOptions {
        RedisOptions::new()
    }

    pub(super) fn start_with(options: &RedisOptions) -> Result<Self, ServerError> {
        let program = program::redis()?;
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

    fn start_once(program: &Path, options: &RedisOptions) -> Result<Self, ServerError> {
        let failed = |action: &str, source| home::failed(&program.display().to_string(), action, source);
        let free_port = || port::free(&options.host).map_err(|error| failed("find a free port", error));
        let home = Home::create("redis", &program.display().to_string())?;
        let clock = options.clock_shim.is_some().then(|| ServerClock::create(home.path().join("clock")));
        let server = Self {
            program: program.to_owned(),
            port: AtomicU16::new(options.port.map_or_else(free_port, Ok)?),
            tls_port: options.tls.is_some().then(free_port).transpose()?,
            password: match &options.lock_password {
                Some(password) => password.clone(),
                None => lock_user::new_password().map_err(|error| failed("draw a password", error))?,
            },
            options: options.clone(),
            clock: clock.transpose().map_err(|error| failed("create its clock", error))?,
            home,
        };
        server.restart()?;
        Ok(server)
    }

    /// The port; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::SeqCst)
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("{}:{}", self.options.host, self.port())
    }

    /// `redis://locker:PASSWORD@127.0.0.1:PORT`: an ACL user with the rights that the library needs
    /// ([`RedisOptions::rights`]) and a random password. Without the cargo feature `redis`, and no rights given, it is
    /// [`admin_url`](Self::admin_url).
    pub fn url(&self) -> String {
        format!("redis://{}{}", self.log_in(), self.address())
    }

    /// `127.0.0.1:PORT` of the TLS port, if there is one.
    pub(super) fn tls_address(&self) -> Option<String> {
        self.tls_port.map(|port| format!("{}:{port}", self.options.host))
    }

    /// The TLS port, if there is one.
    pub(super) fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// `redis://127.0.0.1:PORT`: the default user, who may do everything, without a password if none was set. As whom
    /// [`command`](Self::command) is sent.
    pub fn admin_url(&self) -> String {
        let encoded =
            |password: &str| password.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let log_in = self.options.password().map(|password| format!(":{}@", encoded(password)));
        format!("redis://{}{}", log_in.unwrap_or_default(), self.address())
    }

    /// As [`url`](Self::url), `rediss://` and the TLS port, if there is one.
    pub fn tls_url(&self) -> Option<String> {
        let host = &self.options.host;
        self.tls_port.map(|port| format!("rediss://{}{host}:{port}", self.log_in()))
    }

    fn log_in(&self) -> String {
        match &self.options.rights {
            Some(_) => format!("{}:{}@", lock_user::NAME, self.password),
            None => String::new(),
        }
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

    /// Kills the process if it lives and starts a new one on the same port with the same files.
    ///
    /// # Errors
    /// As [`RedisOptions::start`]; the server is dead then.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.home.kill();
        let configuration =
            self.configure().map_err(|error| self.failed("write its configuration", error))?;
        let mut command = Command::new(&self.program);
        command.arg(&configuration).args(self.options.command_line(self.port(), self.tls_port));
        if let (Some(clock), Some(shim)) = (&self.clock, &self.options.clock_shim) {
            command.env("LD_PRELOAD", shim).env(clock::VARIABLE, clock.path());
        }
        self.home.launch(&self.name(), &mut command, |started| {
            self.wait_until_ready(started)?;
            self.check_clock(started)
        })
    }

    /// Steps its wall clock, at once: expiries and TIME follow with the next command. The rate stays.
    ///
    /// # Errors
    /// [`ServerError::NoClock`] without [`RedisOptions::clock_shim`], [`ServerError::Io`] if the clock cannot show it.
    pub fn step_clock(&self, step: ClockStep) -> Result<(), ServerError> {
        self.with_clock(|clock| clock.step(step))
    }

    /// Sets its wall clock to a time, at once. It goes on from there, at the rate that it has.
    ///
    /// # Errors
    /// As [`step_clock`](Self::step_clock).
    pub fn set_clock(&self, at: SystemTime) -> Result<(), ServerError> {
        self.with_clock(|clock| clock.set(at))
    }

    /// Lets its wall clock gain so many millionths from now on: with 80,000 it gains 80 ms a second, with -80,000 it
    /// loses them. 0 ends that; what was gained stays.
    ///
    /// # Errors
    /// As [`step_clock`](Self::step_clock).
    pub fn slew_clock(&self, rate_ppm: i32) -> Result<(), ServerError> {
        self.with_clock(|clock| clock.slew(rate_ppm))
    }

    /// Sends one command on a connection of its own and waits up to 5 s for the answer.
    ///
    /// # Errors
    /// [`ServerError::Refused`] if the server answers with an error, [`ServerError::Io`] without an answer in time.
    pub fn command(&self, command: &[&str]) -> Result<Reply, ServerError> {
        self.command_within(COMMAND_LIMIT, command)
    }

    /// As [`command`](Self::command), with a limit of one's own for every wait.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn command_within(&self, limit: Duration, command: &[&str]) -> Result<Reply, ServerError> {
        let name = command.first().copied().unwrap_or_default();
        let reply =
            self.call(limit, command).map_err(|error| self.failed(&format!("run `{name}`"), error))?;
        match reply {
            Reply::Error(message) => {
                Err(ServerError::Refused { server: self.name(), command: name.to_owned(), message })
            }
            reply => Ok(reply),
        }
    }

    /// The keys of locks that somebody holds: all but the library's own, which hold counters.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn lock_keys(&self) -> Result<Vec<String>, ServerError> {
        let mut keys = self.keys()?;
        // A lock whose own key would begin so is kept under `#redlock:esc:`.
        keys.retain(|key| !key.starts_with("#redlock:") || key.starts_with("#redlock:esc:"));
        Ok(keys)
    }

    /// The names of all keys, sorted.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn keys(&self) -> Result<Vec<String>, ServerError> {
        let mut keys = self.command(&["KEYS", "*"])?.texts();
        keys.sort_unstable();
        Ok(keys)
    }

    fn call(&self, limit: Duration, command: &[&str]) -> io::Result<Reply> {
        let mut connection = Connection::open(&self.address(), limit)?;
        if let Some(password) = self.options.password()
            && let error @ Reply::Error(_) = connection.call(&["AUTH", password])?
        {
            return Ok(error);
        }
        connection.call(command)
    }

    /// Writes its configuration file, which a sentinel changes and keeps; returns its path.
    fn configure(&self) -> io::Result<PathBuf> {
        if let Some(text) = &self.options.sentinel {
            let path = self.directory().join(RedisOptions::SENTINEL_FILE);
            if !path.exists() {
                fs::write(&path, text)?;
            }
            return Ok(path);
        }
        let path = self.directory().join("redis.conf");
        let rights = self.options.rights.as_deref();
        fs::write(
            &path,
            rights.map(|rights| lock_user::directive(rights, &self.password)).unwrap_or_default(),
        )?;
        Ok(path)
    }

    /// The server's own log tells that it is ready: no password is needed, and a stranger on the port is not mistaken
    /// for it.
    fn wait_until_ready(&self, process: &ServerProcess) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let running = process.is_running().map_err(|error| self.failed("watch the process", error))?;
            let ready = match self.options.sentinel {
                None => "Ready to accept connections",
                Some(_) => "+monitor master",
            };
            if self.home.log().contains(ready) {
                return Ok(());
            }
            if !running {
                return Err(self.home.not_started(&self.name(), "the process ended".to_owned()));
            }
            if Instant::now() >= deadline {
                return Err(self
                    .home
                    .not_started(&self.name(), format!("it was not ready within {START_LIMIT:?}")));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The loader goes on without a library that it cannot load.
    fn check_clock(&self, process: &ServerProcess) -> Result<(), ServerError> {
        let Some(clock) = &self.clock else { return Ok(()) };
        match clock.is_used_by(process.pid()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let shim = self.options.clock_shim.as_deref().unwrap_or(Path::new("")).display();
                Err(self.home.not_started(
                    &self.name(),
                    format!("it has not loaded the clock shim {shim}, so that its clock cannot be set"),
                ))
            }
            Err(error) => Err(self.failed("read its clock", error)),
        }
    }

    fn with_clock(&self, change: impl FnOnce(&ServerClock) -> io::Result<()>) -> Result<(), ServerError> {
        let clock = self.clock.as_ref().ok_or_else(|| ServerError::NoClock { server: self.name() })?;
        change(clock).map_err(|error| self.failed("change its clock", error))
    }

    fn name(&self) -> String {
        format!("redis on {}", self.address())
    }

    pub(super) fn failed(&self, action: &str, source: io::Error) -> ServerError {
        home::failed(&self.name(), action, source)
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

fn is_port_taken(error: &ServerError) -> bool {
    matches!(error, ServerError::NotStarted { log, .. } if log.contains("already in use"))
}
