//! A ZooKeeper ensemble: one server that stands alone, or three of which one leads.

mod member;
mod operator;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::{ServerError, port, program};
pub use member::ZooKeeperMember;

/// How long an ensemble may take to get ready. A machine that is busy with other tests is slow.
const START_LIMIT: Duration = Duration::from_secs(60);
const PORT_TRIES: u32 = 10;
/// What a log ends with where somebody else took a port in between: the clients', or the one for elections.
const PORT_TAKEN: &[&str] = &["already in use", "Leaving listener"];

/// Where distributions put the jars; `ZOOKEEPER_HOME` comes first.
const USUAL_JARS: &[&str] =
    &["/usr/share/java/zookeeper.jar", "/usr/share/zookeeper", "/opt/zookeeper", "/usr/local/zookeeper"];

/// Whether a ZooKeeper can be started on this machine.
pub fn zookeeper_is_installed() -> bool {
    program::java().is_ok() && class_path().is_some()
}

/// How to start a [`ZooKeeperEnsemble`]; see [`ZooKeeperEnsemble::options`].
#[derive(Debug, Clone)]
pub struct ZooKeeperOptions {
    tick: Duration,
    longest_session: Duration,
    settings: Vec<String>,
}

impl ZooKeeperOptions {
    /// `tickTime`, in whole milliseconds: 200 ms by default. Sessions end at multiples of it.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// `maxSessionTimeout`: 60 s by default.
    #[must_use]
    pub fn longest_session(mut self, timeout: Duration) -> Self {
        self.longest_session = timeout;
        self
    }

    /// Another line of `zoo.cfg`, as in `.setting("globalOutstandingLimit", "10")`.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// Starts so many members, 1 or 3, and waits until they serve clients.
    ///
    /// # Errors
    /// [`ServerError::NotInstalled`] without Java or ZooKeeper on this machine, [`ServerError::NotStarted`] with the end of
    /// a member's log if it ends or is not ready in time, [`ServerError::Io`] otherwise.
    pub fn start(&self, members: usize) -> Result<ZooKeeperEnsemble, ServerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.start_once(members) {
                Err(ServerError::NotStarted { log, .. })
                    if tries < PORT_TRIES && PORT_TAKEN.iter().any(|sign| log.contains(sign)) => {}
                result => return result,
            }
        }
    }

    fn start_once(&self, members: usize) -> Result<ZooKeeperEnsemble, ServerError> {
        let java = program::java()?;
        let class_path = class_path().ok_or(ServerError::NotInstalled {
            programs: &["zookeeper.jar"],
            install: "`apt-get install zookeeperd`, or set ZOOKEEPER_HOME to an unpacked release",
        })?;
        let free_port = || {
            port::free("127.0.0.1").map_err(|source| ServerError::Io {
                server: "zookeeper".to_owned(),
                action: "find a free port".to_owned(),
                source,
            })
        };
        let mut peers = String::new();
        if members > 1 {
            for index in 1..=members {
                let (among, election) = (free_port()?, free_port()?);
                let _ = writeln!(peers, "server.{index}=127.0.0.1:{among}:{election}");
            }
        }
        let common = format!(
            "tickTime={}\ninitLimit=20\nsyncLimit=5\nadmin.enableServer=false\n4lw.commands.whitelist=*\n\
             maxClientCnxns=0\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortAddress=127.0.0.1\n{}\n{peers}",
            self.tick.as_millis(),
            self.tick.as_millis() * 2,
            self.longest_session.as_millis(),
            self.settings.join("\n"),
        );
        let members = (1..=members)
            .map(|id| ZooKeeperMember::create(&java, &class_path, id, free_port()?, &common))
            .collect::<Result<Vec<_>, _>>()?;
        let ensemble = ZooKeeperEnsemble { members };
        // All begin before anybody is waited for: one alone gets nowhere.
        for member in &ensemble.members {
            member.launch()?;
        }
        for member in &ensemble.members {
            member.wait_until_ready(START_LIMIT)?;
        }
        Ok(ensemble)
    }
}

/// A ZooKeeper ensemble of one's own: killed, and its directories removed, when dropped.
#[derive(Debug)]
pub struct ZooKeeperEnsemble {
    members: Vec<ZooKeeperMember>,
}

impl ZooKeeperEnsemble {
    /// Starts so many members, 1 or 3, on free ports of 127.0.0.1, and waits until they serve clients.
    ///
    /// # Errors
    /// As [`ZooKeeperOptions::start`].
    pub fn start(members: usize) -> Result<Self, ServerError> {
        Self::options().start(members)
    }

    /// How to start them otherwise.
    pub fn options() -> ZooKeeperOptions {
        ZooKeeperOptions {
            tick: Duration::from_millis(200),
            longest_session: Duration::from_secs(60),
            settings: Vec::new(),
        }
    }

    /// `127.0.0.1:PORT` of every member, in order.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(ZooKeeperMember::address).collect()
    }

    /// `zookeeper://127.0.0.1:PORT,127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("zookeeper://{}", self.addresses().join(","))
    }

    /// The member at `index`, from 0.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn member(&self, index: usize) -> &ZooKeeperMember {
        &self.members[index]
    }

    /// How many members there are, dead ones included.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Always false: there is one at least.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The index of the member that leads, or stands alone; `None` while nobody does.
    pub fn leader(&self) -> Option<usize> {
        self.members
            .iter()
            .position(|member| matches!(member.mode().as_deref(), Some("leader" | "standalone")))
    }

    /// The names of the znodes directly below `path`, sorted; none if it does not exist.
    ///
    /// # Errors
    /// [`ServerError::Io`] if no member answers within some seconds.
    pub fn children(&self, path: &str) -> Result<Vec<String>, ServerError> {
        let mut children = self.ask(|member| member.children(path))?.unwrap_or_default();
        children.sort_unstable();
        Ok(children)
    }

    /// The data of the znode at `path`; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`children`](Self::children), and if it may not be read without credentials.
    pub fn data(&self, path: &str) -> Result<Option<Vec<u8>>, ServerError> {
        self.ask(|member| member.data(path))
    }

    /// The paths of all znodes that end with the sessions of their clients, sorted.
    ///
    /// # Errors
    /// As [`children`](Self::children).
    pub fn ephemerals(&self) -> Result<Vec<String>, ServerError> {
        let dump = self.ask(|member| member.word("dump"))?;
        // Sessions are listed by number, their znodes by path.
        let mut paths: Vec<_> =
            dump.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// Asks the members in turn, the leader first, until one answers: after a kill it takes them a moment.
    fn ask<T>(
        &self,
        question: impl Fn(&ZooKeeperMember) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let deadline = Instant::now() + START_LIMIT / 4;
        loop {
            let mut error = None;
            let leader = self.leader().unwrap_or(0);
            for index in (leader..self.members.len()).chain(0..leader) {
                match question(&self.members[index]) {
                    Ok(answer) => return Ok(answer),
                    // Nobody else says otherwise.
                    Err(ServerError::Io { source, server, action })
                        if source.kind() == std::io::ErrorKind::PermissionDenied =>
                    {
                        return Err(ServerError::Io { server, action, source });
                    }
                    Err(failed) => error = error.or(Some(failed)),
                }
            }
            if let Some(error) = error
                && Instant::now() >= deadline
            {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What Java loads ZooKeeper from.
fn class_path() -> Option<String> {
    let homes = std::env::var_os("ZOOKEEPER_HOME").map(PathBuf::from);
    homes.into_iter().chain(USUAL_JARS.iter().map(PathBuf::from)).find_map(|place| {
        if place.is_file() {
            // Its manifest names the others, but for these: a log, and what TLS needs.
            let beside = ["slf4j-simple.jar", "netty-codec.jar", "netty-resolver.jar"];
            let beside = beside.iter().map(|jar| place.with_file_name(jar)).filter(|jar| jar.is_file());
            let all = std::iter::once(place.clone()).chain(beside).map(|jar| jar.display().to_string());
            return Some(all.collect::<Vec<_>>().join(":"));
        }
        let holds_jars = |folder: &PathBuf| {
            let Ok(files) = std::fs::read_dir(folder) else { return false };
            files.flatten().any(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                name.starts_with("zookeeper") && name.ends_with(".jar")
            })
        };
        [place.join("lib"), place]
            .into_iter()
            .find(holds_jars)
            .map(|folder| format!("{}/*", folder.display()))
    })
}
