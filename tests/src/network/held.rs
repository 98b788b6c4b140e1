//! What was taken from one end of a connection and not yet passed on to the other, bounded by back pressure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

/// How many bytes of a connection are held in one direction; senders beyond that are held up.
const BYTES: usize = 256 * 1024;

/// What the smallest message costs of that.
const LEAST: usize = 64;

/// A part of a message, or the end of them all.
pub(super) enum Part {
    Bytes {
        bytes: Vec<u8>,
        /// Of the first part of a message.
        begins: Option<Counted>,
        mark: Mark,
        arrived: Instant,
        _room: OwnedSemaphorePermit,
    },
    /// The sender has closed its end.
    End,
}

/// What a part is to the message.
pub(super) enum Mark {
    Nothing,
    /// A command with this word, in capitals, is complete.
    EndsCommand(String),
    /// The reply to a command with this word begins, or bytes that nobody understands.
    BeginsReply(Option<String>),
}

/// Counts a message as waiting for as long as this lives.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counter))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The end of the queue that takes parts.
#[derive(Clone)]
pub(super) struct Inlet {
    parts: mpsc::UnboundedSender<Part>,
    room: Arc<Semaphore>,
}

/// A queue of one direction of a connection.
pub(super) fn queue() -> (Inlet, mpsc::UnboundedReceiver<Part>) {
    let (parts, outlet) = mpsc::unbounded_channel();
    (Inlet { parts, room: Arc::new(Semaphore::new(BYTES)) }, outlet)
}

impl Inlet {
    /// Waits for room. What comes behind the end of the connection is dropped.
    pub(super) async fn put(&self, bytes: Vec<u8>, begins: Option<Counted>, mark: Mark) {
        let arrived = Instant::now();
        let cost = u32::try_from(bytes.len().clamp(LEAST, BYTES)).unwrap_or(u32::MAX);
        // Never closed.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(cost).await else { return };
        let _ = self.parts.send(Part::Bytes { bytes, begins, mark, arrived, _room: room });
    }

    pub(super) fn end(&self) {
        let _ = self.parts.send(Part::End);
    }
}
