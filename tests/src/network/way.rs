//! One way, and what can be done to it.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;

use super::held::Counted;
use super::scanner::Protocol;

/// Which way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the node.
    Requests,
    /// From the node to the client.
    Replies,
    /// Both of them.
    Both,
}

impl Direction {
    pub(super) const fn has_requests(self) -> bool {
        matches!(self, Self::Requests | Self::Both)
    }

    pub(super) const fn has_replies(self) -> bool {
        matches!(self, Self::Replies | Self::Both)
    }
}

/// The way between one client and one node.
#[derive(Debug)]
pub struct Way {
    at: SocketAddr,
    protocol: Protocol,
    conditions: watch::Sender<Conditions>,
    loss: Mutex<Option<Loss>>,
    lateness: Mutex<StdRng>,
    waiting: Arc<AtomicUsize>,
}

/// What the connections of a way watch.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    /// Where requests go.
    pub(super) leads_to: Arc<str>,
    pub(super) requests_are_cut: bool,
    pub(super) replies_are_cut: bool,
    /// By how much every message is late.
    pub(super) delay: Option<Range<Duration>>,
    /// How often it has been reset.
    pub(super) resets: u64,
}

impl Conditions {
    pub(super) const fn is_cut(&self) -> bool {
        self.requests_are_cut || self.replies_are_cut
    }
}

/// Which reply is to be lost.
#[derive(Debug)]
enum Loss {
    Next,
    To(String),
}

impl Way {
    pub(super) fn new(address: &str, at: SocketAddr, protocol: Protocol) -> Self {
        let conditions = Conditions {
            leads_to: address.into(),
            requests_are_cut: false,
            replies_are_cut: false,
            delay: None,
            resets: 0,
        };
        Self {
            at,
            protocol,
            conditions: watch::Sender::new(conditions),
            loss: Mutex::new(None),
            lateness: Mutex::new(StdRng::seed_from_u64(0)),
            waiting: Arc::default(),
        }
    }

    /// The address (`HOST:PORT`) that the client is to connect to.
    pub fn reached_at(&self) -> String {
        self.at.to_string()
    }

    /// From now on nothing passes in this direction, nor the end of a connection; new connections hang, whichever
    /// direction it is. What is sent meanwhile is held; when too much is, senders are held up. Cutting one direction
    /// leaves the other as it is.
    pub fn cut(&self, direction: Direction) {
        self.conditions.send_modify(|now| {
            now.requests_are_cut |= direction.has_requests();
            now.replies_are_cut |= direction.has_replies();
        });
    }

    /// What was held arrives late, in its order, on the connections that it was sent on. Requests arrive also if their client
    /// has gone, as those do that a kernel had taken from it; replies to it do not.
    pub fn mend(&self) {
        self.conditions.send_modify(|now| (now.requests_are_cut, now.replies_are_cut) = (false, false));
    }

    /// From now on every message is late by a duration of this range, and their order stays: the same seed draws the same
    /// durations. `None` ends it, also for those that are late already.
    pub fn delay(&self, by: Option<Range<Duration>>, seed: u64) {
        *lock(&self.lateness) = StdRng::seed_from_u64(seed);
        self.conditions.send_modify(|now| now.delay = by);
    }

    /// The next reply to a command is lost, and with it all that comes from the node on that connection: a lost segment on
    /// a path that is dead in one direction. Requests still arrive. A moment later the connection is reset.
    pub fn lose_next_reply(&self) {
        *lock(&self.loss) = Some(Loss::Next);
    }

    /// The same for the next reply to this command, `EVALSHA` for one; for any, if no commands are understood.
    pub fn lose_reply_to(&self, word: &str) {
        *lock(&self.loss) = Some(Loss::To(word.to_ascii_uppercase()));
    }

    /// No reply will be lost, if none has been yet.
    pub fn lose_no_reply(&self) {
        *lock(&self.loss) = None;
    }

    /// Whether a reply is still to be lost.
    pub fn is_losing_a_reply(&self) -> bool {
        lock(&self.loss).is_some()
    }

    /// Resets all connections (RST), at both ends; what was held is lost.
    pub fn reset(&self) {
        self.conditions.send_modify(|now| now.resets += 1);
    }

    /// Leads to another server from the next request on; clients stay connected. What their connection had agreed with the
    /// old server (its user, RESP3, subscriptions) it has not agreed with the new one. A request goes there once the old
    /// server has answered those before it, so that no answer of one is taken for the other's.
    pub fn lead_to(&self, address: &str) {
        self.conditions.send_modify(|now| now.leads_to = address.into());
    }

    /// How many messages, in either direction, were taken from one end and have not been passed on to the other.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn watch(&self) -> watch::Receiver<Conditions> {
        self.conditions.subscribe()
    }

    /// A message that waits from now on.
    pub(super) fn count(&self) -> Counted {
        Counted::new(&self.waiting)
    }

    /// By how much this message is late.
    pub(super) fn draw(&self, range: &Range<Duration>) -> Duration {
        match range.is_empty() {
            true => range.start,
            false => lock(&self.lateness).random_range(range.clone()),
        }
    }

    /// Whether the reply to this command is the one to lose; it is lost then. `None`: opaque bytes.
    pub(super) fn takes_reply_to(&self, word: Option<&str>) -> bool {
        let mut loss = lock(&self.loss);
        let takes = match (&*loss, word) {
            (None, _) => false,
            (Some(Loss::Next), _) | (Some(Loss::To(_)), None) => true,
            (Some(Loss::To(wanted)), Some(word)) => wanted == word,
        };
        if takes {
            *loss = None;
        }
        takes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
