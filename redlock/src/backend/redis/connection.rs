//! One connection, and the requests that wait on it.
//!
//! A connection is used once: when it breaks, fred is thrown away with all that it may have queued, and every request
//! on it fails. fred itself never repeats a command (see [`client`]).

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use fred::bytes_utils::Str;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, Resp3Frame};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig};
use fred::types::config::{Server as Address, UnresponsiveConfig};
use fred::types::{CustomCommand, RespVersion, Value};
use futures::future::{BoxFuture, Either, FutureExt, select};
use tokio::sync::Notify;

use super::batch::{self, Batch, Lane};
use super::config::RedisConfig;
use super::failure::Failure;
use super::operation::{Keys, Operation};
use super::reply::Told;
use crate::env::Env;

/// How many requests may wait for their answers on one node, those that are not sent yet included.
pub(super) const MOST_WAITING: usize = 8_192;

/// A fred client that connects once and writes every command at most once.
pub(super) fn client(config: &RedisConfig, tls: Tls, version: RespVersion) -> Client {
    let server = Address {
        // fred resolves "host:port" as one text.
        host: config.bracketed_host().into(),
        port: config.port,
        #[cfg(feature = "tls")]
        tls_server_name: Some(config.host.as_str().into()),
    };
    // An ACL user without a password still has to log in.
    let password = config.password.clone().or_else(|| config.username.as_ref().map(|_| String::new()));
    let client = Config {
        fail_fast: true,
        username: config.username.clone(),
        password,
        server: ServerConfig::Centralized { server },
        version,
        #[cfg(feature = "tls")]
        tls,
        ..Config::default()
    };
    #[cfg(not(feature = "tls"))]
    let Tls = tls;
    let connection = ConnectionConfig {
        // Our own timer ends an attempt; these would only come before it and say less.
        connection_timeout: config.connect_timeout.saturating_mul(2),
        internal_command_timeout: config.connect_timeout.saturating_mul(2),
        // Together with the missing reconnect policy: a command whose connection broke is answered with an error
        // instead of being kept for the next connection.
        max_command_attempts: 1,
        max_redirections: 1,
        // No limit of fred's: beyond it commands would fail after they had been admitted. `MOST_WAITING` bounds it.
        max_command_buffer_len: 0,
        // It would need a tokio timer; the watch over silent connections is ours.
        unresponsive: UnresponsiveConfig { max_timeout: None, ..UnresponsiveConfig::default() },
        reconnect_on_auth_error: false,
        auto_client_setname: false,
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    };
    // Without a default timeout a command future touches no timer, so that any executor can poll it, and fred never
    // skips a queued command because nobody waits for it any more.
    let performance = PerformanceConfig {
        default_command_timeout: std::time::Duration::ZERO,
        ..PerformanceConfig::default()
    };
    Client::new(client, Some(performance), Some(connection), None)
}

/// What fred needs to speak TLS.
#[cfg(feature = "tls")]
pub(super) type Tls = Option<fred::types::config::TlsConfig>;
/// Nothing: this build cannot speak it.
#[cfg(not(feature = "tls"))]
#[derive(Debug, Clone, Default)]
pub(super) struct Tls;

/// What the keeper of a connection is asked to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Judge the server and load the scripts anew: it does not know them.
    SetUp,
    /// Close it: its answers make no sense.
    Close,
}

/// A connection that fred holds.
pub(super) struct Connection {
    client: Client,
    env: Arc<dyn Env>,
    lane: Mutex<Lane>,
    /// Something was collected while nobody was sending.
    collected: Notify,
    /// How many answers have been taken; tells a slow server from a silent one.
    answered: AtomicU64,
    /// Why it ended.
    closed: OnceLock<Failure>,
    closing: Notify,
    set_up: Notify,
    close: Notify,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Outcome<T = Resp3Frame> {
    /// The server answered; the answer may be an error.
    Answered(T),
    /// It was not sent: the connection had ended before.
    NotSent(Failure),
    /// It was sent, perhaps, and the connection ended without an answer.
    Lost(String),
}

/// Too many requests wait already.
#[derive(Debug)]
pub(super) struct Full;

impl Connection {
    pub(super) fn new(client: Client, env: Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self {
            client,
            env,
            lane: Mutex::default(),
            collected: Notify::new(),
            answered: AtomicU64::new(0),
            closed: OnceLock::new(),
            closing: Notify::new(),
            set_up: Notify::new(),
            close: Notify::new(),
        })
    }

    /// Sends a command at the first poll. Dropping the exchange then abandons the answer, but it still counts as
    /// waiting until it has come.
    pub(super) fn call(
        self: &Arc<Self>,
        command: &'static str,
        arguments: Vec<Value>,
    ) -> Result<Exchange, Full> {
        let ticket = Ticket::take(&mut self.lane(), self, false)?;
        Ok(self.send(ticket, command, arguments))
    }

    fn send(self: &Arc<Self>, ticket: Ticket, command: &'static str, arguments: Vec<Value>) -> Exchange {
        let running = async move { ticket.connection.exchange(command, arguments).await }.boxed();
        Exchange { running: Some(running), sent: false, connection: Arc::clone(self) }
    }

    /// Has a script run an operation on the keys of a name, alone or in a batch, after all that were asked for before it. To be
    /// called where the request is polled first, and then polled: what is collected is sent whoever polls it, and counts as waiting
    /// until it has ended.
    ///
    /// `alone` and `batch` are the scripts' hashes.
    pub(super) fn request(
        self: &Arc<Self>,
        alone: &Str,
        batch: &Str,
        operation: &Operation,
        keys: Keys,
    ) -> Result<Request, Full> {
        let mut lane = self.lane();
        if lane.is_free() {
            let ticket = Ticket::take(&mut lane, self, true)?;
            drop(lane);
            return Ok(Request::Alone(self.send(ticket, "EVALSHA", operation.alone(alone, keys))));
        }
        // Looked at under the lock under which a close takes what was collected.
        if let Some(why) = self.closed.get() {
            return Ok(Request::NotSent(Some(why.clone())));
        }
        lane.take_place()?;
        let wakes = lane.collected.is_empty() && !lane.is_in_flight;
        let answer = lane.collect(batch, operation, keys);
        drop(lane);
        if wakes {
            self.collected.notify_one();
        }
        Ok(Request::Collected(answer))
    }

    /// Waits for something to be collected, and takes it. `None` when the connection has ended.
    pub(super) async fn next_batch(&self) -> Option<Batch> {
        loop {
            // Made before the look at `closed`, so that a close in between is not missed.
            let closing = std::pin::pin!(self.closing.notified());
            if self.is_closed() {
                return None;
            }
            let batch = self.lane().take();
            if batch.is_some() {
                return batch;
            }
            select(std::pin::pin!(self.collected.notified()), closing).await;
        }
    }

    /// Says whether requests may be sent in batches: not by a member of a Cluster, which takes keys of one slot alone.
    pub(super) fn allow_batches(&self, allow: bool) {
        self.lane().most_alone = if allow { batch::MOST_ALONE } else { usize::MAX };
    }

    /// So many collected requests have ended.
    pub(super) fn ended(&self, count: usize) {
        self.lane().waiting -= count;
    }

    /// Asks for what an answer calls for.
    pub(super) fn heed(&self, told: &Told) {
        match told {
            // Another process, or one that has become a replica; before Redis 7 the script's name comes first.
            Told::Refused(text) if text.starts_with("NOSCRIPT") || text.contains("READONLY") => {
                self.ask(Wish::SetUp);
            }
            // Something between us and a Cluster had hidden it.
            Told::Refused(text) if text.starts_with("CROSSSLOT") => self.allow_batches(false),
            Told::Answer(answer) if answer.is_unmarked() => self.ask(Wish::SetUp),
            // An answer that cannot be ours puts all that follow in doubt.
            Told::Nonsense(_) => self.ask(Wish::Close),
            Told::Answer(_) | Told::Refused(_) => {}
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command, whatever is waiting.
    pub(super) async fn exchange(&self, command: &'static str, arguments: Vec<Value>) -> Outcome {
        // Made before the look at `closed`, so that a close in between is not missed.
        let closing = std::pin::pin!(self.closing.notified());
        if let Some(why) = self.closed.get() {
            return Outcome::NotSent(why.clone());
        }
        let command = CustomCommand::new_static(command, None::<u16>, false);
        let answer = std::pin::pin!(self.client.custom_raw(command, arguments));
        // fred keeps what it is given after its connection task has ended, for ever: hence the second signal.
        match select(answer, closing).await {
            Either::Left((Ok(frame), _)) => {
                self.answered.fetch_add(1, Ordering::AcqRel);
                Outcome::Answered(frame)
            }
            Either::Left((Err(error), _)) => Outcome::Lost(self.why(&error)),
            Either::Right(_) => {
                Outcome::Lost(self.closed.get().map_or_else(String::new, |why| why.detail.clone()))
            }
        }
    }

    fn why(&self, error: &Error) -> String {
        self.closed.get().map_or_else(|| error.details().to_owned(), |why| why.detail.clone())
    }

    /// Ends every request on it; those that were only collected are never sent. The first reason stays.
    pub(super) fn close(&self, why: Failure) {
        let _ = self.closed.set(why.clone());
        let collected = {
            let mut lane = self.lane();
            let collected = std::mem::take(&mut lane.collected);
            lane.waiting -= collected.iter().map(Batch::len).sum::<usize>();
            collected
        };
        collected.into_iter().for_each(|batch| batch.end(|| Outcome::NotSent(why.clone())));
        self.closing.notify_waiters();
    }

    pub(super) fn ask(&self, wish: Wish) {
        match wish {
            Wish::SetUp => self.set_up.notify_one(),
            Wish::Close => self.close.notify_one(),
        }
    }

    /// Waits until something is to be done with it.
    pub(super) async fn wish(&self) -> Wish {
        let (close, set_up) = (std::pin::pin!(self.close.notified()), std::pin::pin!(self.set_up.notified()));
        match select(close, set_up).await {
            Either::Left(_) => Wish::Close,
            Either::Right(_) => Wish::SetUp,
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.lane().waiting > 0
    }

    /// How many answers have been taken.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// Asks for the server's time, whatever is waiting; the answer comes behind those to all requests before it.
    pub(super) async fn ask_time(&self) -> Outcome {
        self.exchange("TIME", Vec::new()).await
    }

    /// fred's client, to start and to set up.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("lane", &self.lane)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Lane {
    fn take_place(&mut self) -> Result<(), Full> {
        if self.waiting >= MOST_WAITING {
            return Err(Full);
        }
        self.waiting += 1;
        Ok(())
    }
}

/// One of the places for waiting requests.
struct Ticket {
    connection: Arc<Connection>,
    alone: bool,
}

impl Ticket {
    /// `alone`: of a request that could have been collected.
    fn take(lane: &mut Lane, connection: &Arc<Connection>, alone: bool) -> Result<Self, Full> {
        lane.take_place()?;
        lane.alone += usize::from(alone);
        Ok(Self { connection: Arc::clone(connection), alone })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut lane = self.connection.lane();
        lane.waiting -= 1;
        lane.alone -= usize::from(self.alone);
    }
}

/// An operation and what the server says to it.
pub(super) enum Request {
    /// Sent at the first poll.
    Alone(Exchange),
    /// To be sent with others.
    Collected(batch::Answer),
    /// The connection had ended before.
    NotSent(Option<Failure>),
}

impl Future for Request {
    type Output = Outcome<Told>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<Told>> {
        match &mut *self {
            Self::Alone(exchange) => match futures::ready!(exchange.poll_unpin(context)) {
                Outcome::Answered(frame) => {
                    let told = Told::of_one(&frame);
                    exchange.connection.heed(&told);
                    Poll::Ready(Outcome::Answered(told))
                }
                Outcome::NotSent(why) => Poll::Ready(Outcome::NotSent(why)),
                Outcome::Lost(why) => Poll::Ready(Outcome::Lost(why)),
            },
            Self::Collected(answer) => answer.poll_unpin(context).map(|told| {
                told.unwrap_or_else(|_| Outcome::Lost("the library's own thread has ended".to_owned()))
            }),
            Self::NotSent(why) => match why.take() {
                Some(why) => Poll::Ready(Outcome::NotSent(why)),
                None => Poll::Pending,
            },
        }
    }
}

/// A request and its answer.
pub(super) struct Exchange {
    running: Option<BoxFuture<'static, Outcome>>,
    sent: bool,
    connection: Arc<Connection>,
}

impl Future for Exchange {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        self.sent = true;
        let Some(running) = &mut self.running else { return Poll::Pending };
        let outcome = futures::ready!(running.poll_unpin(context));
        self.running = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let (true, Some(running)) = (self.sent, self.running.take()) {
            self.connection.env.spawn(running.map(drop).boxed());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::env::RealEnv;
    use crate::node::NodeErrorKind;

    /// fred keeps the commands of a client that is not connected, as it does after its connection task has ended.
    fn unanswered() -> Arc<Connection> {
        let client = client(&RedisConfig::new("127.0.0.1"), Default::default(), RespVersion::RESP2);
        Connection::new(client, Arc::new(RealEnv::start().unwrap()))
    }

    fn send(connection: &Arc<Connection>) -> Exchange {
        let mut exchange = connection.call("TIME", vec![]).unwrap();
        assert!((&mut exchange).now_or_never().is_none());
        exchange
    }

    fn close(connection: &Connection) {
        connection.close(Failure::new(NodeErrorKind::Unreachable, "closed by the test"));
    }

    #[test]
    fn a_request_that_fred_never_answers_ends_with_the_connection() {
        let connection = unanswered();
        let waiting = send(&connection);
        close(&connection);
        let outcome = block_on(waiting);
        assert!(matches!(&outcome, Outcome::Lost(why) if why == "closed by the test"), "{outcome:?}");
        let outcome = block_on(connection.call("TIME", vec![]).unwrap());
        assert!(matches!(&outcome, Outcome::NotSent(_)), "{outcome:?}");
        assert!(!connection.is_waited_for());
    }

    #[test]
    fn an_abandoned_request_counts_until_it_is_answered_and_one_never_sent_does_not() {
        let connection = unanswered();
        drop(connection.call("TIME", vec![]).unwrap());
        assert!(!connection.is_waited_for());
        drop(send(&connection));
        assert!(connection.is_waited_for());
        close(&connection);
        while connection.is_waited_for() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn no_more_than_so_many_requests_wait() {
        let connection = unanswered();
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| send(&connection)).collect();
        assert!(matches!(connection.call("TIME", vec![]), Err(Full)));
        close(&connection);
        for exchange in waiting {
            assert!(matches!(block_on(exchange), Outcome::Lost(_)));
        }
        assert!(connection.call("TIME", vec![]).is_ok());
    }

    #[test]
    fn what_is_collected_counts_and_was_never_sent_when_the_connection_ends() {
        let connection = unanswered();
        connection.allow_batches(true);
        let hash = Str::from_static("0a");
        let request = || {
            let keys = Keys { main: Box::from(&b"a"[..]), auxiliary: Box::from(&b"b"[..]) };
            connection.request(&hash, &hash, &Operation::Inspect, keys)
        };
        let mut all: Vec<_> = (0..MOST_WAITING).map(|_| request().ok().unwrap()).collect();
        assert!(all.iter_mut().all(|request| request.now_or_never().is_none()));
        assert!(matches!(request(), Err(Full)));
        let batch = connection.lane().take().unwrap();
        assert_eq!(batch.len(), batch::LARGEST);
        close(&connection);
        for (number, request) in all.into_iter().enumerate() {
            let is_taken = (batch::MOST_ALONE..batch::MOST_ALONE + batch::LARGEST).contains(&number);
            match (number < batch::MOST_ALONE, is_taken) {
                (true, _) => assert!(matches!(block_on(request), Outcome::Lost(_))),
                (_, true) => assert!(request.now_or_never().is_none(), "its sender tells"),
                _ => assert!(matches!(block_on(request), Outcome::NotSent(_))),
            }
        }
        assert!(matches!(request(), Ok(Request::NotSent(_))));
        connection.ended(batch.len());
        batch.end(|| Outcome::Lost(String::new()));
        assert!(!connection.is_waited_for());
    }
}
