//! Release, and the end of locks whose time is up.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::sync::watch;
use zookeeper_client::Error;

use super::change::{check_holder, left, wrong_type};
use super::failure::{Failure, is_conflict};
use super::session::SeenLock;
use super::shared::Shared;
use crate::id::{Instant, LockName, OwnerToken};
use crate::node::{Inspection, NodeError, NodeErrorKind, OwnerId, Released};

/// How often others may get in between.
const TRIES: usize = 8;
/// How many that are due are ended at a time.
const AT_ONCE: usize = 64;

impl Shared {
    /// Takes the name from `owner`, and says that nothing of it can come any more.
    ///
    /// That is true: what this session has asked for before is run before the look, in order, and what earlier sessions
    /// have asked for was fenced off before this one was opened.
    pub(super) async fn release(&self, name: &LockName, owner: OwnerToken) -> Result<Released, NodeError> {
        let session = self.session().await?;
        let place = self.tree.name(name);
        for _ in 0..TRIES {
            let seen = session.look(&place).await.map_err(|error| self.failed(error))?;
            let is_owners = |lock: &&SeenLock| match &lock.holder {
                Some(holder) => holder.owner == owner.to_hex() || !self.protections.release_owner_check(),
                None => false,
            };
            let Some(lock) = seen.lock.as_ref().filter(is_owners) else {
                self.leases.forget(name, owner);
                return Ok(Released::new(false, true));
            };
            let transaction = || {
                let mut writer = session.begin()?;
                check_holder(&mut writer, self, &session, lock)?;
                if let Some((_, version)) = seen.counter {
                    writer.add_check_version(&place.name, version)?;
                }
                writer.add_delete(&place.lock, Some(lock.version))?;
                Ok(writer)
            };
            let mut writer = transaction().map_err(|error| self.failed(error))?;
            match writer.commit().await.map_err(Error::from) {
                Ok(_) => {
                    self.leases.forget(name, owner);
                    return Ok(Released::new(true, true));
                }
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(Failure::from(error).of_write(&self.address)),
            }
        }
        let detail = format!("others have changed the name {TRIES} times in a row");
        Err(self.error(NodeErrorKind::NotReady, detail))
    }

    pub(super) async fn inspect(&self, name: &LockName) -> Result<Inspection, NodeError> {
        let session = self.session().await?;
        let seen = session.look(&self.tree.name(name)).await.map_err(|error| self.failed(error))?;
        let remaining = match &seen.lock {
            Some(SeenLock { holder: None, .. }) => return Err(wrong_type(self)),
            Some(lock) => left(self, lock),
            None => None,
        };
        let counter = seen.counter.map(|(counter, _)| counter.value).filter(|&value| value > 0);
        let look = Inspection::new(seen.lock.is_some(), remaining).with_counter(counter);
        Ok(match seen.lock.and_then(|lock| lock.holder) {
            Some(holder) => look.of_owner(OwnerId::of_stored(holder.owner.as_bytes()), holder.said),
            None => look,
        })
    }

    /// When a request without a deadline of its own is given up.
    pub(super) fn patience(&self) -> Instant {
        self.env.now().saturating_add(self.config.connect_timeout * 2).saturating_add(Duration::from_secs(5))
    }

    /// Ends a lock whose time is up, unless it was extended meanwhile.
    async fn end(&self, name: &LockName, owner: OwnerToken) -> Result<(), NodeError> {
        match self.leases.end(name, owner) {
            Some(end) if end <= self.env.now() => self.release(name, owner).await.map(drop),
            _ => Ok(()),
        }
    }
}

/// Ends what is neither extended nor released in time, until the node is dropped: the session, and with it the znodes, would live on.
///
/// The holder's validity was counted from before its request was sent, and on this same clock: it is over by then.
pub(super) async fn end_in_time(shared: Arc<Shared>, mut closed: watch::Receiver<()>) {
    loop {
        let now = shared.env.now();
        let (mut due, next) = shared.leases.due(now);
        if due.is_empty() {
            let next = next.unwrap_or(Instant::from_nanos(u64::MAX));
            let changed = std::pin::pin!(shared.leases.changed());
            let wait = select(shared.env.sleep_until(next), changed);
            if let Either::Right(_) = select(wait, std::pin::pin!(closed.changed())).await {
                return;
            }
            continue;
        }
        due.truncate(AT_ONCE);
        let ends = due.into_iter().map(|(name, owner)| {
            let (work, same) = (Arc::clone(&shared), name.clone());
            let ended =
                shared.dispatch.run(&name, shared.patience(), async move { work.end(&same, owner).await });
            let shared = &shared;
            async move {
                if ended.await.is_err() {
                    let again = shared.env.now().saturating_add(Duration::from_millis(500));
                    shared.leases.put_off(&name, owner, again);
                }
            }
        });
        let all = std::pin::pin!(join_all(ends));
        if let Either::Right(_) = select(all, std::pin::pin!(closed.changed())).await {
            return;
        }
    }
}
