//! fred alone, doing a lock's commands: what our library is compared with. Either what a client without fencing and
//! guards does (SET NX PX, and a script that compares and deletes), or the very scripts of the library.
//!
//! Settings of fred: `TCP_NODELAY`, no reconnect policy, `max_command_attempts` 1, no command timeout, no check
//! for unresponsive connections. One connection a node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fred::{
    prelude::{Builder, Client, ClientLike as _, Config, LuaInterface as _},
    types::{ClusterHash, CustomCommand, Key, Value},
};
use futures::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, future::BoxFuture, stream::FuturesUnordered,
};
use redlock::backend::redis::script_texts;
use tokio::runtime::Handle;

use super::{
    Result,
    contender::{Contender, Cycle},
};

const TTL_MILLIS: i64 = 30_000;
/// No request of the yardstick is ever late.
const DEADLINE_MICROS: i64 = 1 << 52;

/// For how long a counter of a lock is kept that is used no more: ten minutes and the TTL.
const KEEP_MILLIS: i64 = 630_000;
const COMPARE_AND_DELETE: &str =
    "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) else return 0 end";

/// One client per node, and where the rounds over them run.
pub struct BareFred {
    nodes: Arc<Nodes>,
    rounds: Rounds,
    commands: Commands,
}

enum Rounds {
    /// In the caller's own task; it is woken by replies.
    AtCaller,
    /// As a task on this runtime; the caller is woken once, by the result.
    Spawned(Handle),
}

/// What is sent.
#[derive(Clone, Copy)]
enum Commands {
    /// What a client needs that has neither tokens nor guards.
    Plain,
    /// The library's scripts, without fencing tokens and guards.
    Scripts,
    /// The library's scripts with fencing tokens; without guards.
    Fenced,
}

struct Nodes {
    clients: Vec<Client>,
    acquire: Script,
    extend: Script,
    release: Script,
    compare_and_delete: Script,
}

#[derive(Clone)]
struct Script {
    sha: String,
    /// What the error says when no quorum agreed.
    refusal: &'static str,
}

/// A [`Contender`] that sends SET NX PX, and a script to release; its caller sends and counts by itself.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn plain(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    at_caller(urls, Commands::Plain)
}

/// A [`Contender`] that sends the library's scripts, without tokens; its caller sends and counts by itself.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn scripts(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    at_caller(urls, Commands::Scripts)
}

/// A [`Contender`] that sends the library's scripts with fencing tokens; its caller sends and counts by itself.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn fenced(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    at_caller(urls, Commands::Fenced)
}

fn at_caller(urls: Vec<String>, commands: Commands) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move { Ok(BareFred::connect(urls, Rounds::AtCaller).await?.sending(commands)) }.boxed()
}

/// The same as [`scripts`], but it sends and counts in a task on the runtime it was connected on.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn scripts_spawned(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move {
        let rounds = Rounds::Spawned(Handle::current());
        Ok(BareFred::connect(urls, rounds).await?.sending(Commands::Scripts))
    }
    .boxed()
}

/// A lock that is held, for renewals.
pub struct Held {
    nodes: Arc<Nodes>,
    key: Key,
    token: Value,
}

impl Held {
    /// Connects and acquires `name`.
    ///
    /// # Errors
    /// A node cannot be reached, or no quorum grants.
    pub async fn acquire(urls: Vec<String>, name: &str) -> Result<Self> {
        Self::on(&BareFred::connect(urls, Rounds::AtCaller).await?.nodes, name.into()).await
    }

    /// Connects once and acquires so many locks.
    ///
    /// # Errors
    /// A node cannot be reached, or no quorum grants.
    pub async fn acquire_many(urls: Vec<String>, count: usize) -> Result<Vec<Self>> {
        let nodes = BareFred::connect(urls, Rounds::AtCaller).await?.nodes;
        let mut all = Vec::with_capacity(count);
        for number in 0..count {
            all.push(Self::on(&nodes, format!("held:{number}").into()).await?);
        }
        Ok(all)
    }

    async fn on(nodes: &Arc<Nodes>, key: Key) -> Result<Self> {
        let held = Self { nodes: Arc::clone(nodes), key, token: fresh_token() };
        nodes.round(&nodes.acquire, &held.key, &arguments(&held.token)).await?;
        Ok(held)
    }

    /// Renews on all nodes and waits for the quorum.
    ///
    /// # Errors
    /// No quorum holds the lock any more.
    pub async fn extend(&self) -> Result<()> {
        let [token, ttl, deadline] = arguments(&self.token);
        // Without a fence.
        let arguments = [token, ttl, deadline, "".into(), "".into()];
        self.nodes.round(&self.nodes.extend, &self.key, &arguments).await
    }
}

/// A lock that was polled for.
pub struct Polled<'a> {
    nodes: &'a Nodes,
    key: Key,
    token: Value,
}

impl Polled<'_> {
    /// Releases it.
    ///
    /// # Errors
    /// No quorum holds it any more.
    pub async fn release(self) -> Result<()> {
        self.nodes.round(&self.nodes.release, &self.key, &[self.token]).await
    }
}

impl BareFred {
    /// One client a node; rounds run in the caller's task.
    ///
    /// # Errors
    /// A node cannot be reached.
    pub async fn connect_all(urls: Vec<String>) -> Result<Self> {
        Self::connect(urls, Rounds::AtCaller).await
    }

    /// Asks again and again until `name` is held, after such pauses; with the number of rounds that it took. What most libraries do.
    ///
    /// # Errors
    /// It was not held within minutes.
    pub async fn poll(&self, name: &str, pause: impl Fn() -> Duration) -> Result<(Polled<'_>, u64)> {
        const LIMIT: Duration = Duration::from_secs(300);
        let (nodes, key, started) = (&*self.nodes, Key::from(name), Instant::now());
        let mut rounds = 0;
        loop {
            rounds += 1;
            // Other processes poll, too.
            let token = format!("{:040x}", rand::random::<u128>()).into();
            match nodes.round(&nodes.acquire, &key, &arguments(&token)).await {
                Ok(()) => return Ok((Polled { nodes, key, token }, rounds)),
                Err(error) if started.elapsed() > LIMIT => return Err(error),
                // What a minority has granted; that no quorum had it is no news.
                Err(_) => drop(nodes.round(&nodes.release, &key, &[token]).await),
            }
            tokio::time::sleep(pause()).await;
        }
    }

    async fn connect(urls: Vec<String>, rounds: Rounds) -> Result<Self> {
        let clients = connected(&urls).await?;
        let [acquire, extend, release] = script_texts();
        let nodes = Nodes {
            acquire: Script::load(&acquire, "acquire: refused by a quorum", &clients).await?,
            extend: Script::load(&extend, "extend: not held on a quorum", &clients).await?,
            release: Script::load(&release, "release: not held on a quorum", &clients).await?,
            compare_and_delete: Script::load(COMPARE_AND_DELETE, "release: not held on a quorum", &clients)
                .await?,
            clients,
        };
        Ok(Self { nodes: Arc::new(nodes), rounds, commands: Commands::Scripts })
    }

    fn sending(self, commands: Commands) -> Arc<dyn Contender> {
        Arc::new(Self { commands, ..self })
    }

    async fn acquire(&self, key: &Key, token: &Value) -> Result<()> {
        let (nodes, key, token, commands) = (self.nodes.clone(), key.clone(), token.clone(), self.commands);
        self.run(async move {
            match commands {
                Commands::Plain => nodes.set(&key, &token).await,
                Commands::Scripts => nodes.round(&nodes.acquire, &key, &arguments(&token)).await,
                Commands::Fenced => nodes.round(&nodes.acquire, &key, &with_fence(&token)).await,
            }
        })
        .await
    }

    async fn release(&self, key: &Key, token: Value) -> Result<()> {
        let (nodes, key, commands) = (self.nodes.clone(), key.clone(), self.commands);
        self.run(async move {
            match commands {
                Commands::Plain => nodes.delete(&key, &token).await,
                Commands::Scripts | Commands::Fenced => nodes.round(&nodes.release, &key, &[token]).await,
            }
        })
        .await
    }

    async fn run(&self, round: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
        match &self.rounds {
            Rounds::AtCaller => round.await,
            Rounds::Spawned(runtime) => runtime.spawn(round).await?,
        }
    }
}

impl Contender for BareFred {
    fn cycle<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Cycle>> {
        async move {
            let started = Instant::now();
            let (key, token) = (Key::from(name), fresh_token());
            self.acquire(&key, &token).await?;
            let held = Instant::now();
            self.release(&key, token).await?;
            Ok(Cycle { acquire: held - started, release: held.elapsed() })
        }
        .boxed()
    }
}

impl Nodes {
    async fn round(&self, script: &Script, key: &Key, arguments: &[Value]) -> Result<()> {
        let beside = Key::from([b"#redlock:aux:{", key.as_bytes(), b"}"].concat().as_slice());
        let replies = self.clients.iter().map(|client| {
            let keys = vec![key.clone(), beside.clone()];
            client
                .evalsha::<Vec<i64>, _, _, _>(script.sha.as_str(), keys, arguments.to_vec())
                .map_ok(|reply| reply.first() == Some(&0))
        });
        self.quorum(replies.collect(), script.refusal).await
    }

    async fn set(&self, key: &Key, token: &Value) -> Result<()> {
        let replies = self.clients.iter().map(|client| {
            let set = CustomCommand::new_static("SET", ClusterHash::FirstKey, false);
            let arguments: Vec<Value> =
                vec![key.clone().into(), token.clone(), "NX".into(), "PX".into(), TTL_MILLIS.into()];
            client.custom::<Value, _>(set, arguments).map_ok(|reply| !reply.is_null())
        });
        self.quorum(replies.collect(), self.acquire.refusal).await
    }

    async fn delete(&self, key: &Key, token: &Value) -> Result<()> {
        let script = &self.compare_and_delete;
        let replies = self.clients.iter().map(|client| {
            client
                .evalsha::<i64, _, _, _>(script.sha.as_str(), key.clone(), token.clone())
                .map_ok(|deleted| deleted == 1)
        });
        self.quorum(replies.collect(), script.refusal).await
    }

    /// Returns with the quorum-th agreement; later replies are dropped.
    async fn quorum<F>(&self, mut replies: FuturesUnordered<F>, refusal: &'static str) -> Result<()>
    where
        F: Future<Output = Result<bool, fred::error::Error>>,
    {
        let quorum = self.clients.len() / 2 + 1;
        let mut agreed = 0;
        while let Some(reply) = replies.next().await {
            agreed += usize::from(reply?);
            if agreed == quorum {
                return Ok(());
            }
        }
        Err(refusal.into())
    }
}

impl Script {
    async fn load(text: &str, refusal: &'static str, clients: &[Client]) -> Result<Self> {
        let mut sha = String::new();
        for client in clients {
            sha = client.script_load(text).await?;
        }
        Ok(Self { sha, refusal })
    }
}

/// A client of each node, with the settings of the yardstick.
async fn connected(urls: &[String]) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(urls.len());
    for url in urls {
        let mut builder = Builder::from_config(Config::from_url(url)?);
        builder.with_connection_config(|connection| {
            connection.max_command_attempts = 1;
            connection.tcp.nodelay = Some(true);
        });
        let client = builder.build()?;
        client.init().await?;
        clients.push(client);
    }
    Ok(clients)
}

fn arguments(token: &Value) -> [Value; 3] {
    [token.clone(), TTL_MILLIS.into(), DEADLINE_MICROS.into()]
}

/// As the library sends them: for how long to keep the counter, the token that a hint in microseconds gives, and a span of one.
fn with_fence(token: &Value) -> Vec<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let hint = i64::try_from(now).unwrap_or(i64::MAX);
    let mut all = arguments(token).to_vec();
    all.extend([KEEP_MILLIS.into(), hint.into(), 1.into()]);
    all
}

/// 40 characters, as long as the real one; unique, which is all that matters here.
fn fresh_token() -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:040x}", NEXT.fetch_add(1, Ordering::Relaxed)).into()
}
