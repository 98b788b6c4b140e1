//! One process of an ensemble.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::EtcdOptions;
use super::operator::texts;
use crate::testing::servers::process::ServerProcess;
use crate::testing::servers::{ServerError, program};

/// How long a member may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(30);
const LOG_LINES: usize = 15;

/// One member of an [`EtcdEnsemble`](super::EtcdEnsemble).
pub struct EtcdMember {
    program: PathBuf,
    port: u16,
    /// Where the fixture itself asks, in plain text.
    operator_port: u16,
    arguments: Vec<String>,
    paused: AtomicBool,
    // Before the directory: the process ends before its files are removed.
    process: Mutex<Option<ServerProcess>>,
    directory: TempDir,
}

impl EtcdMember {
    /// Not started yet. `ports` are those for clients, for the operator and for the other members.
    pub(super) fn new(
        index: usize,
        ports: [u16; 3],
        cluster: &str,
        options: &EtcdOptions,
    ) -> Result<Self, ServerError> {
        let program = program::etcd()?;
        let directory = tempfile::Builder::new().prefix("redlock-etcd-").tempdir().map_err(|source| {
            ServerError::Io { server: "etcd".into(), action: "make a temporary directory".into(), source }
        })?;
        let [port, operator_port, peer] = ports;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let client = format!("{scheme}://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{peer}");
        let mut arguments: Vec<String> = [
            ("--name", format!("m{index}")),
            ("--data-dir", directory.path().join("data").display().to_string()),
            ("--listen-client-urls", format!("{client},http://127.0.0.1:{operator_port}")),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", cluster.to_owned()),
            ("--heartbeat-interval", "50".to_owned()),
            ("--election-timeout", "500".to_owned()),
            ("--bcrypt-cost", "4".to_owned()),
            ("--logger", "zap".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        if let Some(files) = &options.tls {
            let path = |file: &PathBuf| file.display().to_string();
            arguments.extend(["--cert-file".to_owned(), path(&files.certificate)]);
            arguments.extend(["--key-file".to_owned(), path(&files.key)]);
            if files.verify_clients {
                arguments.extend(["--trusted-ca-file".to_owned(), path(&files.authority)]);
                arguments.push("--client-cert-auth".to_owned());
            }
        }
        arguments.extend(options.args.iter().cloned());
        let (paused, process) = (AtomicBool::new(false), Mutex::new(None));
        Ok(Self { program, port, operator_port, arguments, paused, process, directory })
    }

    /// `127.0.0.1:PORT` for clients; the same over restarts.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id; none after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(ServerProcess::pid)
    }

    /// Whether the process lives; a paused one does.
    pub fn is_running(&self) -> bool {
        self.process().as_ref().is_some_and(|process| process.is_running().unwrap_or(false))
    }

    /// Whether it runs and is not paused.
    pub(super) fn answers(&self) -> bool {
        self.is_running() && !self.paused.load(Ordering::SeqCst)
    }

    /// Kills the process as a crash would (SIGKILL) and returns once it is gone. Without effect on a dead one.
    pub fn kill(&self) {
        self.process().take();
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Freezes the process (SIGSTOP) and returns once it stands still: the kernel still takes connections for it.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.with_process("pause", ServerProcess::pause)?;
        self.paused.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Lets a paused process go on (SIGCONT): it runs what has queued up meanwhile.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.with_process("resume", ServerProcess::resume)?;
        self.paused.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Kills the process if it lives, starts a new one on the same ports with the same data, and waits until it
    /// takes requests, for which it needs a majority of the members.
    ///
    /// # Errors
    /// As [`EtcdOptions::start`]; the member is dead then.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Kills the process if it lives, starts a new one on the same ports with the same data, and does not wait for it.
    ///
    /// # Errors
    /// [`ServerError::Io`] if it cannot be started.
    pub fn launch(&self) -> Result<(), ServerError> {
        self.kill();
        let log = File::create(self.log_file()).map_err(|error| self.failed("create its log", error))?;
        let errors = log.try_clone().map_err(|error| self.failed("create its log", error))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.directory.path()).stdout(log).stderr(errors);
        let started = ServerProcess::spawn(&mut command, self.directory.path())
            .map_err(|error| self.failed("start the process", error))?;
        *self.process() = Some(started);
        Ok(())
    }

    /// Waits until it takes requests, for which it needs a majority of the members.
    ///
    /// # Errors
    /// As [`EtcdOptions::start`]; the member is dead then.
    pub fn wait_until_ready(&self) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.is_healthy().unwrap_or(false) {
            let problem = if !self.is_running() {
                "the process ended".to_owned()
            } else if Instant::now() >= deadline {
                format!("it was not ready within {START_LIMIT:?}")
            } else {
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            self.kill();
            return Err(self.not_started(problem));
        }
        Ok(())
    }

    /// Whether it reads with a majority's consent.
    fn is_healthy(&self) -> io::Result<bool> {
        Ok(self.talk("GET /health HTTP/1.0\r\n\r\n")?.contains(r#"{"health":"true"}"#))
    }

    /// Whether it is the leader, as it sees it itself.
    pub(super) fn leads(&self) -> bool {
        let status = self.post("maintenance/status", "{}", None).unwrap_or_default();
        let first = |field: &str| texts(&status, field).into_iter().next();
        first("leader").is_some_and(|leader| Some(leader) == first("member_id"))
    }

    /// Sends a request to etcd's JSON interface.
    pub(super) fn post(&self, path: &str, request: &str, token: Option<&str>) -> Result<String, ServerError> {
        let token = token.map_or_else(String::new, |token| format!("Authorization: {token}\r\n"));
        let length = request.len();
        let text = format!("POST /v3/{path} HTTP/1.0\r\n{token}Content-Length: {length}\r\n\r\n{request}");
        let answer = self.talk(&text).map_err(|error| self.failed(&format!("ask for {path}"), error))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.lines().next().is_some_and(|line| line.contains(" 200 ")) {
            return Ok(body.to_owned());
        }
        Err(ServerError::Refused {
            server: self.name(),
            command: path.to_owned(),
            message: body.trim().to_owned(),
        })
    }

    /// One exchange of HTTP on a connection of its own.
    fn talk(&self, text: &str) -> io::Result<String> {
        let limit = Duration::from_secs(5);
        let address = SocketAddr::from(([127, 0, 0, 1], self.operator_port));
        let mut connection = TcpStream::connect_timeout(&address, limit)?;
        connection.set_read_timeout(Some(limit))?;
        connection.write_all(text.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
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

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    fn name(&self) -> String {
        format!("etcd on {}", self.address())
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

impl fmt::Debug for EtcdMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdMember")
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
