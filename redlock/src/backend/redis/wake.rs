//! Wake-ups: the server tells which keys have changed (client-side caching, `CLIENT TRACKING`).
//!
//! On a connection of its own: a server remembers the keys that *this* connection has read, and the scripts on the other
//! one read keys all the time. To watch a key is to read it there: `PTTL` says in one command whether the name is free and
//! has the server tell of the next change. After a change that may be a renewal it is read again, where the notification
//! comes in, so that nobody is woken by one; one that comes too early for a renewal is taken for a release. The connection is opened for the first who waits and closed
//! when nobody has waited for a while.

mod guess;
mod look;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use fred::interfaces::TrackingInterface;
use fred::types::RespVersion;
use fred::types::client::Invalidation;
use futures::StreamExt;
use futures::future::{Either, FutureExt, select};
use futures::stream::FuturesUnordered;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{Notify, watch};

use super::config::RedisConfig;
use super::connection::{self, Connection, Outcome};
use super::failure::{Failure, closed_early};
use super::link::{self, Link, Running, Shared};
use crate::env::jitter;
use crate::id::Instant;
use crate::node::watchers::Watchers;
use crate::node::{NodeError, NodeErrorKind, NodeFuture, Watch};
use crate::telemetry;
use guess::Guesses;
use look::{LOOK_EVERY, Look, Pace, Seen, look};

/// Where notifications come in: so many looks at once, and then one in this time. Beyond it waiters look themselves.
const PROMPT_LOOKS_AT_ONCE: u32 = 200;
const PROMPT_LOOK_SPACING: Duration = Duration::from_millis(1);
/// How long the connection stays when nobody waits.
const IDLE: Duration = Duration::from_secs(5);
/// How long a server is left alone at least that does not let us be told, and up to twice as long. A connection and a login are
/// worth hundreds of rounds: fifty processes that tried as often as they do where a server is down had no time left for locks.
const REFUSED: Duration = Duration::from_secs(30);

/// Who waits for names on one node, and the connection on which it is told. Dropping it closes that.
pub(super) struct Wakeups(Arc<Hub>);

struct Hub {
    shared: Arc<Shared>,
    line: watch::Sender<Line>,
    watchers: Arc<Watchers<Vec<u8>, Seen>>,
    guesses: Guesses,
    /// The watches that use the connection, or wait for it.
    users: AtomicUsize,
    stop: Notify,
}

/// The connection.
enum Line {
    /// There is none, for this reason. Before `again_at` none is opened, unless the node's own connection is another one than
    /// that on which it was `refused`: a user may have got the right to be told, or it is another server.
    Down {
        why: Failure,
        again_at: Instant,
        failures: u32,
        refused: Option<Weak<Connection>>,
    },
    Opening {
        failures: u32,
    },
    /// The server tells what changes.
    Up(Arc<Connection>),
}

impl Line {
    /// As long as nobody waits.
    fn unused() -> Self {
        Self::Down { why: nobody_waits(), again_at: Instant::from_nanos(0), failures: 0, refused: None }
    }
}

impl Wakeups {
    /// Connects to nothing yet.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::new(Hub {
            shared: Arc::clone(shared),
            line: watch::Sender::new(Line::unused()),
            watchers: Arc::default(),
            guesses: Guesses::default(),
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
            let mut look = Look::new(node, key, connection, user);
            let mut seen = look.once().await?;
            let watch: Watch = Box::pin(async move {
                loop {
                    seen = match seen {
                        Seen::Free => return Ok(()),
                        Seen::Held(left) => look.wait(left).await,
                        Seen::Unknown => look.once().await?,
                    }
                }
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

impl Hub {
    /// The connection, opened if need be. Where one was tried in vain a moment ago, the reason.
    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        let mut line = self.line.subscribe();
        let now = self.shared.env.now();
        let opens = self.line.send_if_modified(|line| match line {
            Line::Down { again_at, failures, refused, .. }
                if now >= *again_at || refused.as_ref().is_some_and(|by| !self.is_used(by)) =>
            {
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

    /// Whether this is the node's own connection.
    fn is_used(&self, connection: &Weak<Connection>) -> bool {
        let Link::Up(session) = &*self.shared.link.borrow() else { return true };
        std::ptr::eq(connection.as_ptr(), Arc::as_ptr(&session.connection))
    }

    /// Opens the connection and keeps it as long as it is needed.
    async fn keep(self: Arc<Self>) {
        // Where the other connection has found the server.
        let found = match &*self.shared.link.borrow() {
            Link::Up(session) => Ok((session.config.clone(), Arc::downgrade(&session.connection))),
            Link::Down(failure) => Err(failure.clone()),
            Link::Starting => Err(closed_early("the first attempt is under way")),
        };
        let (failure, other) = match found {
            Err(failure) => (Some(failure), None),
            Ok((config, other)) => {
                let life = std::pin::pin!(self.live(&config));
                match select(std::pin::pin!(self.stop.notified()), life).await {
                    Either::Left(_) => return,
                    Either::Right((failure, _)) => (failure, Some(other)),
                }
            }
        };
        if let Some(why) = failure {
            telemetry::events::wakeups_unavailable(&self.shared.config.address(), &why.detail);
            let refused = other.filter(|_| is_refusal(why.kind));
            self.pause(why, refused);
        }
        // They look, find the connection closed, and learn that nobody tells any more.
        self.watchers.tell_all(Seen::Unknown);
    }

    /// There is no connection for a while.
    fn pause(&self, why: Failure, refused: Option<Weak<Connection>>) {
        let env = &*self.shared.env;
        let random = jitter(env);
        self.line.send_modify(|line| {
            let failures = match line {
                Line::Opening { failures } | Line::Down { failures, .. } => *failures,
                Line::Up(_) => 0,
            };
            let pause = match &refused {
                Some(_) => REFUSED.saturating_add(Duration::from_nanos(random % REFUSED.as_nanos() as u64)),
                None => link::pause(failures, random),
            };
            let again_at = env.now().saturating_add(pause);
            *line = Line::Down { why, again_at, failures: failures.saturating_add(1), refused };
        });
    }

    /// Connects, and tells of changes until the connection ends: why, or `None` when nobody has waited for a while.
    async fn live(&self, config: &RedisConfig) -> Option<Failure> {
        let shared = &*self.shared;
        let client = connection::client(config, shared.tls.clone(), RespVersion::RESP3);
        let told = client.invalidation_rx();
        let connection = Connection::new(client, Arc::clone(&shared.env));
        let mut running = Running::new(&connection);
        let opened = async {
            link::connect(config, connection.client(), &mut running.task).await?;
            link::select_database(shared, &connection).await?;
            link::command(&connection, "CLIENT", vec!["TRACKING".into(), "ON".into()]).await
        };
        let ended = match link::in_time(config, &*shared.env, opened).await {
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
        let mut pace = Pace::new(PROMPT_LOOKS_AT_ONCE, PROMPT_LOOK_SPACING);
        let mut looks = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                invalidation = told.recv() => match invalidation {
                    Ok(invalidation) => {
                        let keys = invalidation.keys.iter().map(|key| key.as_bytes());
                        for key in keys.filter(|key| self.watchers.has(*key)) {
                            if self.guesses.is_release(key, self.shared.env.now()) {
                                self.watchers.tell(key, Seen::Free);
                            } else if let Some(look) = self.prompt_look(&connection, key, &mut pace) {
                                looks.push(look);
                            } else {
                                self.watchers.tell(key, Seen::Unknown);
                            }
                        }
                    }
                    Err(RecvError::Lagged(_)) => self.watchers.tell_all(Seen::Unknown),
                    Err(RecvError::Closed) => return Some(closed_early("fred has gone")),
                },
                Some((key, seen)) = looks.next() => {
                    self.guesses.seen(&key, seen, self.shared.env.now());
                    match seen {
                        // Of this the waiter learns nothing new by being woken.
                        Seen::Held(left) if left.is_none_or(|left| left > LOOK_EVERY * 3 / 2) => {}
                        seen => self.watchers.tell(&key[..], seen),
                    }
                }
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

    /// Looks at a key that has changed, unless that is done too often.
    fn prompt_look(
        &self,
        connection: &Arc<Connection>,
        key: &[u8],
        pace: &mut Pace,
    ) -> Option<impl Future<Output = (Vec<u8>, Seen)> + use<>> {
        if !pace.take_now(self.shared.env.now()) {
            return None;
        }
        let (look, key) = (look(connection, key).ok()?, key.to_vec());
        Some(look.map(move |outcome| match outcome {
            Outcome::Answered(frame) => (key, Seen::read(&frame).unwrap_or(Seen::Unknown)),
            Outcome::NotSent(_) | Outcome::Lost(_) => (key, Seen::Unknown),
        }))
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
                    *line = Line::unused();
                }
                unused
            });
            if closed {
                return;
            }
        }
    }
}

/// Whether that is what the server says to us, and will go on saying: not that it is down, or not yet ready.
fn is_refusal(kind: NodeErrorKind) -> bool {
    matches!(kind, NodeErrorKind::Denied | NodeErrorKind::Unsupported | NodeErrorKind::Protocol)
}

fn nobody_waits() -> Failure {
    Failure::new(NodeErrorKind::Unreachable, "nobody has waited for this node")
}

fn cannot_tell(node: &Arc<str>, why: &Failure) -> NodeError {
    let detail = format!("cannot tell when a lock becomes free: {}", why.detail);
    NodeError::without_effect(node, why.kind, detail)
}
