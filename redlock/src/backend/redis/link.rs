//! Keeps a node connected: one task per node that connects, watches the connection, and connects again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::bytes_utils::Str;
use fred::clients::Client;
use fred::interfaces::{ClientLike, Resp3Frame};
use fred::types::{ConnectHandle, RespVersion, Value};
use futures::future::{Either, FutureExt, join, join3, select, try_join_all};
use tokio::sync::{oneshot, watch};

use super::config::RedisConfig;
use super::connection::{self, Connection, Outcome, Tls, Wish};
use super::failure::{Failure, closed_early, not_redis, refused_command};
use super::identity::Server;
use super::marker::{self, Text};
use super::place::Place;
use super::scripts::{Guard, Hashes, Script};
use super::{acl, batch, keys, marking, reply, sentinel};
use crate::env::{Env, jitter};
use crate::id::{Charter, Incarnation, Instant, Standing};
use crate::node::NodeErrorKind;
use crate::node::clock::NodeClock;
use crate::protections::Protections;
use crate::telemetry;

/// The longest pause before the first new attempt; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection on which requests wait is closed when this many looks in a row have seen no answer.
const SILENT_LOOKS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A connection on which nothing waits is asked for a sign of life after so many looks: what comes in unasked, and is no answer,
/// is kept in memory until the connection is closed.
const IDLE_LOOKS: u32 = 20;

/// What the node and its task share.
pub(super) struct Shared {
    pub(super) config: RedisConfig,
    pub(super) tls: Tls,
    pub(super) protections: Protections,
    pub(super) env: Arc<dyn Env>,
    pub(super) clock: Mutex<NodeClock>,
    /// When the server was asked last who it is.
    pub(super) judged: Mutex<Instant>,
    pub(super) link: watch::Sender<Link>,
    pub(super) telemetry: telemetry::Link,
}

/// Whether a node can be used.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// The first attempt is under way.
    Starting,
    Up(Arc<Session>),
    /// The last attempt failed, or the connection ended; further attempts follow.
    Down(Failure),
}

/// A connection to a server that has been judged and knows our scripts.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Arc<Connection>,
    /// How this one server was reached, whoever named it.
    pub(super) config: RedisConfig,
    pub(super) server: Server,
    pub(super) hashes: Hashes,
    pub(super) memory: Memory,
}

/// What the server's marker said when the connection was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nobody has looked: the restart guard is off.
    Unguarded,
    /// There is none of this process and its data. What is there all the same, as it stands there and as it reads.
    Unmarked { there: String, earlier: Option<Text>, durable: bool },
    /// It is of this process and its data. As it stands there, and as it reads.
    Marked { there: String, text: Text, durable: bool },
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
                let digits = self.server.run_id.get(..16).unwrap_or(&self.server.run_id);
                u64::from_str_radix(digits, 16).ok().map(Incarnation::new)
            }
            Memory::Unmarked { .. } => None,
            Memory::Marked { text, .. } => Some(text.marker.incarnation),
        }
    }
}

impl Memory {
    /// Whether the server wrote every change to disk before it answered, as far as that was asked.
    pub(super) fn is_durable(&self) -> bool {
        match self {
            Self::Unguarded => false,
            Self::Unmarked { durable, .. } | Self::Marked { durable, .. } => *durable,
        }
    }

    pub(super) fn guard(&self) -> Guard<'_> {
        match self {
            Self::Unguarded => Guard::Off,
            Self::Unmarked { there, .. } => Guard::Unmarked { there },
            Self::Marked { there, text, .. } => {
                Guard::Marked { text: there, until: text.marker.until, floor: text.marker.floor }
            }
        }
    }
}

impl Shared {
    /// Takes the server's clock out of an answer.
    pub(super) fn sample(&self, micros: u64, sent: Instant) {
        let received = self.env.now();
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).sample(micros, sent, received);
    }

    /// How long ago the server was asked last who it is.
    pub(super) fn last_judged(&self) -> Duration {
        let judged = *self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        self.env.now().saturating_since(judged)
    }

    /// It was asked now.
    pub(super) fn note_judged(&self) {
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = self.env.now();
    }
}

/// Runs until `stopped` says that the node is gone.
pub(super) async fn keep(shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut failures = 0;
    loop {
        let started = shared.env.now();
        let life = std::pin::pin!(live(&shared));
        let failure = match select(&mut stopped, life).await {
            Either::Left(_) => return,
            Either::Right((failure, _)) => failure,
        };
        shared.telemetry.failed(&failure.detail);
        shared.link.send_replace(Link::Down(failure));
        // A connection that has lived for a while was a good one.
        if shared.env.now().saturating_since(started) > LONGEST_PAUSE + shared.config.connect_timeout {
            failures = 0;
        }
        let wake = shared.env.now().saturating_add(pause(failures, jitter(&*shared.env)));
        failures = failures.saturating_add(1);
        if let Either::Left(_) = select(&mut stopped, shared.env.sleep_until(wake)).await {
            return;
        }
    }
}

/// Full jitter, so that the clients of a node that comes back do not come all at once.
pub(super) fn pause(failures: u32, random: u64) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random % nanos.max(1))
}

/// Connects and stays connected; returns why no longer.
async fn live(shared: &Arc<Shared>) -> Failure {
    let config = match sentinel::find(shared).await {
        Ok(config) => config,
        Err(failure) => return failure,
    };
    if shared.config.place != Place::Fixed {
        shared.clock.lock().unwrap_or_else(PoisonError::into_inner).begin_anew();
    }
    let client = connection::client(&config, shared.tls.clone(), RespVersion::RESP2);
    let connection = Connection::new(client, Arc::clone(&shared.env));
    let mut running = Running::new(&connection);
    let opened = async {
        connect(&config, connection.client(), &mut running.task).await?;
        set_up(shared, &config, &connection).await
    };
    let mut failure = match in_time(&config, &*shared.env, opened).await {
        Ok(session) => {
            shared.env.spawn(Box::pin(batch::send_collected(Arc::clone(shared), Arc::clone(&connection))));
            shared.link.send_replace(Link::Up(Arc::new(session)));
            let _up = shared.telemetry.up();
            watch_over(shared, &config, &mut running).await
        }
        Err(failure) => failure,
    };
    if shared.config.place != Place::Fixed {
        failure.detail = format!("master {}: {}", config.address(), failure.detail);
    }
    // Before anybody learns that the connection has gone, so that nobody waits on it.
    connection.close(failure.clone());
    failure
}

/// fred's task for a connection. Ending it closes the socket, whatever is still queued.
pub(super) struct Running {
    pub(super) task: Option<ConnectHandle>,
    pub(super) connection: Arc<Connection>,
}

impl Running {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        Self { task: None, connection: Arc::clone(connection) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.connection.close(Failure::new(NodeErrorKind::Disconnected, "the node was dropped"));
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

pub(super) async fn in_time<T>(
    config: &RedisConfig,
    env: &dyn Env,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let limit = config.connect_timeout;
    let timer = env.sleep_until(env.now().saturating_add(limit));
    match select(std::pin::pin!(attempt), timer).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            // A server without TLS waits for the end of what it takes for a command.
            let hint = if config.has_tls() { "; does the server speak TLS?" } else { "" };
            Err(Failure::new(NodeErrorKind::Unreachable, format!("no answer within {limit:?}{hint}")))
        }
    }
}

/// Has fred connect and log in. `task` is set at once, so that it can be ended at any time.
pub(super) async fn connect(
    config: &RedisConfig,
    client: &Client,
    task: &mut Option<ConnectHandle>,
) -> Result<(), Failure> {
    let mut connected = Box::pin(client.wait_for_connect());
    // fred tells only those who listen already.
    let result = match connected.as_mut().now_or_never() {
        Some(result) => result,
        None => {
            *task = Some(client.connect());
            connected.await
        }
    };
    result.map_err(|error| Failure::of_attempt(&error, config.has_tls(), &config.host))
}

/// Judges the server, loads the scripts and looks at its clock: two round trips.
async fn set_up(
    shared: &Shared,
    config: &RedisConfig,
    connection: &Arc<Connection>,
) -> Result<Session, Failure> {
    let sent = shared.env.now();
    let time = async {
        let frame = command(connection, "TIME", vec![]).await?;
        let micros = reply::time(&frame).ok_or_else(|| not_redis("its answer to TIME makes no sense"))?;
        shared.sample(micros, sent);
        Ok(())
    };
    let (selected, server, time) = join3(select_database(shared, connection), judge(connection), time).await;
    // What the server is comes first: it explains why other commands fail.
    let server = server?;
    selected?;
    time?;
    shared.note_judged();
    let mut memory = remember(shared, connection, &server).await?;
    if shared.config.trust_aof && marking::carry_over(shared, connection, &server, &memory).await? {
        memory = remember(shared, connection, &server).await?;
    }
    connection.allow_batches(!server.is_member);
    let load = |script: Script| {
        let text = script.render(&server.run_id, memory.guard(), &shared.protections);
        load(connection, text)
    };
    let hashes = try_join_all(Script::ALL.map(load)).await?;
    let hashes = hashes.try_into().map_err(|_| not_redis("it has lost a script"))?;
    let (connection, config) = (Arc::clone(connection), config.clone());
    Ok(Session { connection, config, server, hashes: Hashes(hashes), memory })
}

/// Has the server keep a script; returns its hash.
pub(super) async fn load(connection: &Arc<Connection>, text: String) -> Result<Str, Failure> {
    let frame = command(connection, "SCRIPT", vec!["LOAD".into(), text.into()]).await?;
    let hash = reply::text(&frame).filter(|hash| hash.len() == 40);
    hash.map(Str::from).ok_or_else(|| not_redis("its answer to SCRIPT LOAD is no hash"))
}

/// Reads the server's clock; a failure is told by whatever comes next.
pub(super) async fn read_clock(shared: &Shared, connection: &Arc<Connection>) {
    let sent = shared.env.now();
    if let Ok(frame) = command(connection, "TIME", vec![]).await {
        reply::time(&frame).into_iter().for_each(|micros| shared.sample(micros, sent));
    }
}

/// Reads the server's marker, behind the look at the server: what was written since is found by the scripts.
async fn remember(shared: &Shared, connection: &Arc<Connection>, server: &Server) -> Result<Memory, Failure> {
    if !shared.config.restart_guard {
        return Ok(Memory::Unguarded);
    }
    let durable = shared.config.trust_aof && is_durable(connection).await?;
    let frame = command(connection, "GET", vec![keys::MARKER.into()]).await.map_err(|failure| {
        let denied = failure.kind == NodeErrorKind::Denied;
        let Failure { kind, detail } =
            failure.about(&format!("its marker ({}) cannot be read", keys::MARKER));
        // The server does not say which right it was.
        let rights = denied.then(|| format!("; the ACL user needs {}", acl::rule(&shared.config)));
        Failure::new(kind, detail + &rights.unwrap_or_default())
    })?;
    let there = match &frame {
        fred::interfaces::Resp3Frame::Null => "",
        frame => reply::text(frame).ok_or_else(|| not_redis("its answer to GET is no text"))?,
    };
    let there = there.to_owned();
    if marker::is_of_a_later_version(&there) {
        let detail = format!(
            "its marker ({}) was written by a later version of this library; update this client",
            keys::MARKER
        );
        return Err(Failure::new(NodeErrorKind::Foreign, detail));
    }
    let text = marker::parse(&there);
    Ok(match text {
        Some(text) if text.process == server.run_id && text.history == server.history => {
            Memory::Marked { there, text, durable }
        }
        earlier => Memory::Unmarked { there, earlier, durable },
    })
}

/// Whether the server writes every change to disk before it answers.
pub(super) async fn is_durable(connection: &Arc<Connection>) -> Result<bool, Failure> {
    let (only, fsync) = join(
        command(connection, "CONFIG", vec!["GET".into(), "appendonly".into()]),
        command(connection, "CONFIG", vec!["GET".into(), "appendfsync".into()]),
    )
    .await;
    let is = |frame: Result<Resp3Frame, Failure>, wanted: &str| {
        frame.map(|frame| reply::second(&frame).is_some_and(|value| value == wanted))
    };
    let durable = || Ok(is(only, "yes")? && is(fsync, "always")?);
    durable().map_err(|failure: Failure| {
        failure.about("trustAof needs to read the server's settings with CONFIG GET")
    })
}

/// Goes to the database of the configuration.
pub(super) async fn select_database(shared: &Shared, connection: &Arc<Connection>) -> Result<(), Failure> {
    match shared.config.database() {
        0 => Ok(()),
        db => command(connection, "SELECT", vec![i64::from(db).into()]).await.map(drop),
    }
}

/// Reads who the server is, and whether it can be a node.
pub(super) async fn judge(connection: &Arc<Connection>) -> Result<Server, Failure> {
    let (server, replication) = join(
        command(connection, "INFO", vec!["server".into()]),
        command(connection, "INFO", vec!["replication".into()]),
    )
    .await;
    let (server, replication) = (server?, replication?);
    let text = |frame| reply::text(frame).ok_or_else(|| not_redis("its answer to INFO is no text"));
    Server::judge(text(&server)?, text(&replication)?)
}

/// A command that changes nothing that matters: its effect is not asked for.
pub(super) async fn command(
    connection: &Arc<Connection>,
    name: &'static str,
    arguments: Vec<Value>,
) -> Result<Resp3Frame, Failure> {
    let exchange = connection
        .call(name, arguments)
        .map_err(|_| Failure::new(NodeErrorKind::Overloaded, "too many requests are waiting"))?;
    match exchange.await {
        Outcome::Answered(frame) => match reply::error(&frame) {
            None => Ok(frame),
            Some(text) => Err(refused_command(name, &text)),
        },
        Outcome::NotSent(failure) => Err(failure),
        Outcome::Lost(why) if connection.answered() == 0 => {
            Err(closed_early(&format!("no answer to {name}: {why}")))
        }
        // It has answered before: it is what it should be.
        Outcome::Lost(why) => {
            let detail = format!("the connection ended before the answer to {name}: {why}");
            Err(Failure::new(NodeErrorKind::Unreachable, detail))
        }
    }
}

/// Lets the connection to the server of `config` be used until it ends; returns why it did.
async fn watch_over(shared: &Shared, config: &RedisConfig, running: &mut Running) -> Failure {
    let connection = Arc::clone(&running.connection);
    let Some(task) = running.task.as_mut() else { return closed_early("fred has no task") };
    let silence = std::pin::pin!(silence(shared, &connection).map(|()| {
        let detail = format!("no answer to any request within {:?}", LOOK_EVERY * SILENT_LOOKS);
        Failure::new(NodeErrorKind::Unreachable, detail)
    }));
    let moved = std::pin::pin!(sentinel::moved(shared, config));
    let mut reason = select(silence, moved).map(|reason| reason.factor_first().0);
    loop {
        let wish = std::pin::pin!(connection.wish());
        let event = select(&mut *task, select(wish, &mut reason)).await;
        match event {
            Either::Left(_) => {
                return Failure::new(NodeErrorKind::Unreachable, "the server closed the connection");
            }
            Either::Right((Either::Left((Wish::Close, _)), _)) => {
                let detail = "the connection was closed after an answer that makes no sense";
                return Failure::new(NodeErrorKind::Protocol, detail);
            }
            Either::Right((Either::Left((Wish::SetUp, _)), _)) => {
                match in_time(config, &*shared.env, set_up(shared, config, &connection)).await {
                    Ok(session) => drop(shared.link.send_replace(Link::Up(Arc::new(session)))),
                    Err(failure) => return failure,
                }
            }
            Either::Right((Either::Right((reason, _)), _)) => return reason,
        }
    }
}

/// Completes when requests wait, or a look at an idle connection does, and nothing at all is answered.
async fn silence(shared: &Shared, connection: &Connection) {
    let pause = || shared.env.sleep_until(shared.env.now().saturating_add(LOOK_EVERY));
    let mut idle = 0;
    loop {
        pause().await;
        if !connection.is_waited_for() {
            idle += 1;
            if idle < IDLE_LOOKS {
                continue;
            }
        }
        idle = 0;
        // Perhaps they are answered and their callers have not looked yet. A request of our own tells.
        let sent = shared.env.now();
        let mut time = std::pin::pin!(connection.ask_time());
        let (mut silent, mut answered) = (0, connection.answered());
        loop {
            match select(&mut time, pause()).await {
                Either::Left((Outcome::Answered(frame), _)) => {
                    reply::time(&frame).into_iter().for_each(|micros| shared.sample(micros, sent));
                    break;
                }
                // The connection has ended: others say why.
                Either::Left(_) => break,
                Either::Right(_) => {
                    // Looks are counted, not time: after a pause of this process the answers may be here, unread.
                    let now = connection.answered();
                    silent = if now == answered { silent + 1 } else { 0 };
                    answered = now;
                    if silent >= SILENT_LOOKS {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_drawn_from_zero_up() {
        for (failures, longest) in [(0, 50), (1, 100), (5, 1_600), (6, 2_000), (u32::MAX, 2_000)] {
            let longest = Duration::from_millis(longest);
            assert_eq!(pause(failures, longest.as_nanos() as u64), Duration::ZERO);
            assert_eq!(pause(failures, longest.as_nanos() as u64 - 1), longest - Duration::from_nanos(1));
        }
    }
}
