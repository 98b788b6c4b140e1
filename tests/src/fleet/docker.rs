//! Nodes that are containers of a Docker engine on this machine.
//!
//! They are removed with the fleet. Should this program end before that (SIGINT, SIGKILL), a watchdog process removes them
//! by the `docker` command; where there is none, the next fleet does, which looks for containers whose owner is gone.

mod container;
mod image;
mod watchdog;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fred::types::Value;
use rand::TryRng as _;
use rand::rngs::SysRng;
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::free_port;
use testcontainers::bollard::Docker;

use self::container::{Container, Plan};
use self::watchdog::Watchdog;
use super::client::wait;
use super::{Action, ActionKind, Fleet, FleetError, ask, text};

/// How long an engine may take to say that it is there.
const ENGINE_LIMIT: Duration = Duration::from_secs(10);
/// How long a server may take to take commands.
const START_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(5);
const PORT_TRIES: u32 = 5;

/// Redis servers in containers, each on a port of 127.0.0.1 that stays the same.
///
/// They append every write to a log in the container's own files. Their clock is the machine's.
pub struct DockerFleet {
    docker: Docker,
    plan: Arc<Plan>,
    nodes: Vec<DockerNode>,
    prefix: String,
    program: String,
    // After the containers.
    _watchdog: Option<Watchdog>,
}

struct DockerNode {
    port: u16,
    /// Another one after it was started empty; none after that has failed.
    container: Mutex<Option<Container>>,
}

impl DockerFleet {
    /// Starts so many containers, on whose servers clients may lock under the library's default prefix.
    ///
    /// The image is that of `docker-compose.yml`, if it is there or can be pulled; otherwise one is built, once, of this
    /// machine's own server.
    ///
    /// # Errors
    /// [`FleetError::NoDocker`] if no engine answers, otherwise [`FleetError::Failed`].
    pub fn start(nodes: usize) -> Result<Self, FleetError> {
        Self::start_for_prefix(nodes, RedisConfig::DEFAULT_PREFIX)
    }

    /// The same for another prefix: the clients' user may use no other keys.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_for_prefix(nodes: usize, prefix: &str) -> Result<Self, FleetError> {
        let whole = |detail: String| failed("the containers", &detail);
        if nodes == 0 {
            return Err(whole("there are none; expected one at least".to_owned()));
        }
        let docker = engine()?;
        done(wait(container::remove_abandoned(docker.clone()))).map_err(whole)?;
        let image = done(wait(image::find_or_build(docker.clone()))).map_err(whole)?;
        let mut passwords = [new_password().map_err(whole)?, new_password().map_err(whole)?].into_iter();
        let rights = RedisConfig::new("localhost").prefix(prefix).restart_guard(true).acl_rule();
        let fleet = new_password().map_err(whole)?;
        let plan = Arc::new(Plan {
            image,
            // No secret; different for each fleet.
            fleet,
            rights,
            admin: passwords.next().unwrap_or_default(),
            locker: passwords.next().unwrap_or_default(),
        });
        let watchdog = Watchdog::start(&plan.fleet);
        // Each that has been started is removed when this fails at a later one.
        let nodes = (0..nodes).map(|_| DockerNode::start(&docker, &plan)).collect::<Result<Vec<_>, _>>()?;
        let mut fleet = Self {
            docker,
            plan,
            nodes,
            prefix: prefix.to_owned(),
            program: String::new(),
            _watchdog: watchdog,
        };
        for node in 0..fleet.nodes.len() {
            fleet.wait_until_ready(&fleet.nodes[node])?;
        }
        let info = fleet.ask(&fleet.nodes[0], &["INFO", "server"])?;
        fleet.program = text::program(&info.into_string().unwrap_or_default());
        Ok(fleet)
    }

    fn ask(&self, node: &DockerNode, command: &[&str]) -> Result<Value, FleetError> {
        let url = format!("redis://default:{}@{}", self.plan.admin, node.address());
        ask(&url, command, COMMAND_LIMIT).map_err(|detail| failed(&node.address(), &detail))
    }

    fn wait_until_ready(&self, node: &DockerNode) -> Result<(), FleetError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.ask(node, &["PING"]) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn do_to(&self, node: &DockerNode, action: Action) -> Result<(), FleetError> {
        let address = node.address();
        let wrong = |detail: String| failed(&address, &detail);
        let mut slot = node.container();
        let docker = self.docker.clone();
        let id = slot.as_ref().map(Container::id);
        let state = match id.clone() {
            Some(id) => done(wait(container::state(docker.clone(), id))).map_err(wrong)?,
            None => container::State::default(),
        };
        match (action, id) {
            (Action::Kill, Some(id)) if state.running => done(wait(container::kill(docker, id))),
            (Action::Kill, _) => Ok(()),
            (Action::Start, _) if state.running => Ok(()),
            (Action::Start, Some(id)) => {
                done(wait(container::start(docker, id))).map_err(wrong)?;
                return self.wait_until_ready(node);
            }
            (Action::StartEmpty, _) if state.running => Err("it is running; kill it first".to_owned()),
            (Action::Start | Action::StartEmpty, _) => {
                // Its files go with it.
                drop(slot.take());
                *slot = Some(Container::create(&self.plan, node.port).map_err(wrong)?);
                return self.wait_until_ready(node);
            }
            (Action::Flush, _) => return self.ask(node, &["FLUSHALL"]).map(drop),
            (Action::Pause | Action::Resume, None) => Err("it is not running; start it first".to_owned()),
            (Action::Pause | Action::Resume, _) if !state.running => {
                Err("it is not running; start it first".to_owned())
            }
            (Action::Pause, Some(id)) if !state.paused => done(wait(container::pause(docker, id))),
            (Action::Resume, Some(id)) if state.paused => done(wait(container::resume(docker, id))),
            (Action::Pause | Action::Resume, _) => Ok(()),
            (action, _) => return Err(FleetError::Unsupported { fleet: self.kind(), action }),
        }
        .map_err(wrong)
    }
}

impl Fleet for DockerFleet {
    fn kind(&self) -> &'static str {
        "docker"
    }

    fn server(&self) -> String {
        let image = &self.plan.image;
        format!("{} in containers of {image}", self.program)
    }

    fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(DockerNode::address).collect()
    }

    fn config(&self, reached_at: &[String]) -> String {
        let url = |address| format!("redis://locker:{}@{address}", self.plan.locker);
        let urls: Vec<_> = reached_at.iter().take(self.nodes.len()).map(url).collect();
        text::config(&urls, &self.prefix)
    }

    fn actions(&self) -> Vec<ActionKind> {
        use ActionKind::*;
        vec![Kill, Start, StartEmpty, Pause, Resume, Flush]
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        let node = text::pick(self, &self.nodes, node)?;
        if !self.actions().contains(&action.kind()) {
            return Err(FleetError::Unsupported { fleet: self.kind(), action });
        }
        self.do_to(node, action)
    }

    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        let node = text::pick(self, &self.nodes, node)?;
        let keys = self.ask(node, &["KEYS", "*"])?;
        let mut keys: Vec<String> =
            keys.convert().map_err(|error| failed(&node.address(), &format!("KEYS: {error}")))?;
        keys.retain(|key| text::is_lock_key(key, prefix));
        keys.sort_unstable();
        Ok(keys)
    }

    fn command(&self, node: usize, command: &[&str]) -> Result<Value, FleetError> {
        self.ask(text::pick(self, &self.nodes, node)?, command)
    }
}

impl DockerNode {
    fn start(docker: &Docker, plan: &Arc<Plan>) -> Result<Self, FleetError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let port = free_port("127.0.0.1")
                .map_err(|error| failed("the containers", &format!("no port is free: {error}")))?;
            let detail = match Container::create(plan, port) {
                Ok(container) => return Ok(Self { port, container: Mutex::new(Some(container)) }),
                Err(detail) => detail,
            };
            // The container that could not be started is still there.
            let removed = done(wait(container::remove_unstarted(docker.clone(), plan.fleet.clone())));
            removed.map_err(|detail| failed("the containers", &detail))?;
            // Somebody else may have taken the port in between.
            if tries == PORT_TRIES || !detail.contains("already") {
                return Err(failed(&format!("127.0.0.1:{port}"), &detail));
            }
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn container(&self) -> MutexGuard<'_, Option<Container>> {
        self.container.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DockerFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerFleet").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

/// An engine that answers, where `DOCKER_HOST` or the usual socket says.
fn engine() -> Result<Docker, FleetError> {
    let asked = wait(async {
        let ping = async {
            let docker = testcontainers::core::client::docker_client_instance().await;
            let docker = docker.map_err(|error| error.to_string())?;
            docker.ping().await.map_err(|error| error.to_string())?;
            Ok(docker)
        };
        let silent = |_| Err(format!("no answer within {ENGINE_LIMIT:?}"));
        tokio::time::timeout(ENGINE_LIMIT, ping).await.unwrap_or_else(silent)
    });
    done(asked).map_err(|detail| FleetError::NoDocker { detail })
}

/// What came of a future, or of waiting for it.
fn done<T>(result: Result<Result<T, String>, String>) -> Result<T, String> {
    result.and_then(|done| done)
}

/// 160 random bits; no character has a meaning in a URL.
fn new_password() -> Result<String, String> {
    let mut bytes = [0; 20];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| format!("no random bits: {error}"))?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

fn failed(node: &str, detail: &str) -> FleetError {
    FleetError::Failed { node: node.to_owned(), detail: detail.to_owned() }
}
