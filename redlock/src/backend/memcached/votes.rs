//! The operations on a lock: each is a few pipelines on one connection, and each pipeline ends with a look at what is there then.
//!
//! A look reads the lock, its fencing counter and the server's marker, *behind* whatever the same pipeline has stored. A grant
//! is answered only after a look has shown the owner's token and the marker that was judged: a server that was restarted or flushed before the
//! lock was stored has no marker then, and the grant counts for nothing.
//!
//! CAS values begin anew with a restarted server, so that an old one may be that of another owner's item. Hence the owner is compared in every
//! look, and a look and the `cas` or `md` that follows it go over one connection, which is to one process.

use std::sync::Arc;
use std::time::Duration;

use super::clock::{LATEST_END, prolonged};
use super::codec::{Answer, Item, Pipeline};
use super::connection::Answered;
use super::counter::{self, Count, Counter};
use super::keys;
use super::link;
use super::shard::{Memory, Sent, Session, Shard};
use crate::id::{Instant, LockName, OwnerToken, Ttl, millis_up};
use crate::node::{
    AcquireRequest, Description, Effect, ExtendRequest, Grant, Inspection, NodeError, NodeErrorKind, OwnerId,
    RaiseRequest, Refusal, RefusalReason, ReleaseRequest, Released, Reply,
};

/// So often something is tried that somebody else changes in between.
const TRIES: usize = 16;
/// Of a request that stores no lock.
const NO_TTL: Ttl = Ttl::from_const(Ttl::MIN);

/// The names of what is kept about a lock.
struct Keys {
    main: Vec<u8>,
    auxiliary: Vec<u8>,
}

/// What was there.
struct Look {
    main: Option<Item>,
    /// `None`: not asked for, or not there.
    counter: Option<Item>,
    /// Whether the marker is the one that was judged.
    is_marked: bool,
}

/// A request that wants a vote, on its way.
struct Vote {
    shard: Arc<Shard>,
    session: Arc<Session>,
    keys: Keys,
    owner: OwnerToken,
    token: String,
    ttl: Duration,
    deadline: Instant,
    /// What becomes of the counter; `None`: nothing.
    count: Option<Count>,
    /// What the owner says of itself, kept with the counter; `None`: what it has said stays.
    said: Option<Description>,
    /// Whether anything was stored that may have taken effect.
    touched: bool,
}

impl Shard {
    fn keys(&self, name: &LockName) -> Keys {
        let main = keys::main(&self.config.prefix, name);
        Keys { auxiliary: keys::auxiliary(&main), main }
    }

    pub(super) async fn acquire(self: Arc<Self>, request: AcquireRequest) -> Result<Reply, NodeError> {
        let AcquireRequest { name, owner, ttl, deadline, fence, description } = request;
        let session = self.session()?;
        if let Some(answer) = self.may_not_grant(&session).await? {
            return Ok(answer);
        }
        let end = self.end(ttl)?;
        let count = fence.map(|fence| Count::up(fence, ttl.get()));
        let keys = self.keys(&name);
        let mut vote = Vote::new(self, session, keys, owner, ttl, deadline, count);
        vote.said = description;
        if vote.is_late() {
            return Ok(refused(RefusalReason::Stale, None));
        }
        let (added, mut look) = vote.add(end).await?;
        if !look.is_marked {
            return vote.take_back(look.main).await;
        }
        match vote.owned(&look) {
            Owned::Ours => {}
            // It was gone at once: it ran after its end.
            Owned::Nobodys if added => return Ok(refused(RefusalReason::Stale, None)),
            Owned::Nobodys => return Ok(refused(RefusalReason::Held, None)),
            Owned::Others(refusal) => return Ok(refusal),
        }
        if !added {
            // A repetition. It must not take back what an extension has given meanwhile.
            look = match vote.prolong(look, end).await? {
                Ok(look) => look,
                Err(refusal) => return Ok(refusal),
            };
        }
        vote.finish(look).await
    }

    pub(super) async fn extend(self: Arc<Self>, request: ExtendRequest) -> Result<Reply, NodeError> {
        let ExtendRequest { name, owner, ttl, deadline, fence, restore, description } = request;
        let session = self.session()?;
        self.may_not_prolong(&session)?;
        let end = self.end(ttl)?;
        let count = fence.map(|raise| Count::to(raise, ttl.get()));
        let keys = self.keys(&name);
        let mut vote = Vote::new(self, session, keys, owner, ttl, deadline, count);
        vote.said = description;
        if vote.is_late() {
            return Ok(refused(RefusalReason::Stale, None));
        }
        let mut look = vote.look(Pipeline::new(), 0).await?.1;
        if restore && look.is_marked && look.main.is_none() {
            let (added, seen) = vote.add(end).await?;
            if !seen.is_marked {
                return vote.take_back(seen.main).await;
            }
            match vote.owned(&seen) {
                Owned::Ours if added => return vote.finish(seen).await,
                Owned::Nobodys if added => return Ok(refused(RefusalReason::Stale, None)),
                _ => look = seen,
            }
        }
        match vote.prolong(look, end).await? {
            Ok(look) => vote.finish(look).await,
            Err(refusal) => Ok(refusal),
        }
    }

    pub(super) async fn raise(self: Arc<Self>, request: RaiseRequest) -> Result<Reply, NodeError> {
        let RaiseRequest { name, owner, ttl, deadline, fence } = request;
        let session = self.session()?;
        self.may_not_prolong(&session)?;
        let keys = self.keys(&name);
        let count = Some(Count::to(fence, ttl.get()));
        let mut vote = Vote::new(self, session, keys, owner, ttl, deadline, count);
        if vote.is_late() {
            return Ok(refused(RefusalReason::Stale, None));
        }
        let look = vote.look(Pipeline::new(), 0).await?.1;
        match vote.refusal(&look)? {
            Some(refusal) => Ok(refusal),
            None => vote.finish(look).await,
        }
    }

    pub(super) async fn release(self: Arc<Self>, request: ReleaseRequest) -> Result<Released, NodeError> {
        let ReleaseRequest { name, owner, unsettled } = request;
        let (session, keys) = (self.session()?, self.keys(&name));
        let sent = unsettled.and_then(|_| self.never_answered(&owner));
        let mut vote = Vote::new(self, session, keys, owner, NO_TTL, Instant::default(), None);
        let mut was_held = None;
        for _ in 0..TRIES {
            let look = vote.look(Pipeline::new(), 0).await?.1;
            let item = match (vote.owned(&look), look.main) {
                (Owned::Ours, Some(item)) => item,
                (Owned::Others(_), Some(item)) if !vote.shard.protections.release_owner_check() => item,
                _ => {
                    was_held = Some(false);
                    break;
                }
            };
            match vote.delete(item.cas).await? {
                Answer::Deleted => {
                    was_held = Some(true);
                    break;
                }
                // Changed by a request of its own that has run in between, or gone.
                Answer::Changed | Answer::Missing => {}
                _ => return Err(vote.nonsense()),
            }
        }
        let was_held = was_held.ok_or_else(|| vote.restless())?;
        let settled = match sent {
            None => true,
            Some(sent) => {
                let shown = vote.shown_time(sent).await?;
                sent.is_over(&vote.session, shown)
            }
        };
        if settled && sent.is_some() {
            vote.shard.answered(&vote.owner);
        }
        Ok(Released::new(was_held, settled))
    }

    pub(super) async fn inspect(self: Arc<Self>, name: LockName) -> Result<Inspection, NodeError> {
        let (session, keys) = (self.session()?, self.keys(&name));
        let nobody = OwnerToken::from_bytes([0; OwnerToken::BYTES]);
        let mut vote = Vote::new(self, session, keys, nobody, NO_TTL, Instant::default(), None);
        let mut pipeline = Pipeline::new();
        pipeline.get(&vote.keys.main);
        pipeline.get(&vote.keys.auxiliary);
        let answered = vote.run(pipeline).await?;
        let [main, counter] = answered.answers.as_slice() else { return Err(vote.nonsense()) };
        let (main, counter) = (vote.item(main)?, vote.item(counter)?);
        let remaining = main.as_ref().and_then(remaining);
        let counter = Counter::read(counter.as_ref()).map_err(|()| vote.no_counter())?;
        let look = Inspection::new(main.is_some(), remaining)
            .with_counter(Some(counter.value).filter(|&value| value > 0));
        Ok(match main {
            Some(item) => {
                let owner = item.value.as_deref().unwrap_or_default();
                look.of_owner(OwnerId::of_stored(owner), counter.said_by(owner).cloned())
            }
            None => look,
        })
    }

    /// Why the server gives nothing new now.
    async fn may_not_grant(&self, session: &Session) -> Result<Option<Reply>, NodeError> {
        self.may_not_prolong(session)?;
        let Memory::Marked { there, text } = &session.memory else { return Ok(None) };
        if text.marker.floor.is_some() {
            return Ok(None);
        }
        // Somebody may have ended the quarantine since the marker was read.
        let mut pipeline = Pipeline::new();
        pipeline.get(keys::MARKER);
        let answered =
            self.run(session, pipeline).await.map_err(|error| NodeError { effect: Effect::None, ..error })?;
        match answered.answers.as_slice() {
            [Answer::Item(item)] if item.value.as_ref() == Some(there) => {
                let now = self.clock().at(self.env.now());
                let left = Duration::from_micros(text.marker.until.saturating_sub(now));
                Ok(Some(refused(RefusalReason::Quarantined, Some(left))))
            }
            [Answer::Item(_) | Answer::Missing] => Err(self.unmarked(session, Effect::None)),
            _ => Err(self.nonsense(session)),
        }
    }

    /// A server without a marker of its memory gives nothing at all.
    fn may_not_prolong(&self, session: &Session) -> Result<(), NodeError> {
        match &session.memory {
            Memory::Unmarked { .. } if self.protections.marker_check() => {
                Err(self.unmarked(session, Effect::None))
            }
            _ => Ok(()),
        }
    }
}

/// Whose a lock is.
enum Owned {
    Ours,
    Nobodys,
    /// Why it is refused.
    Others(Reply),
}

impl Vote {
    fn new(
        shard: Arc<Shard>,
        session: Arc<Session>,
        keys: Keys,
        owner: OwnerToken,
        ttl: Ttl,
        deadline: Instant,
        count: Option<Count>,
    ) -> Self {
        let token = owner.to_hex();
        Self {
            shard,
            session,
            keys,
            owner,
            token,
            ttl: ttl.get(),
            deadline,
            count,
            said: None,
            touched: false,
        }
    }

    /// An end as it is sent. Without the safeguard it is relative, and so counts from when the request runs.
    fn sent_end(&self, end: u64) -> u64 {
        if self.shard.protections.stale_deadline() { end } else { millis_up(self.ttl).div_ceil(1_000) }
    }

    fn is_late(&self) -> bool {
        self.shard.protections.stale_deadline() && self.shard.env.now() > self.deadline
    }

    async fn run(&mut self, pipeline: Pipeline) -> Result<Answered, NodeError> {
        let result = self.shard.run(&self.session, pipeline).await;
        // What an earlier pipeline has stored is there whatever becomes of this one.
        result.map_err(|error| match self.touched {
            true => NodeError { effect: Effect::Unknown, ..error },
            false => error,
        })
    }

    /// Sends a pipeline with `expected` answers and a look behind it.
    async fn look(
        &mut self,
        mut pipeline: Pipeline,
        expected: usize,
    ) -> Result<(Vec<Answer>, Look), NodeError> {
        pipeline.get(&self.keys.main);
        if self.count.is_some() {
            pipeline.get(&self.keys.auxiliary);
        }
        let is_guarded = self.session.memory != Memory::Unguarded;
        if is_guarded {
            pipeline.get(keys::MARKER);
        }
        let answered = self.run(pipeline).await?;
        let wanted = expected + 1 + usize::from(self.count.is_some()) + usize::from(is_guarded);
        if answered.answers.len() != wanted {
            return Err(self.nonsense());
        }
        let looked = answered.answers.get(expected..).unwrap_or_default();
        let items: Vec<Option<Item>> =
            looked.iter().map(|answer| self.item(answer)).collect::<Result<_, _>>()?;
        let mut items = items.into_iter();
        let main = items.next().flatten();
        let counter = if self.count.is_some() { items.next().flatten() } else { None };
        let marker = items.next().flatten();
        let is_marked = match (&self.session.memory, marker) {
            (Memory::Marked { there, .. }, Some(marker)) if marker.value.as_ref() == Some(there) => {
                // Its end is known, and so what it has left shows the server's time.
                if let Some(left) = marker.left {
                    self.shard.note_time(LATEST_END.saturating_sub(left), &answered);
                }
                true
            }
            (Memory::Unguarded, _) => true,
            _ => !self.shard.protections.marker_check(),
        };
        let mut answers = answered.answers;
        answers.truncate(expected);
        Ok((answers, Look { main, counter, is_marked }))
    }

    /// What the server's clock shows, at least: asked for where it matters to a request that was sent on an earlier connection.
    async fn shown_time(&mut self, sent: Sent) -> Result<u64, NodeError> {
        let known = self.shard.clock().least();
        if sent.is_over(&self.session, known) {
            return Ok(known);
        }
        let mut pipeline = Pipeline::new();
        pipeline.stats("");
        let answered = self.run(pipeline).await?;
        let [Answer::Stats(stats)] = answered.answers.as_slice() else { return Err(self.nonsense()) };
        let shown = link::time(stats).ok_or_else(|| self.nonsense())?;
        self.shard.note_time(shown, &answered);
        Ok(shown)
    }

    fn item(&self, answer: &Answer) -> Result<Option<Item>, NodeError> {
        match answer {
            Answer::Item(item) => Ok(Some(item.clone())),
            Answer::Missing => Ok(None),
            _ => Err(self.nonsense()),
        }
    }

    /// Stores the lock unless somebody has it; says whether it did.
    async fn add(&mut self, end: u64) -> Result<(bool, Look), NodeError> {
        let mut pipeline = Pipeline::new();
        pipeline.add(&self.keys.main, &self.token, self.sent_end(end));
        // Before it is sent: should this be dropped on the way, it is remembered.
        self.shard.asked(&self.owner, &self.session, end);
        let result = self.look(pipeline, 1).await;
        match &result {
            Err(error) if error.effect == Effect::Unknown => {}
            _ => self.shard.answered(&self.owner),
        }
        let (answers, look) = result?;
        match answers.as_slice() {
            [Answer::Stored] => {
                self.touched = true;
                Ok((true, look))
            }
            [Answer::NotStored] => Ok((false, look)),
            [Answer::Refused(_)] if look.main.is_none() => Err(self.shard.full(Effect::None)),
            [Answer::Refused(_)] => Ok((false, look)),
            _ => Err(self.nonsense()),
        }
    }

    fn owned(&self, look: &Look) -> Owned {
        match &look.main {
            None => Owned::Nobodys,
            Some(item) if item.value.as_deref() == Some(self.token.as_bytes()) => Owned::Ours,
            Some(item) => {
                let refusal = Refusal::new(RefusalReason::Held, remaining(item));
                let owner = item.value.as_deref().map(OwnerId::of_stored);
                Owned::Others(Reply::Refused(Refusal { owner, ..refusal }))
            }
        }
    }

    /// Why the owner does not have the lock in a memory that was judged; `None`: it does.
    fn refusal(&self, look: &Look) -> Result<Option<Reply>, NodeError> {
        if !look.is_marked {
            let effect = if self.touched { Effect::Unknown } else { Effect::None };
            return Err(self.shard.unmarked(&self.session, effect));
        }
        Ok(match self.owned(look) {
            Owned::Ours => None,
            Owned::Nobodys => Some(refused(RefusalReason::Missing, None)),
            Owned::Others(refusal) => Some(refusal),
        })
    }

    /// Has the lock live until `end` at least. `Err`: the owner does not have it.
    async fn prolong(&mut self, mut look: Look, end: u64) -> Result<Result<Look, Reply>, NodeError> {
        for _ in 0..TRIES {
            let is_taken_over =
                !self.shard.protections.extend_owner_check() && matches!(self.owned(&look), Owned::Others(_));
            match self.refusal(&look)? {
                Some(refusal) if !is_taken_over => return Ok(Err(refusal)),
                _ => {}
            }
            let Some(item) = &look.main else { return Ok(Err(refused(RefusalReason::Missing, None))) };
            let (least, most) = {
                let clock = self.shard.clock();
                (clock.least(), clock.most(self.shard.env.now()))
            };
            let end = if self.shard.protections.never_shorten() {
                match prolonged(item.left, end, least, most) {
                    Some(end) => end,
                    None => return Ok(Ok(look)),
                }
            } else {
                end
            };
            if self.is_late() {
                return Ok(Err(refused(RefusalReason::Stale, None)));
            }
            let mut pipeline = Pipeline::new();
            let value =
                item.value.as_deref().and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
            pipeline.swap(&self.keys.main, value, self.sent_end(end), item.cas);
            let (answers, seen) = self.look(pipeline, 1).await?;
            match answers.as_slice() {
                [Answer::Stored] => {
                    self.touched = true;
                    return Ok(match self.refusal(&seen)? {
                        Some(refusal) if !is_taken_over => Err(refusal),
                        _ => Ok(seen),
                    });
                }
                [Answer::Changed | Answer::Missing] => look = seen,
                [Answer::Refused(_)] => return Err(self.shard.full(Effect::None)),
                _ => return Err(self.nonsense()),
            }
        }
        Err(self.restless())
    }

    /// Sees to the fencing counter, and grants.
    ///
    /// Lock and counter are two items, and no transaction holds them together. It needs none: the counter is changed by `cas` alone and only
    /// upwards; it is counted after the lock was stored and while a look has just shown that the owner has it; and the grant is answered only
    /// when the new value is stored. Who comes later begins with a lock that was stored later, and so reads that value or a greater one. A `cas`
    /// that comes so late that the next owner has counted already fails by its CAS value, and is not repeated, since the look then
    /// shows another owner. One that comes between the end of the lock and the next owner's look raises the counter before that owner
    /// reads it; its own answer comes after the end of the validity, and counts for nothing.
    async fn finish(&mut self, mut look: Look) -> Result<Reply, NodeError> {
        let Some(count) = self.count else { return Ok(self.granted(None)) };
        for _ in 0..TRIES {
            let counter = Counter::read(look.counter.as_ref()).map_err(|()| self.no_counter())?;
            let now = self.shard.clock().at(self.shard.env.now());
            let left = look.counter.as_ref().and_then(remaining).unwrap_or_default();
            let (floor, protections) = (self.session.floor(), &self.shard.protections);
            let Some(next) = count.next(&counter, left, &self.token, now, floor, protections) else {
                return self.give_up_exhausted(look).await;
            };
            let known = counter.said_by(self.token.as_bytes());
            let said = self.said.as_ref().or(known);
            if next.is_there && said == known {
                return Ok(self.granted(Some(next.value)));
            }
            if self.is_late() {
                let detail = "the request's deadline passed before its fencing counter was stored";
                return Err(NodeError::with_unknown_effect(&self.shard.node, NodeErrorKind::Timeout, detail));
            }
            counter::note_top(&self.shard, &self.session, next.value).await?;
            // One that is stored for what is said alone ends no sooner.
            let end = self.shard.end_of_counter(count.stored_for(next.value, now).max(left));
            let text = counter::text(next.value, &self.token, said);
            let mut pipeline = Pipeline::new();
            match &look.counter {
                Some(item) => pipeline.swap(&self.keys.auxiliary, &text, end, item.cas),
                None => pipeline.add(&self.keys.auxiliary, &text, end),
            }
            let (answers, seen) = self.look(pipeline, 1).await?;
            match answers.as_slice() {
                [Answer::Stored] => {
                    return match self.refusal(&seen)? {
                        Some(refusal) => Ok(refusal),
                        None => Ok(self.granted(Some(next.value))),
                    };
                }
                [Answer::NotStored | Answer::Changed | Answer::Missing] => {
                    if let Some(refusal) = self.refusal(&seen)? {
                        return Ok(refusal);
                    }
                    look = seen;
                }
                [Answer::Refused(_)] => {
                    let effect = if self.touched { Effect::Unknown } else { Effect::None };
                    return Err(self.shard.full(effect));
                }
                _ => return Err(self.nonsense()),
            }
        }
        Err(self.restless())
    }

    fn granted(&self, counter: Option<u64>) -> Reply {
        let grant = counter.map_or_else(Grant::default, Grant::with_counter);
        // Several servers have several memories, which a node cannot tell by one number.
        let memory = self.session.incarnation().filter(|_| !self.shard.config.is_sharded());
        Reply::Granted(grant.in_memory(memory).under(self.session.charter()))
    }

    /// No token can be had: what this request has stored is taken away again.
    async fn give_up_exhausted(&mut self, look: Look) -> Result<Reply, NodeError> {
        if self.touched
            && let Some(item) = look.main
        {
            self.delete(item.cas).await?;
        }
        Ok(refused(RefusalReason::Exhausted, None))
    }

    /// The lock was stored in a memory that nobody has judged: it is taken away again.
    async fn take_back(&mut self, main: Option<Item>) -> Result<Reply, NodeError> {
        let ours = main.filter(|item| item.value.as_deref() == Some(self.token.as_bytes()));
        let effect = match ours {
            None => Effect::None,
            Some(item) => match self.delete(item.cas).await? {
                Answer::Deleted | Answer::Missing => Effect::None,
                _ => Effect::Unknown,
            },
        };
        Err(self.shard.unmarked(&self.session, effect))
    }

    async fn delete(&mut self, cas: u64) -> Result<Answer, NodeError> {
        let mut pipeline = Pipeline::new();
        pipeline.delete(&self.keys.main, cas);
        self.touched = true;
        let mut answers = self.run(pipeline).await?.answers;
        answers.pop().ok_or_else(|| self.nonsense())
    }

    fn nonsense(&self) -> NodeError {
        self.shard.nonsense(&self.session)
    }

    /// Somebody changes it all the time.
    fn restless(&self) -> NodeError {
        let detail = "it was changed by others each time between a look and the change";
        NodeError::with_unknown_effect(&self.shard.node, NodeErrorKind::NotReady, detail)
    }

    fn no_counter(&self) -> NodeError {
        let key = String::from_utf8_lossy(&self.keys.auxiliary).into_owned();
        let detail = format!("the fencing counter is no whole number below 2^53; delete {key}");
        NodeError::with_unknown_effect(&self.shard.node, NodeErrorKind::WrongType, detail)
    }
}

fn remaining(item: &Item) -> Option<Duration> {
    item.left.map(Duration::from_secs)
}

fn refused(reason: RefusalReason, remaining: Option<Duration>) -> Reply {
    Reply::Refused(Refusal::new(reason, remaining))
}
