//! Real `redis-server` processes, each with a port and a directory of its own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redlock::backend::redis::RedisConfig;
use tempfile::TempDir;

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    pub(crate) port: u16,
    dir: TempDir,
    arguments: Vec<String>,
    /// What `redis-cli` needs to talk to it.
    login: Vec<String>,
    process: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[], &[])
    }

    /// With further arguments for `redis-server`, and those that `redis-cli` then needs.
    pub(crate) fn with(arguments: &[&str], login: &[&str]) -> Self {
        Self::with_port_option("--port", arguments, login)
    }

    /// As [`Server::with`], but the port speaks TLS if `port_option` is `--tls-port`.
    pub(crate) fn with_port_option(port_option: &str, arguments: &[&str], login: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        // Somebody else may take the port between the look and the start.
        for _ in 0..10 {
            let (port, dir) = (free_port(), TempDir::new().unwrap());
            let mut all = owned(&[port_option, &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            if port_option != "--port" {
                all.extend(owned(&["--port", "0"]));
            }
            all.extend(owned(&["--dir", dir.path().to_str().unwrap(), "--logfile", "log"]));
            all.extend(owned(&["--user", "locker", "reset", "on", ">locker-pw"]));
            all.extend(RedisConfig::new("127.0.0.1").acl_rule().split(' ').map(str::to_owned));
            all.extend(owned(arguments));
            let process = spawn(&all);
            let mut server = Self { port, dir, arguments: all, login: owned(login), process };
            if server.comes_up() {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    /// As a user with the documented rights.
    pub(crate) fn url(&self) -> String {
        format!("redis://locker:locker-pw@127.0.0.1:{}", self.port)
    }

    /// As the default user, without a password.
    pub(crate) fn admin_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn run_id(&self) -> String {
        let info = self.cli(&["INFO", "server"]);
        info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().trim().to_owned()
    }

    /// What `redis-cli` prints.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "--no-auth-warning"])
            .args(&self.login)
            .args(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The clients that are connected, without the one that asks.
    pub(crate) fn clients(&self) -> usize {
        self.cli(&["CLIENT", "LIST"]).lines().filter(|line| !line.contains("cmd=client")).count()
    }

    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success()
        );
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it anew on the same port, without its memory.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(&self.arguments);
        assert!(self.comes_up());
    }

    /// Starts it on another port.
    pub(crate) fn start_on(&mut self, port: u16) {
        self.arguments[1] = port.to_string();
        self.port = port;
        self.start_again();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn comes_up(&mut self) -> bool {
        let start = Instant::now();
        while self.cli(&["PING"]) != "PONG" {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no answer from redis-server:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(arguments: &[String]) -> Child {
    Command::new("redis-server").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
