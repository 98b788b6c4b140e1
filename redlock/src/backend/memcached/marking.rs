//! Looks at a server's memory, and changes its marker.

use std::sync::Arc;
use std::time::Duration;

use super::MemcachedNode;
use super::clock::LATEST_END;
use super::codec::{Answer, Pipeline};
use super::connection::Wish;
use super::shard::{Link, Memory, Session, Shard};
use super::{counter, keys, link};
use crate::node::marker_change::changed;
use crate::node::marker_text as marker;
use crate::node::{Effect, Identity, MarkRequest, NodeError, Standing};

impl Shard {
    /// Who the server is now.
    pub(super) async fn look(&self, session: &Session) -> Result<Identity, NodeError> {
        let is_guarded = session.memory != Memory::Unguarded;
        let mut pipeline = Pipeline::new();
        pipeline.stats("");
        if is_guarded {
            pipeline.get(keys::MARKER);
            pipeline.get(keys::TOP);
        }
        // It changes nothing.
        let answered =
            self.run(session, pipeline).await.map_err(|error| NodeError { effect: Effect::None, ..error })?;
        let [Answer::Stats(stats), rest @ ..] = answered.answers.as_slice() else {
            return Err(self.nonsense(session));
        };
        let shown = link::time(stats).ok_or_else(|| self.nonsense(session))?;
        self.note_time(shown, &answered);
        let ceiling = match rest {
            [] => None,
            [marker, top] => {
                let there = item(marker);
                let is_same = match &session.memory {
                    Memory::Unguarded => true,
                    Memory::Unmarked { there: known, .. } => {
                        there.map(|item| item.value.clone().unwrap_or_default()) == *known
                    }
                    Memory::Marked { there: known, .. } => {
                        there.is_some_and(|item| item.value.as_ref() == Some(known))
                    }
                };
                if !is_same {
                    session.connection.ask(Wish::SetUp);
                }
                is_same.then(|| counter::ceiling(shown, counter::noted(item(top)), session.floor()))
            }
            _ => return Err(self.nonsense(session)),
        };
        let mut identity =
            Identity { version: Some(session.version.clone()), ceiling, ..Identity::default() };
        identity.instance = session.id.clone();
        Ok(identity)
    }

    /// Has the marker be read anew, and waits until the change is seen.
    async fn set_up_again(&self, session: &Arc<Session>) {
        let mut link = self.link.subscribe();
        let mut seen = Arc::clone(session);
        // One that was under way may have read the marker before it was changed.
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

    /// Changes the marker if it is still what it was when it was read.
    pub(super) async fn change_marker(&self, request: &MarkRequest) -> Result<Standing, NodeError> {
        let session = self.session()?;
        let (known, text) = match &session.memory {
            Memory::Unguarded => return Ok(Standing::Unguarded),
            Memory::Unmarked { there, .. } => (there.clone(), None),
            Memory::Marked { there, text } => (Some(there.clone()), Some(text)),
        };
        let past = if self.protections.quarantine_from_marker() {
            Duration::ZERO
        } else {
            Duration::from_secs(self.clock().least().saturating_sub(session.process.started))
        };
        let Some(new) = changed(request, text, past) else { return Ok(session.standing()) };
        let mut pipeline = Pipeline::new();
        pipeline.stats("");
        pipeline.get(keys::MARKER);
        let answered = self.run(&session, pipeline).await?;
        let [Answer::Stats(stats), marker] = answered.answers.as_slice() else {
            return Err(self.nonsense(&session));
        };
        let shown = link::time(stats).ok_or_else(|| self.nonsense(&session))?;
        self.note_time(shown, &answered);
        let there = item(marker);
        let is_over = |until| shown.saturating_mul(1_000_000) >= until;
        if new.must_be_over && !text.is_some_and(|text| is_over(text.marker.until)) {
            return Ok(session.standing());
        }
        if there.map(|item| item.value.clone().unwrap_or_default()) == known {
            let (born, until) = new.times.unwrap_or_else(|lasts| {
                let (born, now) = {
                    let clock = self.clock();
                    let now = self.env.now();
                    // The end counts from a time that the server's clock has not passed yet.
                    (clock.at(now), clock.most(now).saturating_mul(1_000_000))
                };
                let lasts = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
                (born, if lasts == 0 { born } else { now.saturating_add(lasts) })
            });
            let text = format!(
                "{} {born} {until} {} {}",
                marker::head(new.incarnation, new.charter),
                marker::floor(new.floor),
                marker::tail(false, &link::process_text(session.process), "-"),
            );
            let mut pipeline = Pipeline::new();
            match there {
                Some(item) => pipeline.swap(keys::MARKER, &text, LATEST_END, item.cas),
                None => pipeline.add(keys::MARKER, &text, LATEST_END),
            }
            // Somebody else may have been first: what counts is what is there then.
            match self.run(&session, pipeline).await?.answers.as_slice() {
                [Answer::Stored | Answer::NotStored | Answer::Changed | Answer::Missing] => {}
                [Answer::Refused(_)] => return Err(self.full(Effect::None)),
                _ => return Err(self.nonsense(&session)),
            }
        }
        self.set_up_again(&session).await;
        Ok(self.session()?.standing())
    }
}

fn item(answer: &Answer) -> Option<&super::codec::Item> {
    match answer {
        Answer::Item(item) => Some(item),
        _ => None,
    }
}

impl MemcachedNode {
    /// The one server of a node that has no more.
    pub(super) fn only(&self) -> Option<&Arc<Shard>> {
        match self.shards.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
