//! Wake-ups: the server tells which keys have changed (client-side caching, `CLIENT TRACKING`).
//!
//! On a connection of its own: a server remembers the keys that *this* connection has read, and the scripts on the other
//! one read keys all the time. To watch a key is to read it there: `PTTL` says in one command whether the name is free and
//! has the server tell of the next change. After a change it is read again, since a renewal is one too. The connection is
//! opened for the first who waits and closed when nobody has waited for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fred::interfaces::{Resp3Frame, TrackingInterface};
use fred::types::RespVersion;
use fred::types::client::Invalidation;
use futures::future::{Either, select};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{Notify, watch};

use super::connection::{self, Connection, Outcome, Wish};
use super::failure::{Failure, closed_early, refused_by_server};
use super::link::{self, Running, Shared};
use super::reply;
use crate::env::jitter;
use crate::id::Instant;
use crate::node::watchers::{Watcher, Watchers};
use crate::node::{NodeError, NodeErrorKind, NodeFuture, Watch};

/// A key that is watched is read at least so often, after a time drawn from this one to half as much again: an expiry that
/// the server has not come to, a `FLUSHALL`, and whatever else is not told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A holder that renews often makes for many looks: so many at once, and then one in this time.
const LOOKS_AT_ONCE: u32 = 10;
const LOOK_SPACING: Duration = Duration::from_millis(20);
/// How long the connection stays when nobody waits.
const IDLE: Duration = Duration::from_secs(5);

/// Who waits for names on one node, and the connection on which it is told. Dropping it closes that.
pub(super) struct Wakeups(Arc<Hub>);

struct Hub {
    shared: Arc<Shared>,
    line: watch::Sender<Line>,
    watchers: Arc<Watchers<Vec<u8>>>,
    /// The watches that use the connection, or wait for it.
    users: AtomicUsize,
    stop: Notify,
}

/// The connection.
enum Line {
    /// There is none, for this reason. Before `again_at` none is opened.
    Down {
        why: Failure,
        again_at: Instant,
        failures: u32,
    },
    Opening {
        failures: u32,
    },
    /// The server tells what changes.
    Up(Arc<Connection>),
}

impl Wakeups {
    /// Connects to nothing yet.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let line = Line::Down { why: nobody_waits(), again_at: Instant::from_nanos(0), failures: 0 };
        Self(Arc::new(Hub {
            shared: Arc::clone(shared),
            line: watch::Sender::new(line),
            watchers: Arc::default(),
            users: AtomicUsize::new(0),
            stop: Notify::new(),
        }))
    }

    /// [`Node::watch`](crate::node::Node::watch) for the lock with this main key.
    pub(super) fn watch(&self, node: &Arc<str>, key: Vec<u8>) -> NodeFuture<Watch> {
        let (hub, node) = (Arc::clone(&self.0), Arc::clone(node));
        Box::pin(async move {
            let user = User::new(&hub);
            let connection = hub.connection().await.map_err(|why| cannot_tell(&node, &why))?;
            let watcher = hub.watchers.watch(key.clone());
            let mut look = Look { node, key, connection, watcher, spent: Instant::from_nanos(0), user };
            let mut seen = look.once().await?;
            let watch: Watch = Box::pin(async move {
                while let Seen::Held(left) = seen {
                    look.until_worth_it(left).await;
                    seen = look.once().await?;
                }
                Ok(())
            });
            Ok(watch)
        })
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        self.0.stop.notify_one();
    }
}

/// Counts as a user of the connection until it is dropped.
struct User(Arc<Hub>);

impl User {
    fn new(hub: &Arc<Hub>) -> Self {
        hub.users.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(hub))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a look at a key has shown.
enum Seen {
    Free,
    /// With what its holder has left, unless it has no end.
    Held(Option<Duration>),
}

/// Looks at one key for one who waits.
struct Look {
    node: Arc<str>,
    key: Vec<u8>,
    connection: Arc<Connection>,
    watcher: Watcher<Vec<u8>>,
    /// The looks have used up their share of time up to here.
    spent: Instant,
    user: User,
}

impl Look {
    /// Reads the key, so that the next change is told.
    async fn once(&mut self) -> Result<Seen, NodeError> {
        // Before the server sees the request: what it tells behind the answer is not taken for what it told before.
        self.watcher.look_anew();
        let shared = &self.user.0.shared;
        let key = self.key.clone().into_boxed_slice();
        let exchange = self.connection.call("PTTL", vec![key.into()]);
        let exchange = exchange.map_err(|_| cannot_tell(&self.node, &overloaded()))?;
        let patience = shared.config.connect_timeout;
        let limit = shared.env.sleep_until(shared.env.now().saturating_add(patience));
        let outcome = match select(exchange, limit).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => {
                self.connection.ask(Wish::Close);
                let why = format!("no answer within {patience:?}");
                return Err(cannot_tell(&self.node, &Failure::new(NodeErrorKind::Timeout, why)));
            }
        };
        let frame = match outcome {
            Outcome::Answered(frame) => frame,
            Outcome::NotSent(why) => return Err(cannot_tell(&self.node, &why)),
            Outcome::Lost(why) => {
                return Err(cannot_tell(&self.node, &Failure::new(NodeErrorKind::Disconnected, why)));
            }
        };
        if let Some(text) = reply::error(&frame) {
            return Err(refused_by_server(&self.node, "watch", &text));
        }
        match frame {
            Resp3Frame::Number { data: -2, .. } => Ok(Seen::Free),
            Resp3Frame::Number { data, .. } => {
                Ok(Seen::Held(u64::try_from(data).ok().map(Duration::from_millis)))
            }
            _ => {
                let why = Failure::new(NodeErrorKind::Protocol, "its answer to PTTL is no number");
                Err(cannot_tell(&self.node, &why))
            }
        }
    }

    /// Waits until the key has changed, has expired, or was not looked at for long.
    async fn until_worth_it(&mut self, left: Option<Duration>) {
        let env = Arc::clone(&self.user.0.shared.env);
        let now = env.now();
        let half = u64::try_from(LOOK_EVERY.as_nanos() / 2).unwrap_or(u64::MAX);
        let routine = LOOK_EVERY.saturating_add(Duration::from_nanos(jitter(&*env) % half));
        // A millisecond later, so that it has expired.
        let expired = left.map_or(Duration::MAX, |left| left.saturating_add(Duration::from_millis(1)));
        let timer = env.sleep_until(now.saturating_add(expired.min(routine)));
        drop(select(std::pin::pin!(self.watcher.changed()), timer).await);

        let now = env.now();
        let earliest = now.saturating_sub(LOOK_SPACING * LOOKS_AT_ONCE);
        self.spent = self.spent.max(earliest).saturating_add(LOOK_SPACING);
        if self.spent > now {
            env.sleep_until(self.spent).await;
        }
    }
}

impl Hub {
    /// The connection, opened if need be. Where one was tried in vain a moment ago, the reason.
    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        let mut line = self.line.subscribe();
        let now = self.shared.env.now();
        let opens = self.line.send_if_modified(|line| match line {
            Line::Down { again_at, failures, .. } if now >= *again_at => {
                *line = Line::Opening { failures: *failures };
                true
            }
            _ => false,
        });
        if opens {
            self.shared.env.spawn(Box::pin(Arc::clone(self).keep()));
        }
        match line.wait_for(|line| !matches!(line, Line::Opening { .. })).await.as_deref() {
            Ok(Line::Up(connection)) => Ok(Arc::clone(connection)),
            Ok(Line::Down { why, .. }) => Err(why.clone()),
            // The sender lives in `self`.
            Ok(Line::Opening { .. }) | Err(_) => Err(nobody_waits()),
        }
    }

    /// Opens the connection and keeps it as long as it is needed.
    async fn keep(self: Arc<Self>) {
        let failure = {
            let life = std::pin::pin!(self.live());
            match select(std::pin::pin!(self.stop.notified()), life).await {
                Either::Left(_) => return,
                Either::Right((failure, _)) => failure,
            }
        };
        if let Some(why) = failure {
            tracing::debug!(node = self.shared.config.address(), reason = why.detail, "no wake-ups");
            let env = &*self.shared.env;
            self.line.send_modify(|line| {
                let failures = match line {
                    Line::Opening { failures } | Line::Down { failures, .. } => *failures,
                    Line::Up(_) => 0,
                };
                let again_at = env.now().saturating_add(link::pause(failures, jitter(env)));
                *line = Line::Down { why, again_at, failures: failures.saturating_add(1) };
            });
        }
        // They look, find the connection closed, and learn that nobody tells any more.
        self.watchers.tell_all();
    }

    /// Connects, and tells of changes until the connection ends: why, or `None` when nobody has waited for a while.
    async fn live(&self) -> Option<Failure> {
        let shared = &*self.shared;
        let client = connection::client(&shared.config, shared.tls.clone(), RespVersion::RESP3);
        let told = client.invalidation_rx();
        let connection = Connection::new(client, Arc::clone(&shared.env));
        let mut running = Running { task: None, connection: Arc::clone(&connection) };
        let opened = async {
            link::connect(shared, connection.client(), &mut running.task).await?;
            link::select_database(shared, &connection).await?;
            link::command(&connection, "CLIENT", vec!["TRACKING".into(), "ON".into()]).await
        };
        let ended = match link::in_time(shared, opened).await {
            Ok(_) => {
                self.line.send_replace(Line::Up(Arc::clone(&connection)));
                self.listen(&mut running, told).await
            }
            Err(failure) => Some(failure),
        };
        // Before anybody learns that the connection has gone, so that nobody waits on it.
        connection.close(ended.clone().unwrap_or_else(nobody_waits));
        ended
    }

    /// Passes on what the server tells.
    async fn listen(&self, running: &mut Running, mut told: Receiver<Invalidation>) -> Option<Failure> {
        let connection = Arc::clone(&running.connection);
        let Some(task) = running.task.as_mut() else { return Some(closed_early("fred has no task")) };
        let mut idle = Box::pin(self.idle());
        loop {
            tokio::select! {
                biased;
                invalidation = told.recv() => match invalidation {
                    Ok(invalidation) => {
                        invalidation.keys.iter().for_each(|key| self.watchers.tell(key.as_bytes()));
                    }
                    Err(RecvError::Lagged(_)) => self.watchers.tell_all(),
                    Err(RecvError::Closed) => return Some(closed_early("fred has gone")),
                },
                _ = &mut *task => {
                    let why = "the server closed the connection";
                    return Some(Failure::new(NodeErrorKind::Unreachable, why));
                }
                _ = connection.wish() => {
                    let why = "the server does not answer";
                    return Some(Failure::new(NodeErrorKind::Unreachable, why));
                }
                () = &mut idle => return None,
            }
        }
    }

    /// Completes when nobody has waited for a while. From then on the line is down.
    async fn idle(&self) {
        let env = &self.shared.env;
        loop {
            while self.users.load(Ordering::SeqCst) > 0 {
                env.sleep_until(env.now().saturating_add(IDLE)).await;
            }
            env.sleep_until(env.now().saturating_add(IDLE)).await;
            // Whoever comes counts as a user first, and then looks at the line.
            let closed = self.line.send_if_modified(|line| {
                let unused = self.users.load(Ordering::SeqCst) == 0;
                if unused {
                    *line = Line::Down { why: nobody_waits(), again_at: Instant::from_nanos(0), failures: 0 };
                }
                unused
            });
            if closed {
                return;
            }
        }
    }
}

fn nobody_waits() -> Failure {
    Failure::new(NodeErrorKind::Unreachable, "nobody has waited for this node")
}

fn overloaded() -> Failure {
    Failure::new(NodeErrorKind::Overloaded, "too many requests are waiting")
}

fn cannot_tell(node: &Arc<str>, why: &Failure) -> NodeError {
    let detail = format!("cannot tell when a lock becomes free: {}", why.detail);
    NodeError::without_effect(node, why.kind, detail)
}
