//! One server of an ensemble.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::super::ServerError;
use super::super::home::{self, Home};
use super::START_LIMIT;
use super::operator;

/// A server is small here: little memory, no time spent on optimising, no forced writes, a small log file.
const FLAGS: &[&str] = &[
    "-Xmx64m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dzookeeper.forceSync=no",
    "-Dzookeeper.preAllocSize=64",
    "-Dzookeeper.jmx.log4j.disable=true",
];

/// One server of a [`ZooKeeperEnsemble`](super::ZooKeeperEnsemble).
#[derive(Debug)]
pub struct ZooKeeperMember {
    java: PathBuf,
    class_path: String,
    port: u16,
    home: Home,
}

impl ZooKeeperMember {
    /// Writes its files.
    pub(super) fn create(
        java: &Path,
        class_path: &str,
        id: usize,
        port: u16,
        settings: &str,
    ) -> Result<Self, ServerError> {
        let server = format!("zookeeper on 127.0.0.1:{port}");
        let home = Home::create("zookeeper", &server)?;
        let data = home.path().join("data");
        let written = fs::create_dir(&data)
            .and_then(|()| fs::write(data.join("myid"), id.to_string()))
            .and_then(|()| {
                let text = format!("{settings}\nclientPort={port}\ndataDir={}\n", data.display());
                fs::write(home.path().join("zoo.cfg"), text)
            });
        written.map_err(|error| home::failed(&server, "write its configuration", error))?;
        Ok(Self { java: java.to_owned(), class_path: class_path.to_owned(), port, home })
    }

    /// The port; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
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

    /// Kills the process as a crash would (SIGKILL) and returns once it is gone. Without effect on a dead one.
    pub fn kill(&self) {
        self.home.kill();
    }

    /// Kills the process if it lives and starts a new one on the same port with the same files; waits until it serves
    /// clients, for which a majority of the members is needed.
    ///
    /// # Errors
    /// As [`ZooKeeperOptions::start`](super::ZooKeeperOptions::start); the member is dead then.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.launch()?;
        self.wait_until_ready(START_LIMIT)
    }

    /// Freezes the process (SIGSTOP) and returns once it stands still: the kernel still takes connections for it.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.home.pause(&self.name())
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] after a kill.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.home.resume(&self.name())
    }

    /// `leader`, `follower` or `standalone`, as the server says; `None` if it does not serve clients.
    pub fn mode(&self) -> Option<String> {
        let answer = operator::word(self.port, "srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// What it answers to a four-letter word, such as `mntr`.
    ///
    /// # Errors
    /// [`ServerError::Io`] without an answer within some seconds.
    pub fn word(&self, word: &str) -> Result<String, ServerError> {
        operator::word(self.port, word).map_err(|error| self.failed(&format!("answer `{word}`"), error))
    }

    /// The names of the znodes directly below `path`; `None` if it does not exist.
    pub(super) fn children(&self, path: &str) -> Result<Option<Vec<String>>, ServerError> {
        operator::children(self.port, path).map_err(|error| self.failed("list znodes", error))
    }

    /// The data of the znode at `path`; `None` if it does not exist.
    pub(super) fn data(&self, path: &str) -> Result<Option<Vec<u8>>, ServerError> {
        operator::data(self.port, path).map_err(|error| self.failed("read a znode", error))
    }

    /// Kills the process if it lives, starts a new one on the same port with the same files, and does not wait for it.
    ///
    /// # Errors
    /// [`ServerError::Io`] if it cannot be started.
    pub fn launch(&self) -> Result<(), ServerError> {
        let mut command = Command::new(&self.java);
        command
            .args(FLAGS)
            .args(["-cp", &self.class_path, "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(self.home.path().join("zoo.cfg"));
        self.home.launch(&self.name(), &mut command, |_| Ok(()))
    }

    /// Waits until it serves clients, for which a majority of the members is needed; leaves no process behind if it does not
    /// get there.
    ///
    /// # Errors
    /// [`ServerError::NotStarted`] with the end of its log.
    pub fn wait_until_ready(&self, limit: Duration) -> Result<(), ServerError> {
        let deadline = Instant::now() + limit;
        while self.mode().is_none() {
            let problem = if !self.is_running() {
                "the process ended".to_owned()
            } else if Instant::now() >= deadline {
                format!("it was not ready within {limit:?}")
            } else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            self.kill();
            return Err(self.home.not_started(&self.name(), problem));
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("zookeeper on {}", self.address())
    }

    fn failed(&self, action: &str, source: io::Error) -> ServerError {
        home::failed(&self.name(), action, source)
    }
}
