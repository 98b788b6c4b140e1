//! Looks at a server's memory, and changes its marker.

use std::sync::Arc;
use std::time::Duration;

use fred::bytes_utils::Str;
use fred::types::Value;

use super::connection::{Connection, Wish};
use super::failure::Failure;
use super::identity::Server;
use super::link::{self, Link, Memory, Session, Shared};
use super::marker;
use super::reply::Answer;
use super::scripts::Script;
use super::{RedisNode, keys, number};
use crate::node::marker_change::changed;
use crate::node::{Identity, MarkRequest, NodeError, NodeErrorKind, Standing};

/// A server is asked for its identities this often at most; its process and its marker are compared by every script.
const JUDGE_EVERY: Duration = Duration::from_secs(10);

impl RedisNode {
    /// Who the server is now. With the guard one command, and now and then more.
    pub(super) async fn look(&self, session: &Arc<Session>) -> Result<Identity, NodeError> {
        if session.memory == Memory::Unguarded {
            link::read_clock(&self.shared, &session.connection).await;
            return self.judge_again(session, None).await;
        }
        let all = vec![session.hashes.of(Script::Look).clone().into(), 0.into()];
        let looked = self.call(session, Script::Look, all, Answer::ceiling).await;
        let is_recent = self.shared.last_judged() < JUDGE_EVERY;
        match looked {
            Ok((ceiling, _)) if is_recent => Ok(Identity { ceiling, ..session.server.identity() }),
            Ok((ceiling, _)) => self.judge_again(session, ceiling).await,
            // Another process, or another memory.
            Err(error) if error.kind == NodeErrorKind::NotReady => self.judge_again(session, None).await,
            Err(error) => Err(error),
        }
    }

    async fn judge_again(&self, session: &Arc<Session>, ceiling: Option<u64>) -> Result<Identity, NodeError> {
        let server = link::judge(&session.connection).await;
        let server = server.map_err(|failure| failure.without_effect(&self.address))?;
        let must_ask = self.shared.config.trust_aof && session.memory != Memory::Unguarded;
        let durable = match must_ask {
            true => link::is_durable(&session.connection).await,
            false => Ok(session.memory.is_durable()),
        };
        let durable = durable.map_err(|failure| failure.without_effect(&self.address))?;
        // Something between us and the servers has changed the process behind the address, or its data; or an operator how it
        // writes to disk.
        if server.is_same(&session.server) && durable == session.memory.is_durable() {
            self.shared.note_judged();
        } else {
            session.connection.ask(Wish::SetUp);
        }
        Ok(Identity { ceiling, ..server.identity() })
    }

    /// Changes the marker if it is still what it was when the connection was set up, and sets the connection up anew.
    pub(super) async fn change_marker(&self, request: &MarkRequest) -> Result<Standing, NodeError> {
        let session = self.session()?;
        let (there, text, durable) = match &session.memory {
            Memory::Unguarded => return Ok(Standing::Unguarded),
            Memory::Unmarked { there, durable, .. } => (there, None, *durable),
            Memory::Marked { there, text, durable } => (there, Some(text), *durable),
        };
        let is_counted_from_marker = self.shared.protections.quarantine_from_marker();
        let past = if is_counted_from_marker { Duration::ZERO } else { session.server.uptime };
        let Some(new) = changed(request, text, past) else { return Ok(session.standing()) };
        let (born, until, lasts) = match new.times {
            Ok((born, until)) => (born.to_string(), until.to_string(), 0),
            Err(lasts) => {
                (String::new(), String::new(), u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX))
            }
        };
        let texts = [
            there.clone(),
            marker::head(new.incarnation, new.charter),
            born,
            until,
            lasts.to_string(),
            marker::floor(new.floor),
            marker::tail(durable, &session.server.run_id, &session.server.history),
            (if new.must_be_over { "1" } else { "" }).to_owned(),
        ];
        let all = arguments(session.hashes.of(Script::Mark).clone(), texts);
        // Somebody else may have been first: what counts is what is there then.
        self.call(&session, Script::Mark, all, Answer::marked).await?;
        self.set_up_again(&session).await;
        Ok(self.session()?.standing())
    }

    /// Has the connection be set up anew, and waits until it has seen the change.
    async fn set_up_again(&self, session: &Arc<Session>) {
        let mut link = self.shared.link.subscribe();
        let mut seen = Arc::clone(session);
        // A setting up that was under way may have read the marker before it was changed.
        for _ in 0..3 {
            session.connection.ask(Wish::SetUp);
            let is_new = |link: &Link| !matches!(link, Link::Up(now) if Arc::ptr_eq(now, &seen));
            // The sender lives in `self`, so that this cannot fail.
            let Ok(Link::Up(now)) = link.wait_for(is_new).await.map(|link| link.clone()) else { return };
            if now.memory != session.memory {
                return;
            }
            seen = now;
        }
    }
}

/// What EVALSHA needs to change the marker.
fn arguments(hash: Str, texts: [String; 8]) -> Vec<Value> {
    let mut all: Vec<Value> = vec![hash.into(), number(1), keys::MARKER.into()];
    all.extend(texts.map(Value::from));
    all
}

/// Has a marker go on that says that the server wrote every change to disk before it answered, where it does so still: the memory of
/// a restarted process is that of its predecessor. Notes the same about a server that does so now, or no longer. Says whether the
/// marker was changed.
pub(super) async fn carry_over(
    shared: &Shared,
    connection: &Arc<Connection>,
    server: &Server,
    memory: &Memory,
) -> Result<bool, Failure> {
    let (there, text) = match memory {
        // Data that was taken over from another server lacks what that had not sent yet.
        Memory::Unmarked { there, earlier: Some(text), durable: true }
            if text.durable && text.process != server.run_id && !server.was_promoted =>
        {
            (there, text)
        }
        Memory::Marked { there, text, durable } if text.durable != *durable => (there, text),
        _ => return Ok(false),
    };
    let mark = Script::Mark.render(&server.run_id, memory.guard(), &shared.protections);
    let hash = link::load(connection, mark).await?;
    let texts = [
        there.clone(),
        marker::head(text.marker.incarnation, &text.marker.charter),
        text.born.to_string(),
        text.marker.until.to_string(),
        "0".to_owned(),
        marker::floor(text.marker.floor),
        marker::tail(memory.is_durable(), &server.run_id, &server.history),
        String::new(),
    ];
    link::command(connection, "EVALSHA", arguments(hash, texts)).await.map(|_| true)
}
