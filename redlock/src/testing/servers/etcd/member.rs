//! One process of an ensemble.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::EtcdOptions;
use super::operator::texts;
use crate::testing::servers::home::{self, Home};
use crate::testing::servers::{ServerError, program};

/// How long a member may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(30);

/// One member of an [`EtcdEnsemble`](super::EtcdEnsemble).
pub struct EtcdMember {
    program: PathBuf,
    port: u16,
    /// Where the fixture itself asks, in plain text.
    operator_port: u16,
    arguments: Vec<String>,
    paused: AtomicBool,
    home: Home,
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
        let home = Home::create("etcd", "etcd")?;
        let [port, operator_port, peer] = ports;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let client = format!("{scheme}://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{peer}");
        let mut arguments: Vec<String> = [
            ("--name", format!("m{index}")),
            ("--data-dir", home.path().join("data").display().to_string()),
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
        let paused = AtomicBool::new(false);
        Ok(Self { program, port, operator_port, arguments, paused, home })
    }

    /// `127.0.0.1:PORT` for clients; the same over restarts.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id; none after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.home.pid()
    }

    /// Whether the process lives; a paused one does.
    pub fn is_running(&self) -> bool {
        self.home.is_running()
    }

    /// Whether it runs and is not paused.
    pub(super) fn answers(&self) -> bool {
        self.is_running() && !self.paused.load(Ordering::SeqCst)
    }

    /// Kills the process as a crash would (SIGKILL) and returns once it is gone. Without effect on a dead one.
    pub fn kill(&self) {
        self.home.kill();
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Freezes the process (SIGSTOP) and returns once it stands still: the kernel still takes connections for it.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.home.pause(&self.name())?;
        self.paused.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Lets a paused process go on (SIGCONT): it runs what has queued up meanwhile.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.home.resume(&self.name())?;
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
        self.home.launch(&self.name(), Command::new(&self.program).args(&self.arguments), |_| Ok(()))
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
            return Err(self.home.not_started(&self.name(), problem));
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

    fn name(&self) -> String {
        format!("etcd on {}", self.address())
    }

    fn failed(&self, action: &str, source: io::Error) -> ServerError {
        home::failed(&self.name(), action, source)
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
