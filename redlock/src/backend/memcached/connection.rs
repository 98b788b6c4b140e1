//! One connection, and the requests that wait on it.
//!
//! A connection is used once: when it breaks, every request on it fails, and nothing is ever sent twice. Answers come in the order
//! of the requests; one that nobody waits for any more is read and thrown away.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc, oneshot};

use super::codec::{Answer, Decoder, Pipeline};
use super::failure::Failure;
use super::stream::Stream;
use crate::env::Env;
use crate::id::Instant;
use crate::node::NodeErrorKind;

/// Requests are taken up only while less than this waits to be written.
const MOST_UNSENT: usize = 256 * 1_024;
const READ_AT_ONCE: usize = 16 * 1_024;

/// What the keeper of a connection is asked to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Read the marker anew: it is not the one that was judged.
    SetUp,
    /// Close it: its answers make no sense.
    Close,
}

/// The side of those who ask.
#[derive(Debug)]
pub(super) struct Connection {
    requests: mpsc::UnboundedSender<Request>,
    /// Requests that are not answered yet, those that nobody waits for any more included.
    waiting: Arc<AtomicUsize>,
    /// How many answers have come; tells a slow server from a silent one.
    answered: Arc<AtomicU64>,
    set_up: Notify,
    close: Notify,
}

/// The other side: what was asked and is not answered.
pub(super) struct Inbox {
    requests: mpsc::UnboundedReceiver<Request>,
    expected: VecDeque<Expected>,
    waiting: Arc<AtomicUsize>,
    answered: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Request {
    bytes: Vec<u8>,
    expected: Expected,
}

#[derive(Debug)]
struct Expected {
    /// So many are still to come.
    missing: usize,
    answers: Vec<Answer>,
    sent: Instant,
    tell: oneshot::Sender<Outcome>,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answered),
    /// It was not sent: the connection had ended before.
    NotSent(Failure),
    /// It was sent, perhaps, and the connection ended without an answer.
    Lost(Failure),
}

/// The answers to a pipeline, in its order.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answers: Vec<Answer>,
    pub(super) sent: Instant,
    pub(super) received: Instant,
}

/// A new connection, and what feeds it.
pub(super) fn pair() -> (Arc<Connection>, Inbox) {
    let (sender, requests) = mpsc::unbounded_channel();
    let (waiting, answered) = (Arc::default(), Arc::default());
    let inbox = Inbox {
        requests,
        expected: VecDeque::new(),
        waiting: Arc::clone(&waiting),
        answered: Arc::clone(&answered),
    };
    let (set_up, close) = (Notify::new(), Notify::new());
    (Arc::new(Connection { requests: sender, waiting, answered, set_up, close }), inbox)
}

fn ended() -> Failure {
    Failure::new(NodeErrorKind::Unreachable, "the connection has ended")
}

impl Connection {
    /// Sends at once, behind all that was sent before. Dropping what is returned abandons the answers alone.
    pub(super) fn call(&self, pipeline: Pipeline, env: &dyn Env) -> impl Future<Output = Outcome> + use<> {
        let (bytes, missing) = pipeline.into_parts();
        let (tell, told) = oneshot::channel();
        let expected = Expected { missing, answers: Vec::with_capacity(missing), sent: env.now(), tell };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let sent = self.requests.send(Request { bytes, expected }).is_ok();
        if !sent {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        async move {
            if !sent {
                return Outcome::NotSent(ended());
            }
            told.await.unwrap_or_else(|_| Outcome::Lost(ended()))
        }
    }

    pub(super) fn ask(&self, wish: Wish) {
        match wish {
            Wish::SetUp => self.set_up.notify_one(),
            Wish::Close => self.close.notify_one(),
        }
    }

    /// Waits until something is to be done with it.
    pub(super) async fn wish(&self) -> Wish {
        tokio::select! {
            () = self.close.notified() => Wish::Close,
            () = self.set_up.notified() => Wish::SetUp,
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// How many answers have come.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }
}

impl Inbox {
    /// Writes requests and reads answers until the connection ends; returns why it did.
    pub(super) async fn serve(&mut self, stream: Stream, env: &dyn Env) -> Failure {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut decoder = Decoder::default();
        let mut input = vec![0; READ_AT_ONCE];
        let (mut output, mut written, mut flushed) = (Vec::new(), 0, true);
        loop {
            tokio::select! {
                request = self.requests.recv(), if output.len() - written < MOST_UNSENT => {
                    // Their sender lives as long as this does.
                    let Some(request) = request else { return ended() };
                    flushed = false;
                    self.expect(request, &mut output);
                    while output.len() - written < MOST_UNSENT && let Ok(request) = self.requests.try_recv() {
                        self.expect(request, &mut output);
                    }
                }
                done = write(&mut writer, &output[written..]), if !flushed => match done {
                    Ok(Some(0)) => return Failure::closed("it takes nothing more", self.has_answered()),
                    Ok(Some(more)) => {
                        written += more;
                        if written == output.len() {
                            output.clear();
                            written = 0;
                        }
                    }
                    Ok(None) => flushed = true,
                    Err(error) => return Failure::of_io(&error, self.has_answered()),
                },
                read = reader.read(&mut input) => match read {
                    Ok(0) => return Failure::closed("end of data", self.has_answered()),
                    Ok(read) => {
                        decoder.feed(input.get(..read).unwrap_or_default());
                        if let Err(failure) = self.deliver(&mut decoder, env) {
                            return failure;
                        }
                    }
                    Err(error) => return Failure::of_io(&error, self.has_answered()),
                },
            }
        }
    }

    fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire) > 0
    }

    fn expect(&mut self, request: Request, output: &mut Vec<u8>) {
        output.extend(request.bytes);
        self.expected.push_back(request.expected);
    }

    /// Hands answers to those who asked.
    fn deliver(&mut self, decoder: &mut Decoder, env: &dyn Env) -> Result<(), Failure> {
        while let Some(answer) = decoder.next().map_err(|why| Failure::nonsense(why.0))? {
            if let Answer::Alien(text) = &answer {
                // What was sent with it may be taken for commands now.
                return Err(Failure::alien(text));
            }
            let Some(expected) = self.expected.front_mut() else {
                return Err(Failure::nonsense("it says something that it was not asked"));
            };
            self.answered.fetch_add(1, Ordering::AcqRel);
            expected.answers.push(answer);
            expected.missing = expected.missing.saturating_sub(1);
            if expected.missing == 0
                && let Some(Expected { answers, sent, tell, .. }) = self.expected.pop_front()
            {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
                // Nobody may wait any more.
                let _ = tell.send(Outcome::Answered(Answered { answers, sent, received: env.now() }));
            }
        }
        Ok(())
    }

    /// Tells those who wait that the connection has ended.
    pub(super) fn end(&mut self, why: &Failure) {
        self.requests.close();
        for expected in self.expected.drain(..) {
            let _ = expected.tell.send(Outcome::Lost(why.clone()));
        }
        while let Ok(request) = self.requests.try_recv() {
            let _ = request.expected.tell.send(Outcome::NotSent(why.clone()));
        }
        self.waiting.store(0, Ordering::Release);
    }
}

/// Writes something, or has what was written go out: `None`.
async fn write(writer: &mut (impl AsyncWrite + Unpin), output: &[u8]) -> io::Result<Option<usize>> {
    if output.is_empty() { writer.flush().await.map(|()| None) } else { writer.write(output).await.map(Some) }
}
