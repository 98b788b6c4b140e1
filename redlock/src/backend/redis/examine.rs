//! Reads how a server is set up, for preflight: three round trips, and nothing that a server could refuse but INFO and
//! TIME is needed.

mod judge;

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::Resp3Frame;
use fred::types::Value;
use futures::future::{join, join_all};

use super::connection::Connection;
use super::failure::{Failure, not_redis};
use super::identity::Server;
use super::link::{Session, Shared, command};
use super::scripts::Script;
use super::{acl, keys, reply};
use crate::id::{Instant, LockName};
use crate::node::{ClockReading, Examination};
use judge::{Client, Unread};

/// What INFO does not say; nothing here is a secret, and nothing else may be asked for.
const SETTINGS: [&str; 5] = ["appendfsync", "save", "timeout", "maxclients", "stop-writes-on-bgsave-error"];

/// What a server said of itself, as far as it let us read it.
struct Readings {
    info: String,
    /// In the order of [`SETTINGS`].
    settings: [Result<String, Unread>; SETTINGS.len()],
    /// What the ACL forbids of what the scripts do.
    missing: Result<Vec<String>, Unread>,
    /// Whether the default user gets in without a password; `None`: it was not asked for.
    open: Option<Result<bool, Unread>>,
}

pub(super) async fn examine(shared: &Shared, session: &Session) -> Result<Examination, Failure> {
    let connection = &session.connection;
    let mut times = vec![time(shared, connection).await?, time(shared, connection).await?];
    let (last, readings) = join(time(shared, connection), read(shared, session)).await;
    times.push(last?);
    let readings = readings?;

    let client = Client {
        user: shared.config.username.as_deref().unwrap_or("default"),
        host: &session.config.host,
        has_tls: shared.config.has_tls(),
        has_password: shared.config.password.is_some(),
    };
    let mut examination = Examination::new(judge::judge(&readings, &client));
    examination.host = Some(session.config.host.clone());
    examination.eviction_policy = judge::eviction_policy(&readings.info).map(str::to_owned);
    examination.clock = times.iter().map(Time::clock).min_by_key(ClockReading::error);
    examination.round_trips = times.iter().map(Time::round_trip).collect();
    Ok(examination)
}

/// An answer to TIME.
struct Time {
    micros: u64,
    sent: Instant,
    received: Instant,
}

impl Time {
    fn clock(&self) -> ClockReading {
        ClockReading::new(self.micros, self.sent, self.received)
    }

    fn round_trip(&self) -> Duration {
        self.received.saturating_since(self.sent)
    }
}

async fn time(shared: &Shared, connection: &Arc<Connection>) -> Result<Time, Failure> {
    let sent = shared.env.now();
    let frame = command(connection, "TIME", vec![]).await?;
    let received = shared.env.now();
    let micros = reply::time(&frame).ok_or_else(|| not_redis("its answer to TIME makes no sense"))?;
    shared.sample(micros, sent);
    Ok(Time { micros, sent, received })
}

/// Everything at once.
async fn read(shared: &Shared, session: &Session) -> Result<Readings, Failure> {
    let connection = &session.connection;
    let asks_for_default =
        judge::asks_for_default_user(&session.config.host, shared.config.username.as_deref());
    let open = async {
        match asks_for_default {
            true => Some(default_user_is_open(connection).await),
            false => None,
        }
    };
    let settings = join_all(SETTINGS.map(|name| setting(connection, name)));
    let rights = join(missing_rights(shared, session), open);
    let (info, (settings, (missing, open))) =
        join(command(connection, "INFO", vec![]), join(settings, rights)).await;
    let info = info?;
    let info = reply::text(&info).ok_or_else(|| not_redis("its answer to INFO is no text"))?.to_owned();
    // It may have become a replica since it was last judged.
    Server::judge(&info, &info)?;
    let settings = settings.try_into().map_err(|_| not_redis("it has lost an answer"))?;
    Ok(Readings { info, settings, missing, open })
}

async fn setting(connection: &Arc<Connection>, name: &'static str) -> Result<String, Unread> {
    let frame = ask(connection, "CONFIG", vec!["GET".into(), name.into()]).await?;
    judge::setting(reply::texts(&frame).as_deref(), name)
}

/// Asks the server whether it would run what the scripts run, on keys of a name that nobody need have.
async fn missing_rights(shared: &Shared, session: &Session) -> Result<Vec<String>, Unread> {
    let user = shared.config.username.as_deref().unwrap_or("default");
    let name = LockName::new("preflight").map_err(|error| Unread::new(error.to_string()))?;
    let main = keys::main(&shared.config.prefix, &name);
    let auxiliary = keys::auxiliary(&main);
    let main: Value = main.into_boxed_slice().into();
    let auxiliary: Value = auxiliary.into_boxed_slice().into();
    let own = acl::main_keys(&shared.config.prefix);
    let hash: Value = session.hashes.of(Script::Inspect).clone().into();
    let mut dry_runs = vec![("EVALSHA", own.clone(), vec![hash, 1.into(), main.clone()])];
    let guards = if shared.config.restart_guard { &[keys::MARKER, keys::TOP][..] } else { &[] };
    for (command, has_value) in [("SET", true), ("GET", false)] {
        let main = (own.clone(), main.clone());
        let auxiliary = (acl::auxiliary_keys(), auxiliary.clone());
        let guards = guards.iter().map(|key| ((*key).to_owned(), (*key).into()));
        for (pattern, key) in [main, auxiliary].into_iter().chain(guards) {
            dry_runs.push((command, pattern, words(key, has_value)));
        }
    }
    for (command, has_value) in [("DEL", false), ("PTTL", false), ("PEXPIRE", true)] {
        dry_runs.push((command, own.clone(), words(main.clone(), has_value)));
    }
    let answers = join_all(dry_runs.into_iter().map(|(name, pattern, words)| async move {
        let mut all: Vec<Value> = vec!["DRYRUN".into(), user.to_owned().into(), name.into()];
        all.extend(words);
        let frame = ask(&session.connection, "ACL", all).await?;
        let answer = reply::text(&frame).ok_or_else(|| Unread::new("its answer to ACL DRYRUN is no text"))?;
        Ok(judge::missing_right(answer, name, &pattern))
    }));
    let missing: Result<Vec<_>, _> = answers.await.into_iter().collect();
    let mut missing: Vec<String> = missing?.into_iter().flatten().collect();
    missing.dedup();
    Ok(missing)
}

/// A command's key, and a value where it needs one.
fn words(key: Value, has_value: bool) -> Vec<Value> {
    [key].into_iter().chain(has_value.then(|| Value::from(1))).collect()
}

async fn default_user_is_open(connection: &Arc<Connection>) -> Result<bool, Unread> {
    let frame = ask(connection, "ACL", vec!["GETUSER".into(), "default".into()]).await?;
    // The answer has hashes of passwords: nothing of it but the flags is looked at.
    let Resp3Frame::Array { data, .. } = &frame else { return Err(Unread::new("no list of flags")) };
    let flags = data.iter().position(|item| reply::text(item) == Some("flags"));
    let flags = flags.and_then(|at| reply::texts(data.get(at + 1)?));
    let flags = flags.ok_or_else(|| Unread::new("its answer to ACL GETUSER has no flags"))?;
    Ok(flags.contains(&"nopass") && flags.contains(&"on"))
}

async fn ask(
    connection: &Arc<Connection>,
    name: &'static str,
    arguments: Vec<Value>,
) -> Result<Resp3Frame, Unread> {
    command(connection, name, arguments).await.map_err(|failure| judge::unread(&failure.detail))
}
