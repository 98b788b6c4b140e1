//! Acquire, extend and raise: a look at the name, and one transaction that takes effect only if all is as it was seen.

use std::sync::Arc;
use std::time::Duration;

use zookeeper_client::{CreateMode, Error, MultiWriter};

use super::failure::{Failure, is_conflict};
use super::opening::number;
use super::paths::Place;
use super::record::{Counter, Holder};
use super::session::{Seen, SeenLock, Session};
use super::shared::Shared;
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::fence::{keep_for, next_counter};
use crate::node::{
    Description, Fence, Grant, NodeError, NodeErrorKind, OwnerId, Raise, Refusal, RefusalReason, Reply,
};

/// How often others may get in between.
const TRIES: usize = 8;
/// What is added to a TTL for the way of the answer.
const ANSWERED_WITHIN: Duration = Duration::from_millis(200);
/// How far the bound of all counters is set ahead, in counts: then it need not be set with every lock.
const TOP_LEAD: u64 = 60_000_000;

/// What is wanted of a name.
pub(super) struct Wish {
    pub(super) name: LockName,
    pub(super) owner: OwnerToken,
    pub(super) ttl: Ttl,
    pub(super) deadline: Instant,
    /// `None`: what was said before stays.
    pub(super) said: Option<Description>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Acquire(Option<Fence>),
    Extend { fence: Option<Raise>, restore: bool },
    Raise(Raise),
}

/// What is to become of the counter.
#[derive(Clone, Copy)]
enum Count {
    /// It stays as it is.
    Leave,
    /// It stands there, and is kept for so long from now on.
    At { value: u64, keep: Duration },
}

impl Wish {
    pub(super) async fn carry_out(self, shared: &Shared) -> Result<Reply, NodeError> {
        let session = shared.session().await?;
        shared.check_ttl(&session, self.ttl.get())?;
        let place = shared.tree.name(&self.name);
        for _ in 0..TRIES {
            let seen = session.look(&place).await.map_err(|error| shared.failed(error))?;
            if let Some(refusal) = self.refusal(shared, &seen) {
                if !matches!(self.kind, Kind::Raise(_)) {
                    // Whatever was asked for before has been run, or never will be.
                    shared.leases.forget(&self.name, self.owner);
                }
                return refusal;
            }
            let (base, swept) = self.base(shared, &session, &seen).await?;
            let Some(count) = self.count(shared, base, seen.lock.is_some()) else {
                return Ok(Reply::Refused(Refusal::new(RefusalReason::Exhausted, None)));
            };
            if !matches!(self.kind, Kind::Raise(_)) {
                session.prove(self.ttl.get().saturating_add(ANSWERED_WITHIN)).await;
            }
            if shared.protections.stale_deadline() && shared.env.now() > self.deadline {
                return Ok(Reply::Refused(Refusal::new(RefusalReason::Stale, None)));
            }
            if let Some(reply) = self.write(shared, &session, &place, &seen, count, swept).await? {
                return Ok(reply);
            }
        }
        let detail = format!("others have changed the name {TRIES} times in a row");
        Err(shared.error(NodeErrorKind::NotReady, detail))
    }

    /// Who else has it, if anybody.
    fn refusal(&self, shared: &Shared, seen: &Seen) -> Option<Result<Reply, NodeError>> {
        let refused = |reason, left| Some(Ok(Reply::Refused(Refusal::new(reason, left))));
        let may_create = matches!(self.kind, Kind::Acquire(_) | Kind::Extend { restore: true, .. });
        match &seen.lock {
            None if may_create => None,
            None => refused(RefusalReason::Missing, None),
            Some(SeenLock { holder: None, .. }) => Some(Err(wrong_type(shared))),
            Some(SeenLock { holder: Some(holder), .. }) if self.is_ours(shared, holder) => None,
            Some(lock @ SeenLock { holder: Some(holder), .. }) => {
                let refusal = Refusal::new(RefusalReason::Held, left(shared, lock));
                Some(Ok(Reply::Refused(refusal.of_owner(OwnerId::of_stored(holder.owner.as_bytes())))))
            }
        }
    }

    fn is_ours(&self, shared: &Shared, holder: &Holder) -> bool {
        let unchecked = matches!(self.kind, Kind::Extend { .. }) && !shared.protections.extend_owner_check();
        holder.owner == self.owner.to_hex() || unchecked
    }

    /// What the counter counts on from, and the version of the znode that keeps what removed counters had, if the name's own
    /// is not there.
    async fn base(
        &self,
        shared: &Shared,
        session: &Session,
        seen: &Seen,
    ) -> Result<(u64, Option<i32>), NodeError> {
        match &seen.counter {
            Some((Counter { value, .. }, _)) if *value > 0 => Ok((*value, None)),
            counter => {
                let swept = session.client.get_data(&shared.tree.swept()).await;
                let (data, stat) = swept.map_err(|error| shared.failed(error))?;
                Ok((number(&data), counter.is_none().then_some(stat.version)))
            }
        }
    }

    /// `None`: the counter is at its end.
    fn count(&self, shared: &Shared, base: u64, is_again: bool) -> Option<Count> {
        let now = shared.leader_micros();
        let at = |value, retention| {
            Some(Count::At { value, keep: keep_for(value, now, self.ttl.get(), retention) })
        };
        match &self.kind {
            Kind::Acquire(Some(fence)) => {
                let stays = is_again && base > 0 && shared.protections.fence_once();
                let value = if stays { base } else { next_counter(base, fence, now, &shared.protections)? };
                at(value, fence.retention)
            }
            Kind::Extend { fence: Some(raise), .. } | Kind::Raise(raise) => {
                at(base.max(raise.to), raise.retention)
            }
            Kind::Acquire(None) | Kind::Extend { fence: None, .. } => Some(Count::Leave),
        }
    }

    /// `None`: something else was there than what was seen.
    async fn write(
        &self,
        shared: &Shared,
        session: &Arc<Session>,
        place: &Place,
        seen: &Seen,
        count: Count,
        swept: Option<i32>,
    ) -> Result<Option<Reply>, NodeError> {
        let ttl = self.ttl.get();
        let creates = seen.lock.is_none();
        // Of a lock that is created now only what an earlier try of this request has noted can be known.
        let known = shared.leases.end(&self.name, self.owner).filter(|_| !creates);
        // Before it is asked for: should the answer never come, the lock ends all the same.
        if creates {
            shared.leases.keep(&self.name, self.owner, self.deadline.saturating_add(ttl));
        }
        let top = match count {
            Count::At { value, .. } if value > shared.top() => self.top(shared, session, value).await?,
            _ => None,
        };
        let sent = shared.env.now();
        let lives_until = session.lives_until(sent);
        let transaction = self.transaction(shared, session, place, seen, count, swept, top);
        let mut writer = transaction.map_err(|error| shared.failed(error))?;
        match writer.commit().await.map_err(Error::from) {
            Ok(results) => shared.saw_results(&results, sent),
            Err(error) if is_conflict(&error) => return Ok(None),
            Err(error) => return Err(Failure::from(error).of_write(&shared.address)),
        }
        if let Some((_, value)) = top {
            shared.saw_top(value);
        }
        let now = shared.env.now();
        shared.used.note(&self.name, now, ttl, count.keep());
        let grant = match count {
            Count::At { value, .. } => Grant::with_counter(value),
            Count::Leave => Grant::default(),
        };
        if matches!(self.kind, Kind::Raise(_)) {
            return Ok(Some(Reply::Granted(grant)));
        }
        let end = now.saturating_add(ttl);
        shared.leases.set(&self.name, self.owner, known.map_or(end, |known| known.max(end)));
        if lives_until < end {
            let detail = "the answer came so late that the session may end before the TTL";
            return Err(NodeError::with_unknown_effect(&shared.address, NodeErrorKind::NotReady, detail));
        }
        Ok(Some(Reply::Granted(grant)))
    }

    /// A new bound of all counters, with the version of the old one; `None`: it need not be moved.
    async fn top(
        &self,
        shared: &Shared,
        session: &Session,
        value: u64,
    ) -> Result<Option<(i32, u64)>, NodeError> {
        let found = session.client.get_data(&shared.tree.top()).await;
        let (data, stat) = found.map_err(|error| shared.failed(error))?;
        shared.saw_top(number(&data));
        Ok((value > shared.top()).then(|| (stat.version, value.saturating_add(TOP_LEAD))))
    }

    #[expect(clippy::too_many_arguments, reason = "all that a transaction consists of")]
    fn transaction<'a>(
        &self,
        shared: &Shared,
        session: &'a Session,
        place: &Place,
        seen: &Seen,
        count: Count,
        swept: Option<i32>,
        top: Option<(i32, u64)>,
    ) -> Result<MultiWriter<'a>, Error> {
        let mut writer = session.begin()?;
        if let Some(version) = swept {
            // Another counter may have been removed, this name's too.
            writer.add_check_version(&shared.tree.swept(), version)?;
        }
        if let Some((version, top)) = top {
            writer.add_set_data(&shared.tree.top(), top.to_string().as_bytes(), Some(version))?;
        }
        let counter = match count {
            Count::At { value, keep } => {
                let keep_until =
                    Duration::from_micros(shared.leader_micros()).saturating_add(keep).as_millis();
                let keep_until = u64::try_from(keep_until).unwrap_or(u64::MAX);
                let known = seen.counter.map_or(0, |(counter, _)| counter.keep_until);
                Some(Counter { value, keep_until: keep_until.max(known) })
            }
            Count::Leave => None,
        };
        match (seen.counter, counter) {
            (Some((_, version)), Some(counter)) => {
                writer.add_set_data(&place.name, counter.text().as_bytes(), Some(version))?;
            }
            (Some((_, version)), None) => writer.add_check_version(&place.name, version)?,
            (None, counter) => {
                let text = counter.unwrap_or_default().text();
                writer.add_create(&place.name, text.as_bytes(), &session.options(CreateMode::Persistent))?;
            }
        }
        match &seen.lock {
            Some(lock) if matches!(self.kind, Kind::Raise(_)) => {
                check_holder(&mut writer, shared, session, lock)?;
                writer.add_check_version(&place.lock, lock.version)?;
            }
            lock => self.add_lock(&mut writer, shared, session, place, lock.as_ref())?,
        }
        Ok(writer)
    }

    /// The lock, in this session, for the TTL and for what it had been given before.
    fn add_lock(
        &self,
        writer: &mut MultiWriter<'_>,
        shared: &Shared,
        session: &Session,
        place: &Place,
        lock: Option<&SeenLock>,
    ) -> Result<(), Error> {
        let known = shared.leases.end(&self.name, self.owner).filter(|_| lock.is_some());
        let left = known.map_or(Duration::ZERO, |end| end.saturating_since(shared.env.now()));
        let before = lock.and_then(|lock| lock.holder.as_ref()?.said.as_ref());
        let said = self.said.as_ref().or(before).cloned();
        let holder = Holder::new(&self.owner, self.ttl.get().max(left), &session.id, said);
        let text = holder.text();
        let options = session.options(CreateMode::Ephemeral);
        let Some(lock) = lock else { return writer.add_create(&place.lock, text.as_bytes(), &options) };
        if lock.is_of(session) {
            return writer.add_set_data(&place.lock, text.as_bytes(), Some(lock.version));
        }
        // It would end with the session that created it: it moves into this one, without a moment in between.
        check_holder(writer, shared, session, lock)?;
        writer.add_delete(&place.lock, Some(lock.version))?;
        writer.add_create(&place.lock, text.as_bytes(), &options)
    }
}

/// Of another session, a lock is still the one that was seen only as long as that session lives: once it has ended, somebody else's may be
/// there with the same version.
pub(super) fn check_holder(
    writer: &mut MultiWriter<'_>,
    shared: &Shared,
    session: &Session,
    lock: &SeenLock,
) -> Result<(), Error> {
    const ANY: i32 = -1;
    match &lock.holder {
        Some(holder) if holder.session != session.id => {
            writer.add_check_version(&shared.tree.session(&holder.session), ANY)
        }
        _ => Ok(()),
    }
}

/// How long the lock lasts if nobody does anything; `None` where the TTL is over, and the session of a client that has gone is
/// not.
pub(super) fn left(shared: &Shared, lock: &SeenLock) -> Option<Duration> {
    let holder = lock.holder.as_ref()?;
    let written = Duration::from_millis(u64::try_from(lock.written).ok()?);
    let now = Duration::from_micros(shared.clock()?.at(shared.env.now()));
    written.saturating_add(holder.ttl).checked_sub(now).filter(|left| !left.is_zero())
}

pub(super) fn wrong_type(shared: &Shared) -> NodeError {
    let detail =
        "the znode of the lock holds something that no lock has written; remove it, or set another prefix";
    shared.error(NodeErrorKind::WrongType, detail)
}

impl Count {
    fn keep(self) -> Duration {
        match self {
            Self::At { keep, .. } => keep,
            Self::Leave => Duration::ZERO,
        }
    }
}

impl SeenLock {
    fn is_of(&self, session: &Session) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.session == session.id)
    }
}
