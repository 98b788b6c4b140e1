//! The stage of a scenario: nodes, the ways of three clients to them, and what the clients and an operator can do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fred::types::Value;
use futures::executor::block_on;
use redlock::config::Config;
use redlock::node::Node;
use redlock::testing::faulty::{Event, FaultyNode, Op};
use redlock::testing::real_env;
use redlock::{BuildError, LockGuard, Locks, LocksBuilder, Protections};

use super::{Finding, Scenario, SceneError};
use crate::fleet::{self, Action, Fleet};
use crate::network::{Direction, Network, Way};
use crate::support::LIMIT;

/// What every scenario's lock is called.
pub(super) const NAME: &str = "a";
/// Its key on a node.
pub(super) const KEY: &str = "redlock:a";
/// Its fencing counter on a node.
pub(super) const COUNTER: &str = "#redlock:aux:{redlock:a}";
/// What the list of nodes begins with in a configuration.
const LIST: &str = "nodes = ";
/// How many clients there are.
const CLIENTS: usize = 3;
/// How long a client waits for a node: long, since machines that run many scenarios at once are slow.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);
/// Counters follow clocks, in microseconds.
pub(super) const HOUR_OF_TOKENS: u64 = 3_600_000_000;
const POLL: Duration = Duration::from_millis(2);

/// Nodes in good order, ways to them, and the safeguards that the clients have.
#[derive(Debug)]
pub struct Scene {
    // Before the fleet: the ways end first.
    network: Network,
    fleet: Box<dyn Fleet>,
    protections: Protections,
    ttl: Duration,
    program: PathBuf,
}

impl Scene {
    /// Lays the ways to these nodes, and initialises them. `program` is the `chaos` command, whose workers are clients in
    /// processes of their own.
    ///
    /// # Errors
    /// If the fleet cannot do what the scenario needs, or does not answer.
    pub fn start(
        fleet: Box<dyn Fleet>,
        scenario: &Scenario,
        protections: Protections,
        program: &Path,
    ) -> Result<Self, SceneError> {
        let actions = fleet.actions();
        if let Some(&action) = scenario.needs.iter().find(|action| !actions.contains(action)) {
            return Err(SceneError::Unsupported { scenario: scenario.name, action, fleet: fleet.kind() });
        }
        let network = fleet::ways_to(&*fleet, CLIENTS).map_err(SceneError::Network)?;
        let scene = Self { network, fleet, protections, ttl: scenario.ttl, program: program.to_owned() };
        let builder = scene.builder(0)?.protections(Protections::default());
        drop(patiently(|| block_on(builder.clone().init()))?);
        Ok(scene)
    }

    /// Which safeguards are on.
    pub const fn protections(&self) -> Protections {
        self.protections
    }

    /// The TTL of the locks, and the longest.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How many nodes there are.
    pub const fn nodes(&self) -> usize {
        self.network.nodes()
    }

    /// The `chaos` command, whose workers are clients in processes of their own.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A client's configuration (TOML), over the client's ways.
    pub fn config(&self, client: usize) -> String {
        let (ttl, patience) = (self.ttl.as_millis(), PATIENCE.min(self.ttl).as_millis());
        format!(
            "{}\nexpiration = \"{ttl}ms\"\nmaxExpiration = \"{ttl}ms\"\nnodeTimeout = \"{patience}ms\"\n",
            self.fleet.config(&self.network.reached_at(client)),
        )
    }

    /// A client's locks to be, from the fleet's own configuration, over the client's ways.
    ///
    /// # Errors
    /// If the configuration does not load.
    pub fn builder(&self, client: usize) -> Result<LocksBuilder, SceneError> {
        let config = Config::from_toml_str(&self.config(client), Path::new("scenario.toml"))?;
        Ok(config.into_builder()?.protections(self.protections))
    }

    /// A client's locks to be that has some of the nodes alone, as the node set with this number.
    ///
    /// # Errors
    /// If the configuration does not load.
    pub fn builder_of(
        &self,
        client: usize,
        nodes: &[usize],
        number: u64,
    ) -> Result<LocksBuilder, SceneError> {
        let urls = self.urls(client);
        let some: Vec<&String> = nodes.iter().filter_map(|&node| urls.get(node)).collect();
        let list = |line: &str| line.starts_with(LIST).then(|| format!("{LIST}{some:?}"));
        let config = self.config(client);
        let lines: Vec<String> =
            config.lines().map(|line| list(line).unwrap_or_else(|| line.to_owned())).collect();
        let config = Config::from_toml_str(&lines.join("\n"), Path::new("scenario.toml"))?;
        Ok(config.into_builder()?.protections(self.protections).node_set(number))
    }

    /// The URLs of all nodes over a client's ways, each with its password; none of a store that has no list of them.
    pub fn urls(&self, client: usize) -> Vec<String> {
        let config = self.config(client);
        let list = config.lines().find_map(|line| line.strip_prefix(LIST));
        list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default()
    }

    /// A client's locks.
    ///
    /// # Errors
    /// If too few nodes answer.
    pub fn locks(&self, client: usize) -> Result<Locks, SceneError> {
        Ok(built(self.builder(client)?)?)
    }

    /// A client's locks over links that can do what no TCP connection does: let a request overtake another, or arrive twice.
    ///
    /// # Errors
    /// If too few nodes answer.
    pub fn locks_over_links(&self, client: usize) -> Result<(Locks, Vec<Arc<FaultyNode>>), SceneError> {
        let env = real_env().map_err(SceneError::Threads)?;
        let nodes = self.locks(client)?.nodes().to_vec();
        let links: Vec<_> = nodes.into_iter().map(|node| FaultyNode::new(node, Arc::clone(&env))).collect();
        // One token an acquisition: where a counter stands is then what its holder knows.
        let builder =
            Locks::builder().protections(self.protections).ttl(self.ttl).max_ttl(self.ttl).handoff(0);
        let builder = links.iter().fold(builder.node_timeout(PATIENCE), |builder, link| {
            builder.node(Arc::clone(link) as Arc<dyn Node>)
        });
        let locks = built(builder)?;
        // A node vouches for what went through it alone: what is still on a link it takes for settled until it has once told
        // its server a deadline.
        let other = block_on(locks.lock("other").wait_at_most(LIMIT).acquire())?;
        block_on(other.release())?;
        self.eventually("every node was asked", || {
            let asked = |link: &Arc<FaultyNode>| link.log().iter().any(|event| event.op == Op::Acquire);
            Ok(links.iter().all(asked))
        })?;
        Ok((locks, links))
    }

    /// The way of a client to a node.
    pub fn way(&self, client: usize, node: usize) -> &Way {
        self.network.way(client, node)
    }

    /// The ways of a client to all nodes.
    pub fn ways(&self, client: usize) -> impl Iterator<Item = &Way> {
        (0..self.nodes()).map(move |node| self.way(client, node))
    }

    /// From now on a client's way to a node leads to another one.
    pub fn lead(&self, client: usize, node: usize, to: usize) {
        self.way(client, node).lead_to(&self.fleet.addresses()[to]);
    }

    /// Cuts all ways of a client in this direction.
    pub fn cut(&self, client: usize, direction: Direction) {
        self.ways(client).for_each(|way| way.cut(direction));
    }

    /// Mends all ways of a client, and waits until what was held has arrived.
    ///
    /// # Errors
    /// If it does not arrive.
    pub fn mend(&self, client: usize) -> Result<(), SceneError> {
        self.ways(client).for_each(Way::mend);
        self.eventually("what was held up has arrived", || {
            Ok(self.ways(client).all(|way| way.waiting() == 0))
        })
    }

    /// Does something to a node.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn act(&self, node: usize, action: Action) -> Result<(), SceneError> {
        Ok(self.fleet.act(node, action)?)
    }

    /// Does something to several nodes.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn act_on(&self, nodes: impl IntoIterator<Item = usize>, action: Action) -> Result<(), SceneError> {
        nodes.into_iter().try_for_each(|node| self.act(node, action))
    }

    /// The member that leads the others.
    ///
    /// # Errors
    /// If the nodes are no members of one store, or have no leader.
    pub fn leader(&self) -> Result<usize, SceneError> {
        Ok(self.fleet.leader()?)
    }

    /// Ends all locks without a word to their holders, as an operator may.
    ///
    /// # Errors
    /// If that cannot be done there.
    pub fn end_locks(&self) -> Result<(), SceneError> {
        Ok(self.fleet.end_locks()?)
    }

    /// What somebody with `redis-cli` does to a node.
    ///
    /// # Errors
    /// If the node does not answer, or answers with an error.
    pub fn command(&self, node: usize, words: &[&str]) -> Result<Value, SceneError> {
        Ok(self.fleet.command(node, words)?)
    }

    /// Whether a node has the key of the lock.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn has_lock(&self, node: usize) -> Result<bool, SceneError> {
        Ok(self.command(node, &["EXISTS", KEY])?.as_u64() == Some(1))
    }

    /// How many nodes have the key of the lock; all of them must answer.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn with_lock(&self) -> Result<usize, SceneError> {
        (0..self.nodes()).try_fold(0, |count, node| Ok(count + usize::from(self.has_lock(node)?)))
    }

    /// A node's wall clock, in microseconds.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn time(&self, node: usize) -> Result<u64, SceneError> {
        let time: Vec<u64> = self.command(node, &["TIME"])?.convert().unwrap_or_default();
        match time[..] {
            [seconds, micros] => Ok(seconds * 1_000_000 + micros),
            _ => Err(SceneError::Unexpected("a node does not tell its time".to_owned())),
        }
    }

    /// A field of a node's INFO; 0 if there is none.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn info(&self, node: usize, section: &str, field: &str) -> Result<u64, SceneError> {
        let text = self.command(node, &["INFO", section])?.into_string().unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(field));
        let digits = |value: &str| value.chars().take_while(char::is_ascii_digit).collect::<String>();
        Ok(value.and_then(|value| digits(value).parse().ok()).unwrap_or(0))
    }

    /// How many requests of locks a node has run.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn requests_run(&self, node: usize) -> Result<u64, SceneError> {
        self.info(node, "commandstats", "cmdstat_evalsha:calls=")
    }

    /// Has a node's fencing counter stand an hour ahead of its time; what it forgets then does not come back by the time that
    /// passes.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn count_ahead(&self, node: usize) -> Result<(), SceneError> {
        let ahead = self.time(node)? + HOUR_OF_TOKENS;
        self.command(node, &["SET", COUNTER, &ahead.to_string(), "PX", "600000"]).map(drop)
    }

    /// The token of one acquisition.
    ///
    /// # Errors
    /// If it cannot be acquired and released.
    pub fn token(&self, locks: &Locks) -> Result<u64, SceneError> {
        let guard = self.hold(locks)?;
        let token = token_of(&guard)?;
        block_on(guard.release())?;
        Ok(token)
    }

    /// Acquires the lock; nobody renews it.
    ///
    /// # Errors
    /// If it cannot be acquired.
    pub fn hold(&self, locks: &Locks) -> Result<LockGuard, SceneError> {
        let lock = locks.lock(NAME).renew_at_most(Duration::from_nanos(1));
        Ok(block_on(lock.wait_at_most(LIMIT).acquire())?)
    }

    /// Acquires the lock, which is renewed.
    ///
    /// # Errors
    /// If it cannot be acquired.
    pub fn acquire(&self, locks: &Locks) -> Result<LockGuard, SceneError> {
        Ok(block_on(locks.lock(NAME).wait_at_most(LIMIT).acquire())?)
    }

    /// One attempt to acquire the lock, on nodes that may not be able to say.
    pub fn take(&self, locks: &Locks) -> Option<LockGuard> {
        block_on(locks.lock(NAME).try_acquire()).ok().flatten()
    }

    /// Waits until a condition holds.
    ///
    /// # Errors
    /// If it does not hold in time, or cannot be told.
    pub fn eventually(
        &self,
        what: &'static str,
        mut condition: impl FnMut() -> Result<bool, SceneError>,
    ) -> Result<(), SceneError> {
        let started = Instant::now();
        while !condition()? {
            if started.elapsed() > LIMIT {
                return Err(SceneError::NotWithin { what, limit: LIMIT });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Lets a client see to all that it has begun; what is left on the nodes then stays there.
    ///
    /// # Errors
    /// If it does not get there, or a node does not answer.
    pub fn leaves_nothing(&self, locks: &Locks) -> Result<Finding, SceneError> {
        block_on(locks.shutdown(LIMIT));
        match self.with_lock()? {
            0 => Ok(Finding::Good),
            left => Ok(Finding::Bad(format!(
                "{left} of {} nodes keep a lock that nobody holds, until its TTL ends",
                self.nodes()
            ))),
        }
    }
}

/// Builds it once enough nodes answer: on a machine that is overloaded they may not do so in time.
pub(super) fn built(builder: LocksBuilder) -> Result<Locks, BuildError> {
    patiently(|| block_on(builder.clone().build()))
}

pub(super) fn patiently(mut build: impl FnMut() -> Result<Locks, BuildError>) -> Result<Locks, BuildError> {
    let started = Instant::now();
    loop {
        match build() {
            Err(BuildError::NoQuorum { .. } | BuildError::InitIncomplete { .. })
                if started.elapsed() < LIMIT => {}
            result => return result,
        }
    }
}

/// The fencing token of a lock.
pub(super) fn token_of(guard: &LockGuard) -> Result<u64, SceneError> {
    let token = guard.fencing_token().map(redlock::FencingToken::get);
    token.ok_or_else(|| SceneError::Unexpected("a lock came without a fencing token".to_owned()))
}

/// When requests of this operation on the lock have reached a node over a link.
pub(super) fn arrivals(link: &FaultyNode, op: Op) -> Vec<redlock::Instant> {
    let is_it = |event: &Event| {
        event.op == op && event.name.as_ref().is_some_and(|name| name.as_bytes() == NAME.as_bytes())
    };
    link.log().iter().filter(|event| is_it(event)).map(|event| event.at).collect()
}
