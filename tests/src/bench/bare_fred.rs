//! fred alone, doing a lock's commands (the very scripts of the library): what our library is compared with.
//!
//! Settings of fred: `TCP_NODELAY`, no reconnect policy, `max_command_attempts` 1, no command timeout, no check
//! for unresponsive connections. One connection a node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use fred::{
    prelude::{Builder, Client, ClientLike as _, Config, LuaInterface as _},
    types::{Key, Value},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use redlock::backend::redis::script_texts;
use tokio::runtime::Handle;

use super::{
    Result,
    contender::{Contender, Cycle},
};

const TTL_MILLIS: i64 = 30_000;
/// No request of the yardstick is ever late.
const DEADLINE_MICROS: i64 = 1 << 52;

/// One client per node, and where the rounds over them run.
pub struct BareFred {
    nodes: Arc<Nodes>,
    rounds: Rounds,
}

enum Rounds {
    /// In the caller's own task; it is woken by replies.
    AtCaller,
    /// As a task on this runtime; the caller is woken once, by the result.
    Spawned(Handle),
}

struct Nodes {
    clients: Vec<Client>,
    acquire: Script,
    extend: Script,
    release: Script,
}

#[derive(Clone)]
struct Script {
    sha: String,
    /// What the error says when no quorum agreed.
    refusal: &'static str,
}

/// A [`Contender`] whose caller sends and counts by itself.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn rounds_at_caller(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move { Ok(Arc::new(BareFred::connect(urls, Rounds::AtCaller).await?) as Arc<dyn Contender>) }
        .boxed()
}

/// A [`Contender`] that sends and counts in a task on the runtime it was connected on.
///
/// # Errors
/// In the future: a node cannot be reached.
pub fn rounds_spawned(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move {
        let rounds = Rounds::Spawned(Handle::current());
        Ok(Arc::new(BareFred::connect(urls, rounds).await?) as Arc<dyn Contender>)
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
        let nodes = BareFred::connect(urls, Rounds::AtCaller).await?.nodes;
        let held = Self { nodes, key: name.into(), token: fresh_token() };
        held.nodes.round(&held.nodes.acquire, &held.key, &arguments(&held.token)).await?;
        Ok(held)
    }

    /// Renews on all nodes and waits for the quorum.
    ///
    /// # Errors
    /// No quorum holds the lock any more.
    pub async fn extend(&self) -> Result<()> {
        self.nodes.round(&self.nodes.extend, &self.key, &arguments(&self.token)).await
    }
}

impl BareFred {
    async fn connect(urls: Vec<String>, rounds: Rounds) -> Result<Self> {
        let mut clients = Vec::with_capacity(urls.len());
        for url in urls {
            let mut builder = Builder::from_config(Config::from_url(&url)?);
            builder.with_connection_config(|connection| {
                connection.max_command_attempts = 1;
                connection.tcp.nodelay = Some(true);
            });
            let client = builder.build()?;
            client.init().await?;
            clients.push(client);
        }
        let [acquire, extend, release] = script_texts();
        let nodes = Nodes {
            acquire: Script::load(&acquire, "acquire: refused by a quorum", &clients).await?,
            extend: Script::load(&extend, "extend: not held on a quorum", &clients).await?,
            release: Script::load(&release, "release: not held on a quorum", &clients).await?,
            clients,
        };
        Ok(Self { nodes: Arc::new(nodes), rounds })
    }

    async fn round(&self, script: fn(&Nodes) -> &Script, key: &Key, arguments: &[Value]) -> Result<()> {
        match &self.rounds {
            Rounds::AtCaller => self.nodes.round(script(&self.nodes), key, arguments).await,
            Rounds::Spawned(runtime) => {
                let (nodes, key, arguments) = (self.nodes.clone(), key.clone(), arguments.to_vec());
                runtime.spawn(async move { nodes.round(script(&nodes), &key, &arguments).await }).await?
            }
        }
    }
}

impl Contender for BareFred {
    fn cycle<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Cycle>> {
        async move {
            let started = Instant::now();
            let (key, token) = (Key::from(name), fresh_token());
            self.round(|nodes| &nodes.acquire, &key, &arguments(&token)).await?;
            let held = Instant::now();
            self.round(|nodes| &nodes.release, &key, &[token]).await?;
            Ok(Cycle { acquire: held - started, release: held.elapsed() })
        }
        .boxed()
    }
}

impl Nodes {
    /// Sends to all nodes at once and returns with the quorum-th agreement; later replies are dropped.
    async fn round(&self, script: &Script, key: &Key, arguments: &[Value]) -> Result<()> {
        let quorum = self.clients.len() / 2 + 1;
        let beside = Key::from([b"#redlock:aux:{", key.as_bytes(), b"}"].concat().as_slice());
        let mut replies: FuturesUnordered<_> = self
            .clients
            .iter()
            .map(|client| {
                let keys = vec![key.clone(), beside.clone()];
                client.evalsha::<Vec<i64>, _, _, _>(script.sha.as_str(), keys, arguments.to_vec())
            })
            .collect();
        let mut agreed = 0;
        while let Some(reply) = replies.next().await {
            agreed += usize::from(reply?.first() == Some(&0));
            if agreed == quorum {
                return Ok(());
            }
        }
        Err(script.refusal.into())
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

fn arguments(token: &Value) -> [Value; 3] {
    [token.clone(), TTL_MILLIS.into(), DEADLINE_MICROS.into()]
}

/// 40 characters, as long as the real one; unique, which is all that matters here.
fn fresh_token() -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:040x}", NEXT.fetch_add(1, Ordering::Relaxed)).into()
}
