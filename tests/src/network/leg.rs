//! A connection's way on to one server.

use std::collections::VecDeque;
use std::io;
use std::net;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::held::{Inlet, Mark};
use super::scanner::Scanner;
use super::way::Way;

/// How much is read at a time.
pub(super) const BUFFER: usize = 16 * 1024;

/// How many commands may lack their replies; more are held up.
const UNANSWERED: usize = 10_000;

/// Commands to which nothing comes that is a reply and nothing else.
const SUBSCRIPTIONS: [&str; 6] =
    ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"];

/// A connection to a server, whose replies are read as long as this lives.
pub(super) struct Leg {
    pub(super) address: Arc<str>,
    server: Arc<TcpStream>,
    unanswered: Arc<Unanswered>,
    reader: JoinHandle<()>,
}

/// The commands that lack their replies.
#[derive(Default)]
struct Unanswered {
    words: Mutex<VecDeque<String>>,
    fewer: Notify,
}

impl Leg {
    pub(super) async fn begin(
        address: Arc<str>,
        way: &Arc<Way>,
        replies: Inlet,
        is_opaque: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let server = Arc::new(TcpStream::connect(&*address).await?);
        server.set_nodelay(true)?;
        let unanswered = Arc::<Unanswered>::default();
        let reading =
            read_replies(Arc::clone(&server), Arc::clone(way), replies, Arc::clone(&unanswered), is_opaque);
        Ok(Self { address, server, unanswered, reader: tokio::spawn(reading) })
    }

    pub(super) fn server(&self) -> Weak<TcpStream> {
        Arc::downgrade(&self.server)
    }

    /// Waits until every command has its reply.
    pub(super) async fn answered(&self) {
        self.unanswered.fewer_than(1).await;
    }

    /// To be called ahead of a command's last bytes.
    pub(super) async fn expect_reply_to(&self, word: String) {
        if !SUBSCRIPTIONS.contains(&word.as_str()) {
            self.unanswered.fewer_than(UNANSWERED).await;
            self.unanswered.words().push_back(word);
        }
    }

    /// Once the server has gone this does nothing: the end of its replies tells.
    pub(super) async fn write(&self, bytes: &[u8]) {
        let _ = write(&self.server, bytes).await;
    }

    /// Nothing more is written.
    pub(super) fn end(&self) {
        // It may have gone before.
        if let Ok(same) = self.server.as_fd().try_clone_to_owned() {
            let _ = net::TcpStream::from(same).shutdown(net::Shutdown::Write);
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Unanswered {
    fn words(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fewer_than(&self, count: usize) {
        while self.words().len() >= count {
            self.fewer.notified().await;
        }
    }
}

async fn read_replies(
    server: Arc<TcpStream>,
    way: Arc<Way>,
    inlet: Inlet,
    unanswered: Arc<Unanswered>,
    is_opaque: Arc<AtomicBool>,
) {
    let mut scanner = Scanner::new(way.protocol());
    let mut buffer = vec![0; BUFFER];
    let mut is_reply = false;
    while let Ok(count @ 1..) = read(&server, &mut buffer).await {
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            let begins = scanner.is_between_messages().then(|| way.count());
            let scanned = scanner.scan(bytes);
            let (part, rest) = bytes.split_at(scanned.used);
            bytes = rest;
            let mut mark = Mark::Nothing;
            if begins.is_some() {
                let asked = unanswered.words().front().cloned();
                is_reply = asked.is_some() && !scanner.is_push() && !scanner.is_opaque();
                if scanner.is_opaque() || is_opaque.load(Ordering::SeqCst) {
                    mark = Mark::BeginsReply(None);
                } else if is_reply {
                    mark = Mark::BeginsReply(asked);
                }
            }
            inlet.put(part.to_vec(), begins, mark).await;
            if scanned.ends && is_reply {
                unanswered.words().pop_front();
                unanswered.fewer.notify_one();
            }
        }
    }
    inlet.end();
}

/// Reads what there is; nothing at the end.
pub(super) async fn read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Writes all of it.
pub(super) async fn write(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
