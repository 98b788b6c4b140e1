//! One server, and what is known of it: the connection, its clock, its memory, and requests that were never answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::clock::{LATEST_END, Process, ServerClock};
use super::codec::Pipeline;
use super::config::MemcachedConfig;
use super::connection::{Answered, Connection, Outcome, Wish};
use super::failure::Failure;
use super::stream::Tls;
use super::url::Address;
use crate::env::Env;
use crate::id::{Charter, Incarnation, OwnerToken, Standing, Ttl};
use crate::node::marker_text::Text;
use crate::node::{Effect, NodeError, NodeErrorKind};
use crate::protections::Protections;
use crate::telemetry;

/// The longest TTL: memcached takes a longer relative one for a date in 1970, so that clients which send those could never agree.
pub(super) const LONGEST_TTL: Duration = Duration::from_secs(super::clock::LONGEST_RELATIVE);
/// So many requests that were never answered are remembered one by one.
const MOST_UNANSWERED: usize = 65_536;

/// One server.
pub(super) struct Shard {
    /// What the node is called.
    pub(super) node: Arc<str>,
    pub(super) address: Address,
    pub(super) config: Arc<MemcachedConfig>,
    pub(super) tls: Tls,
    pub(super) protections: Protections,
    pub(super) env: Arc<dyn Env>,
    pub(super) clock: Mutex<ServerClock>,
    pub(super) link: watch::Sender<Link>,
    pub(super) telemetry: telemetry::Link,
    pub(super) connections: AtomicU64,
    unanswered: Mutex<Unanswered>,
}

/// Whether a server can be used.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// The first attempt is under way.
    Starting,
    Up(Arc<Session>),
    /// The last attempt failed, or the connection ended; further attempts follow.
    Down(Failure),
}

/// A connection to a server that has been judged.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Arc<Connection>,
    /// Counts connections: a marker that is read anew makes another session on the same one.
    pub(super) number: u64,
    pub(super) process: Process,
    pub(super) version: String,
    /// A random number that the server keeps; with the restart guard alone.
    pub(super) id: Option<String>,
    pub(super) memory: Memory,
}

/// What the server's marker said when it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nobody has looked: there is no restart guard.
    Unguarded,
    /// There is none of this process. What is there all the same, as it stands there and as it reads.
    Unmarked { there: Option<Vec<u8>>, earlier: Option<Text> },
    /// It is of this process. As it stands there, and as it reads.
    Marked { there: Vec<u8>, text: Text },
}

impl Session {
    pub(super) fn standing(&self) -> Standing {
        match &self.memory {
            Memory::Unguarded => Standing::Unguarded,
            Memory::Unmarked { earlier, .. } => {
                Standing::Unmarked(earlier.as_ref().map(|text| text.marker.charter))
            }
            Memory::Marked { text, .. } => Standing::Marked(text.marker),
        }
    }

    /// What the marker said that the server's clients agreed on.
    pub(super) fn charter(&self) -> Option<Charter> {
        match &self.memory {
            Memory::Marked { text, .. } => Some(text.marker.charter),
            Memory::Unguarded | Memory::Unmarked { .. } => None,
        }
    }

    /// Without a marker the process stands for its memory.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        match &self.memory {
            Memory::Unguarded => {
                let Process { pid, started } = self.process;
                Some(Incarnation::new(started.rotate_left(32) ^ pid))
            }
            Memory::Unmarked { .. } => None,
            Memory::Marked { text, .. } => Some(text.marker.incarnation),
        }
    }

    /// Where fencing counters begin.
    pub(super) fn floor(&self) -> u64 {
        match &self.memory {
            Memory::Marked { text, .. } => text.marker.floor.unwrap_or(0),
            _ => 0,
        }
    }
}

/// Requests that could create a lock and were not answered, by their owners.
#[derive(Default)]
struct Unanswered {
    by_owner: HashMap<OwnerToken, Sent>,
    /// Of those that were too many.
    others: Option<Sent>,
}

/// A request that may still run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// The connection's number.
    session: u64,
    process: Process,
    /// What it creates is gone then, by the server's clock.
    end: u64,
}

impl Shard {
    pub(super) fn new(
        node: &Arc<str>,
        address: Address,
        config: &Arc<MemcachedConfig>,
        tls: Tls,
        env: &Arc<dyn Env>,
        protections: Protections,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: Arc::clone(node),
            telemetry: telemetry::Link::new(&address.to_string().into()),
            address,
            config: Arc::clone(config),
            tls,
            protections,
            env: Arc::clone(env),
            clock: Mutex::default(),
            link: watch::Sender::new(Link::Starting),
            connections: AtomicU64::new(0),
            unanswered: Mutex::default(),
        })
    }

    pub(super) fn clock(&self) -> MutexGuard<'_, ServerClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unanswered(&self) -> MutexGuard<'_, Unanswered> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if there is one.
    pub(super) fn session(&self) -> Result<Arc<Session>, NodeError> {
        match &*self.link.borrow() {
            Link::Up(session) => Ok(Arc::clone(session)),
            Link::Starting => Err(self.not_connected("the first attempt is under way")),
            Link::Down(failure) => Err(NodeError {
                detail: format!("not connected: {}", failure.detail),
                ..failure.without_effect(&self.node)
            }),
        }
    }

    pub(super) fn not_connected(&self, why: &str) -> NodeError {
        let detail = format!("not connected: {why}");
        NodeError::without_effect(&self.node, NodeErrorKind::Unreachable, detail)
    }

    /// Sends, and waits for the answers.
    pub(super) async fn run(&self, session: &Session, pipeline: Pipeline) -> Result<Answered, NodeError> {
        match session.connection.call(pipeline, &*self.env).await {
            Outcome::Answered(answered) => Ok(answered),
            Outcome::NotSent(why) => Err(self.not_connected(&why.detail)),
            Outcome::Lost(why) => {
                let detail = format!("the connection ended before the answer: {}", why.detail);
                Err(NodeError::with_unknown_effect(&self.node, NodeErrorKind::Disconnected, detail))
            }
        }
    }

    /// Answers that cannot be ours put all that follow in doubt.
    pub(super) fn nonsense(&self, session: &Session) -> NodeError {
        session.connection.ask(Wish::Close);
        let detail = "the answers do not fit what was asked; is this memcached?";
        NodeError::with_unknown_effect(&self.node, NodeErrorKind::Protocol, detail)
    }

    /// The memory is not the one that was judged; it is judged anew.
    pub(super) fn unmarked(&self, session: &Session, effect: Effect) -> NodeError {
        session.connection.ask(Wish::SetUp);
        let detail = "the server's memory is not the one that was judged; it is being judged anew".to_owned();
        NodeError { node: Arc::clone(&self.node), kind: NodeErrorKind::NotReady, effect, detail }
    }

    /// The server's memory is full: it changes nothing.
    pub(super) fn full(&self, effect: Effect) -> NodeError {
        let detail =
            "the server has no memory left for another item, and evicts none; give it more (-m)".to_owned();
        NodeError { node: Arc::clone(&self.node), kind: NodeErrorKind::ReadOnly, effect, detail }
    }

    /// The end of a lock that is to live for its TTL at least, in the server's seconds.
    pub(super) fn end(&self, ttl: Ttl) -> Result<u64, NodeError> {
        let unsupported =
            |detail: String| NodeError::without_effect(&self.node, NodeErrorKind::Unsupported, detail);
        if ttl.get() > LONGEST_TTL {
            let detail =
                format!("a TTL of {:?} is longer than the 30 days that memcached can keep", ttl.get());
            return Err(unsupported(detail));
        }
        let end = self.clock().end(self.env.now(), ttl.get());
        if end > LATEST_END {
            return Err(unsupported("memcached knows no time after January 2038".to_owned()));
        }
        Ok(end)
    }

    /// The end of something that is to be kept for so long.
    pub(super) fn end_of_counter(&self, lasts: Duration) -> u64 {
        self.clock().end(self.env.now(), lasts).min(LATEST_END)
    }

    /// Takes the server's time out of its statistics.
    pub(super) fn note_time(&self, shown: u64, answered: &Answered) {
        self.clock().read(shown, answered.sent, answered.received);
    }

    /// A request that can create a lock is about to be sent.
    pub(super) fn asked(&self, owner: &OwnerToken, session: &Session, end: u64) {
        let sent = Sent { session: session.number, process: session.process, end };
        let mut unanswered = self.unanswered();
        if unanswered.by_owner.len() >= MOST_UNANSWERED && !unanswered.by_owner.contains_key(owner) {
            let least = self.clock().least();
            unanswered.by_owner.retain(|_, sent| !sent.is_over(session, least));
        }
        if unanswered.by_owner.len() >= MOST_UNANSWERED {
            let end = unanswered.others.map_or(end, |others| others.end.max(end));
            // On none of the connections that there are: their end alone counts.
            unanswered.others = Some(Sent { end, session: 0, ..sent });
            return;
        }
        let later = unanswered.by_owner.get(owner).map_or(end, |earlier| earlier.end.max(end));
        unanswered.by_owner.insert(*owner, Sent { end: later, ..sent });
    }

    /// It was answered.
    pub(super) fn answered(&self, owner: &OwnerToken) {
        self.unanswered().by_owner.remove(owner);
    }

    /// What may still come of the requests of an owner that were never answered.
    pub(super) fn never_answered(&self, owner: &OwnerToken) -> Option<Sent> {
        let unanswered = self.unanswered();
        unanswered.by_owner.get(owner).copied().or(unanswered.others)
    }

    /// The next connection's number.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Sent {
    /// Whether it can have no effect any more, once something that was sent behind it on this session's connection was answered there:
    /// * sent on the same connection, it has run;
    /// * sent to another process, which is dead, it never will;
    /// * sent on an earlier connection, it may still lie in a buffer of a server that was stopped. Run after its end it creates
    ///   an item that is gone at once; `least` is what the server's clock shows.
    pub(super) fn is_over(&self, session: &Session, least: u64) -> bool {
        self.session == session.number || self.process != session.process || self.end <= least
    }
}
