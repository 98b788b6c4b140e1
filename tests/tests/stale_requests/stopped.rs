//! One server that is stopped again and again, and a client's node for it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::env::Env;
use redlock::node::{Effect, Node, NodeErrorKind, NodeFuture};
use redlock::testing::servers::RedisServer;
use redlock::{Instant, LockName, OwnerToken, Protections};
use redlock_tests::support::eventually;

use crate::Line;

/// How long a request is waited for. Less than this and the server is stopped for no time at all; more takes longer.
const PATIENCE: Duration = Duration::from_millis(4);

/// What to allow a server's clock that is being set right while the machine runs.
const SLEW: Duration = Duration::from_millis(2);

pub(crate) struct Stopped {
    pub(crate) server: RedisServer,
    pub(crate) node: Arc<RedisNode>,
    env: Arc<dyn Env>,
}

impl Stopped {
    pub(crate) fn start(env: &Arc<dyn Env>, protections: Protections) -> Self {
        let server = RedisServer::start().unwrap();
        let config = RedisConfig::from_url(&server.url()).unwrap();
        let node = RedisNode::start(config, Arc::clone(env), protections).unwrap();
        Self { server, node, env: Arc::clone(env) }
    }

    /// Waits until the node is connected.
    pub(crate) fn connect(&self) {
        eventually("the node is connected", || block_on(Arc::clone(&self.node).inspect(name(0))).is_ok());
    }

    /// Stops the server, asks it, gives the requests up at their deadline, and lets it go on; returns once it has run all
    /// that was asked.
    pub(crate) fn ask_in_vain<T>(&self, line: Line, ask: impl FnOnce(Instant) -> Vec<NodeFuture<T>>) {
        let connections = self.connections();
        self.server.pause().unwrap();
        let deadline = Instant::now().saturating_add(PATIENCE);
        let mut asked = ask(deadline);
        for reply in &mut asked {
            assert!(reply.now_or_never().is_none(), "it must be sent, and not answered");
        }
        match line {
            Line::Kept => drop(asked),
            Line::GivenUp => {
                for reply in asked {
                    let Err(error) = block_on(reply) else { panic!("a stopped server has answered") };
                    // What came together with others, and was not sent yet, never will be.
                    let is_sent = (NodeErrorKind::Disconnected, Effect::Unknown);
                    let is_not = (NodeErrorKind::Unreachable, Effect::None);
                    assert!([is_sent, is_not].contains(&(error.kind, error.effect)), "{error}");
                }
            }
        }
        block_on(self.env.sleep_until(deadline.saturating_add(SLEW)));
        self.server.resume().unwrap();
        match line {
            // Answered behind all that was asked before.
            Line::Kept => drop(block_on(Arc::clone(&self.node).inspect(name(0))).unwrap()),
            // A server notices the end of a connection behind all that came over it.
            Line::GivenUp => eventually("the server has run what it was asked", || {
                self.connections().iter().all(|id| !connections.contains(id))
            }),
        }
    }

    /// The nodes' connections to the server, by what it calls them.
    fn connections(&self) -> Vec<String> {
        let list = self.server.command(&["CLIENT", "LIST"]).unwrap();
        let lines = list.text().unwrap().lines().filter(|line| !line.contains("cmd=client"));
        lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }
}

/// How many scripts a server has run.
pub(crate) fn scripts_run(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let mut lines = info.text().unwrap().lines();
    let calls = lines.find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

pub(crate) fn name(number: u32) -> LockName {
    LockName::new(format!("a-{number}")).unwrap()
}

pub(crate) fn key(number: u32) -> String {
    format!("redlock:a-{number}")
}

pub(crate) fn owner(number: u32) -> OwnerToken {
    let mut bytes = [0; OwnerToken::BYTES];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    OwnerToken::from_bytes(bytes)
}
