//! Keeps a server connected: one task per server that connects, watches the connection, and connects again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::oneshot;

use super::clock::{LATEST_END, LONGEST_FIRST, LONGEST_RELATIVE, Process};
use super::codec::{Answer, Item, Pipeline};
use super::connection::{self, Answered, Connection, Outcome, Wish};
use super::failure::Failure;
use super::shard::{Link, Memory, Session, Shard};
use super::{keys, stream};
use crate::env::{jitter, random_number};
use crate::node::NodeErrorKind;
use crate::node::marker_text as marker;

/// The longest pause before the first new attempt; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection on which requests wait is closed when this many looks in a row have seen no answer.
const SILENT_LOOKS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The server's clock is read after so many looks, whatever else goes on; that is a sign of life, too.
const CLOCK_LOOKS: u32 = 20;

/// Runs until `stopped` says that the node is gone.
pub(super) async fn keep(shard: Arc<Shard>, mut stopped: oneshot::Receiver<()>) {
    let mut failures = 0;
    loop {
        let started = shard.env.now();
        let life = std::pin::pin!(live(&shard));
        let failure = match select(&mut stopped, life).await {
            Either::Left(_) => return,
            Either::Right((failure, _)) => failure,
        };
        shard.telemetry.failed(&failure.detail);
        shard.link.send_replace(Link::Down(failure));
        // A connection that has lived for a while was a good one.
        if shard.env.now().saturating_since(started) > LONGEST_PAUSE + shard.config.connect_timeout {
            failures = 0;
        }
        let wake = shard.env.now().saturating_add(pause(failures, jitter(&*shard.env)));
        failures = failures.saturating_add(1);
        if let Either::Left(_) = select(&mut stopped, shard.env.sleep_until(wake)).await {
            return;
        }
    }
}

/// Full jitter, so that the clients of a server that comes back do not come all at once.
fn pause(failures: u32, random: u64) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random % nanos.max(1))
}

/// Connects and stays connected; returns why no longer.
async fn live(shard: &Arc<Shard>) -> Failure {
    let mut met = None;
    loop {
        match live_once(shard, met).await {
            Err(New(process)) => met = Some(process),
            Ok(failure) if shard.config.is_sharded() => return failure.at(&shard.address.to_string()),
            Ok(failure) => return failure,
        }
    }
}

/// A process that is not known: its clock is to be read on another connection (see `clock`).
struct New(Process);

/// One connection. `met`: a process that was met on a connection just before.
async fn live_once(shard: &Arc<Shard>, met: Option<Process>) -> Result<Failure, New> {
    let (connection, mut inbox) = connection::pair();
    let opening = stream::open(&shard.address, &shard.tls);
    let opened = match in_time(shard, opening).await {
        Ok(opened) => opened,
        Err(failure) => return Ok(failure),
    };
    let ended = {
        let serving = std::pin::pin!(inbox.serve(opened, &*shard.env));
        let using = std::pin::pin!(async {
            let number = shard.next_connection();
            match in_time(shard, set_up(shard, &connection, number, met)).await {
                Ok(Ok(session)) => {
                    shard.link.send_replace(Link::Up(Arc::new(session)));
                    let _up = shard.telemetry.up();
                    Ok(watch_over(shard, &connection, number).await)
                }
                Ok(Err(new)) => Err(new),
                Err(failure) => Ok(failure),
            }
        });
        match select(serving, using).await {
            Either::Left((failure, _)) => Ok(failure),
            Either::Right((ended, _)) => ended,
        }
    };
    let failure = match &ended {
        Ok(failure) => failure.clone(),
        Err(New(_)) => Failure::new(NodeErrorKind::Unreachable, "another connection is opened"),
    };
    // Before anybody is told: who asks now must not be sent to a connection that has ended.
    if ended.is_ok() {
        shard.link.send_replace(Link::Down(failure.clone()));
    }
    inbox.end(&failure);
    ended
}

async fn in_time<T>(shard: &Shard, attempt: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let limit = shard.config.connect_timeout;
    let timer = shard.env.sleep_until(shard.env.now().saturating_add(limit));
    match select(std::pin::pin!(attempt), timer).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            // A server without TLS waits for the end of what it takes for a command, and one with TLS for that of a handshake.
            let hint = "; do both sides agree on TLS?";
            Err(Failure::new(NodeErrorKind::Unreachable, format!("no answer within {limit:?}{hint}")))
        }
    }
}

/// Logs in, judges the server, reads its clock and its marker.
async fn set_up(
    shard: &Shard,
    connection: &Arc<Connection>,
    number: u64,
    met: Option<Process>,
) -> Result<Result<Session, New>, Failure> {
    if let Some((user, password)) = &shard.config.login {
        let mut pipeline = Pipeline::new();
        pipeline.log_in(user, password);
        let answered = call(shard, connection, pipeline).await?;
        if answered.answers != [Answer::Stored] {
            return Err(Failure::nonsense("its answer to a user and a password makes no sense"));
        }
    }
    let mut pipeline = Pipeline::new();
    pipeline.stats("");
    pipeline.stats(" settings");
    let answered = call(shard, connection, pipeline).await?;
    let [Answer::Stats(stats), Answer::Stats(settings)] = answered.answers.as_slice() else {
        return Err(Failure::nonsense("its answer to stats makes no sense"));
    };
    let (process, version, shown) = judge(stats, settings)?;
    if !shard.clock().knows(process) {
        if met != Some(process) {
            return Ok(Err(New(process)));
        }
        let round_trip = answered.received.saturating_since(answered.sent);
        if round_trip > LONGEST_FIRST {
            let detail =
                format!("it took {round_trip:.1?} to tell its time, which must be known to half a second");
            return Err(Failure::new(NodeErrorKind::Unreachable, detail));
        }
        shard.clock().begin(process, shown, answered.sent, answered.received);
    } else {
        shard.note_time(shown, &answered);
    }
    let (memory, id) = remember(shard, connection, process).await?;
    let connection = Arc::clone(connection);
    Ok(Ok(Session { connection, number, process, version, id, memory }))
}

/// What the statistics say under this name.
pub(super) fn field<'a>(stats: &'a [(String, String)], name: &str) -> Option<&'a str> {
    stats.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The time that statistics show, in seconds.
pub(super) fn time(stats: &[(String, String)]) -> Option<u64> {
    field(stats, "time")?.parse().ok()
}

/// Whether it can be a node: its process, its version and the time that it shows.
fn judge(
    stats: &[(String, String)],
    settings: &[(String, String)],
) -> Result<(Process, String, u64), Failure> {
    let version = field(stats, "version").ok_or_else(|| Failure::nonsense("it states no version"))?;
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    if !matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (1, 6))
    {
        let version: String = version.chars().take(40).collect();
        let detail = format!("the server is version {version:?}; memcached 1.6 or later is needed");
        return Err(Failure::new(NodeErrorKind::Unsupported, detail));
    }
    let number = |name| field(stats, name).and_then(|text| text.parse::<u64>().ok());
    let (Some(pid), Some(shown), Some(uptime)) = (number("pid"), number("time"), number("uptime")) else {
        return Err(Failure::nonsense("it states no pid, time or uptime"));
    };
    if field(settings, "cas_enabled") == Some("no") {
        let detail = "the server was started without CAS values (-C), and so cannot compare who has a lock";
        return Err(Failure::new(NodeErrorKind::Unsupported, detail));
    }
    // Ends up to here would be taken for relative ones.
    if shown <= LONGEST_RELATIVE || shown >= LATEST_END {
        let detail = "the server's clock shows a time before February 1970 or after January 2038; set its machine's clock and restart it";
        return Err(Failure::new(NodeErrorKind::Unsupported, detail));
    }
    Ok((Process { pid, started: shown.saturating_sub(uptime) }, version.to_owned(), shown))
}

/// Reads the marker and the random number of the server, which it is given if it has none.
async fn remember(
    shard: &Shard,
    connection: &Arc<Connection>,
    process: Process,
) -> Result<(Memory, Option<String>), Failure> {
    if !shard.config.is_guarded() {
        return Ok((Memory::Unguarded, None));
    }
    let mut pipeline = Pipeline::new();
    pipeline.add(keys::ID, &format!("{:016x}", random_number(&*shard.env)), LATEST_END);
    pipeline.get(keys::ID);
    pipeline.get(keys::MARKER);
    let answered = call(shard, connection, pipeline).await?;
    let [_, id, marker] = answered.answers.as_slice() else {
        return Err(Failure::nonsense("its answers do not fit what was asked"));
    };
    let is_hex = |text: &String| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = match id {
        Answer::Item(Item { value: Some(value), .. }) => String::from_utf8(value.clone()).ok().filter(is_hex),
        _ => None,
    };
    let there = match marker {
        Answer::Item(Item { value, .. }) => Some(value.clone().unwrap_or_default()),
        Answer::Missing => None,
        _ => return Err(Failure::nonsense("its answer to mg makes no sense")),
    };
    let text = there.as_deref().and_then(|there| std::str::from_utf8(there).ok());
    if text.is_some_and(marker::is_of_a_later_version) {
        let detail =
            "its marker (#redlock:marker) was written by a later version of this library; update this client";
        return Err(Failure::new(NodeErrorKind::Foreign, detail));
    }
    let memory = match (text.and_then(marker::parse), there) {
        (Some(text), Some(there)) if text.process == process_text(process) => Memory::Marked { there, text },
        (earlier, there) => Memory::Unmarked { there, earlier },
    };
    Ok((memory, id))
}

/// A process as markers name it.
pub(super) fn process_text(process: Process) -> String {
    format!("{}-{}", process.pid, process.started)
}

/// A request that changes nothing that matters: its effect is not asked for.
pub(super) async fn call(
    shard: &Shard,
    connection: &Arc<Connection>,
    pipeline: Pipeline,
) -> Result<Answered, Failure> {
    match connection.call(pipeline, &*shard.env).await {
        Outcome::Answered(answered) => Ok(answered),
        Outcome::NotSent(failure) | Outcome::Lost(failure) => Err(failure),
    }
}

/// Lets the connection be used until it ends; returns why it is to.
async fn watch_over(shard: &Shard, connection: &Arc<Connection>, number: u64) -> Failure {
    let mut silence = std::pin::pin!(silence(shard, connection));
    loop {
        let wish = std::pin::pin!(connection.wish());
        match select(wish, silence.as_mut()).await {
            Either::Left((Wish::Close, _)) => {
                let detail = "the connection was closed after an answer that makes no sense";
                return Failure::new(NodeErrorKind::Protocol, detail);
            }
            Either::Left((Wish::SetUp, _)) => {
                let process = match &*shard.link.borrow() {
                    Link::Up(session) => (session.process, session.version.clone()),
                    _ => return Failure::new(NodeErrorKind::NotReady, "the connection was not in use"),
                };
                match in_time(shard, remember(shard, connection, process.0)).await {
                    Ok((memory, id)) => {
                        let connection = Arc::clone(connection);
                        let (process, version) = process;
                        let session = Session { connection, number, process, version, id, memory };
                        shard.link.send_replace(Link::Up(Arc::new(session)));
                    }
                    Err(failure) => return failure,
                }
            }
            Either::Right((failure, _)) => return failure,
        }
    }
}

/// Reads the server's clock now and then; returns when requests wait, that one or others, and nothing at all is answered.
async fn silence(shard: &Shard, connection: &Arc<Connection>) -> Failure {
    let pause = || shard.env.sleep_until(shard.env.now().saturating_add(LOOK_EVERY));
    let mut looks = 0;
    loop {
        pause().await;
        looks += 1;
        if !connection.is_waited_for() && looks < CLOCK_LOOKS {
            continue;
        }
        looks = 0;
        // Perhaps they are answered and nobody has read it yet. A request of our own tells.
        let mut pipeline = Pipeline::new();
        pipeline.stats("");
        let mut asking = std::pin::pin!(call(shard, connection, pipeline));
        let (mut silent, mut answered) = (0, connection.answered());
        loop {
            match select(&mut asking, pause()).await {
                Either::Left((Ok(read), _)) => {
                    if let [Answer::Stats(stats)] = read.answers.as_slice()
                        && let Some(shown) = time(stats)
                    {
                        shard.note_time(shown, &read);
                    }
                    break;
                }
                Either::Left((Err(failure), _)) => return failure,
                Either::Right(_) => {
                    // Looks are counted, not time: after a pause of this process the answers may be here, unread.
                    let now = connection.answered();
                    silent = if now == answered { silent + 1 } else { 0 };
                    answered = now;
                    if silent >= SILENT_LOOKS {
                        let detail =
                            format!("no answer to any request within {:?}", LOOK_EVERY * SILENT_LOOKS);
                        return Failure::new(NodeErrorKind::Unreachable, detail);
                    }
                }
            }
        }
    }
}
