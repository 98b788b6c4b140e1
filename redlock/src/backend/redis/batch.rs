//! Requests that have come together while others were in flight, and go out as one call (natural batching, or group commit).
//!
//! # Order
//! What is sent alone is sent by its own caller's poll, and only while nothing is collected and no batch is on its way: so it
//! cannot get ahead of what was polled before it. What is collected goes out in the order in which it came, by one task
//! that has the next batch handed to fred no earlier than the one before it; and whatever was sent alone before was handed to fred in
//! the poll that counted it. fred writes in the order in which it is handed commands, on one connection, and the server runs them so.
//!
//! # Starved callers
//! That task runs where the connection is kept, not where the callers are. It begins at once when something is collected, and
//! waits for its own batches alone: for no request that some caller has sent and does not look after.

use std::collections::VecDeque;
use std::sync::Arc;

use fred::bytes_utils::Str;
use fred::types::Value;
use futures::channel::oneshot;

use super::connection::{Connection, Outcome, Wish};
use super::link::Shared;
use super::operation::{Entries, Keys, Operation};
use super::reply::{self, Told};

/// How many operations one call runs at most: the server does nothing else meanwhile.
pub(super) const LARGEST: usize = 128;

/// So many requests may be sent alone and be unanswered before further ones are collected.
pub(super) const MOST_ALONE: usize = 3;

/// Where the requests on one connection are, and what is waiting to be sent.
#[derive(Debug)]
pub(super) struct Lane {
    /// Requests that have not ended yet, those that nobody waits for any more included.
    pub(super) waiting: usize,
    /// Those of them that were sent alone.
    pub(super) alone: usize,
    /// So many may be sent alone: all, where a server takes no batches.
    pub(super) most_alone: usize,
    /// In the order of their first polls; none is empty.
    pub(super) collected: VecDeque<Batch>,
    /// A batch was taken from there, and its answer has not come.
    pub(super) is_in_flight: bool,
    /// How long the last one was that was taken: room for the next.
    pub(super) usual: usize,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            waiting: 0,
            alone: 0,
            most_alone: usize::MAX,
            collected: VecDeque::new(),
            is_in_flight: false,
            usual: 0,
        }
    }
}

impl Lane {
    /// Whether a request may go by itself, now.
    pub(super) fn is_free(&self) -> bool {
        self.collected.is_empty() && !self.is_in_flight && self.alone < self.most_alone
    }

    /// Puts an operation behind all that have been collected.
    pub(super) fn collect(&mut self, hash: &Str, operation: &Operation, keys: Keys) -> Answer {
        let (told, answer) = oneshot::channel();
        // A script with another hash judges by another marker.
        let batch = match self.collected.back_mut() {
            Some(batch) if batch.waiters.len() < LARGEST && batch.hash == *hash => batch,
            _ => {
                self.collected.push_back(Batch::new(hash.clone(), self.usual));
                // It was just put there.
                let Some(batch) = self.collected.back_mut() else { return answer };
                batch
            }
        };
        operation.add_to(keys, &mut batch.keys, &mut batch.entries);
        batch.waiters.push(told);
        answer
    }

    /// Takes what is to be sent next. The order holds because nothing goes alone until it has been answered.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let batch = self.collected.pop_front();
        self.is_in_flight = batch.is_some();
        self.usual = batch.as_ref().map_or(0, Batch::len);
        batch
    }
}

/// Where the answer to a collected request comes.
pub(super) type Answer = oneshot::Receiver<Outcome<Told>>;

/// Operations that go out together, each with who waits for it.
#[derive(Debug)]
pub(super) struct Batch {
    hash: Str,
    keys: Vec<Value>,
    entries: Entries,
    waiters: Vec<oneshot::Sender<Outcome<Told>>>,
}

impl Batch {
    /// With room for so many operations.
    fn new(hash: Str, expected: usize) -> Self {
        // What EVALSHA has ahead of the keys: the hash and how many there are. An operation has two at most.
        let mut keys = Vec::with_capacity(2 + 2 * expected);
        keys.extend([hash.clone().into(), Value::Integer(0)]);
        Self { hash, keys, entries: Entries::new(expected), waiters: Vec::with_capacity(expected) }
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// What EVALSHA needs, and who waits.
    fn into_call(self) -> (Vec<Value>, Waiters) {
        let mut all = self.keys;
        let keys = all.len().saturating_sub(2);
        if let Some(count) = all.get_mut(1) {
            *count = Value::Integer(i64::try_from(keys).unwrap_or(i64::MAX));
        }
        all.push(self.entries.finish().into());
        (all, Waiters(self.waiters))
    }

    /// Ends all its operations.
    pub(super) fn end(self, outcome: impl Fn() -> Outcome<Told>) {
        Waiters(self.waiters).end(outcome);
    }
}

struct Waiters(Vec<oneshot::Sender<Outcome<Told>>>);

impl Waiters {
    /// Whoever has gone is not told.
    fn end(self, outcome: impl Fn() -> Outcome<Told>) {
        self.0.into_iter().for_each(|waiter| drop(waiter.send(outcome())));
    }

    fn tell(self, told: Vec<Told>) {
        let each = self.0.into_iter().zip(told);
        each.for_each(|(waiter, told)| drop(waiter.send(Outcome::Answered(told))));
    }
}

/// Sends what is collected on a connection until it has ended: one batch at a time, and with it all that came meanwhile.
pub(super) async fn send_collected(shared: Arc<Shared>, connection: Arc<Connection>) {
    while let Some(batch) = connection.next_batch().await {
        let (arguments, waiters) = batch.into_call();
        let count = waiters.0.len();
        let sent = shared.env.now();
        let outcome = connection.exchange("EVALSHA", arguments).await;
        // They end with their places: whoever is told asks again at once.
        connection.ended(count);
        match outcome {
            Outcome::Answered(frame) => {
                let told = reply::of_batch(&frame, count);
                if !connection.is_closed() {
                    told.clock.into_iter().for_each(|clock| shared.sample(clock, sent));
                }
                told.each.iter().for_each(|told| connection.heed(told));
                waiters.tell(told.each);
            }
            Outcome::NotSent(why) => waiters.end(|| Outcome::NotSent(why.clone())),
            Outcome::Lost(why) => {
                waiters.end(|| Outcome::Lost(why.clone()));
                // Nothing that is collected goes into a connection that is broken: its close says that it was never sent.
                connection.ask(Wish::Close);
                return;
            }
        }
    }
}
