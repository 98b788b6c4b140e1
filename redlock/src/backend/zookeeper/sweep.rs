//! Removes the counters of names that nobody has used for long enough, so that many different names do not fill the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::watch;
use zookeeper_client::Error;

use super::failure::is_conflict;
use super::opening::number;
use super::paths::Place;
use super::record::Counter;
use super::session::Session;
use super::shared::Shared;
use crate::env::jitter;
use crate::id::{Instant, LockName};

/// How many names are remembered; the listing finds the others.
const MOST_NAMES: usize = 100_000;
/// How many are looked at in one round, and the pause between two rounds.
const A_ROUND: usize = 200;
const PAUSE: Duration = Duration::from_secs(1);
/// After so long one that is in use is looked at again.
const AGAIN: Duration = Duration::from_secs(60);
/// About how often a client lists what clients that have gone may have left, and what is too much to be listed.
const LISTING: Duration = Duration::from_secs(600);
const MOST_LISTED: i32 = 10_000;

/// The names that this client has used, and when their counters may be removed.
#[derive(Debug, Default)]
pub(super) struct Used {
    names: Mutex<HashMap<String, Instant>>,
}

impl Used {
    pub(super) fn note(&self, name: &LockName, now: Instant, ttl: Duration, keep: Duration) {
        // The part of the path would do; a name has no other form that is shorter.
        let key = super::paths::escape(name.as_bytes());
        self.put(key, now.saturating_add(keep.max(ttl)).saturating_add(PAUSE));
    }

    fn put(&self, part: String, due: Instant) {
        let mut names = self.names();
        if names.len() < MOST_NAMES || names.contains_key(&part) {
            names.insert(part, due);
        }
    }

    fn due(&self, now: Instant) -> Vec<String> {
        let names = self.names();
        names.iter().filter(|&(_, &due)| due <= now).take(A_ROUND).map(|(part, _)| part.clone()).collect()
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until the node is dropped.
pub(super) async fn sweep(shared: Arc<Shared>, mut closed: watch::Receiver<()>) {
    let soon = |shared: &Shared| {
        let spread = u64::try_from(LISTING.as_millis()).unwrap_or(u64::MAX).max(1);
        let wait = LISTING / 2 + Duration::from_millis(jitter(&*shared.env) % spread);
        shared.env.now().saturating_add(wait)
    };
    let mut listing = soon(&shared);
    loop {
        let next = shared.env.sleep_until(shared.env.now().saturating_add(PAUSE));
        if let Either::Right(_) = select(next, std::pin::pin!(closed.changed())).await {
            return;
        }
        let work = std::pin::pin!(async {
            let due = shared.used.due(shared.env.now());
            let is_time = shared.env.now() >= listing;
            if due.is_empty() && !is_time {
                return;
            }
            // What fails is tried again in the next round.
            let Ok(session) = shared.session().await else { return };
            if is_time {
                listing = soon(&shared);
                drop(list(&shared, &session).await);
            }
            for part in due {
                if look_after(&shared, &session, part).await.is_err() {
                    return;
                }
            }
        });
        if let Either::Right(_) = select(work, std::pin::pin!(closed.changed())).await {
            return;
        }
    }
}

/// Notes some of what there is, whoever has used it: clients that crash sweep nothing.
async fn list(shared: &Shared, session: &Session) -> Result<(), Error> {
    let root = shared.tree.shown_root();
    let stat = session.client.check_stat(root).await?;
    if stat.is_none_or(|stat| stat.num_children > MOST_LISTED) {
        return Ok(());
    }
    let parts = session.client.list_children(root).await?;
    let now = shared.env.now();
    let begin = usize::try_from(jitter(&*shared.env)).unwrap_or(0).checked_rem(parts.len()).unwrap_or(0);
    for part in parts.iter().cycle().skip(begin).take(A_ROUND.min(parts.len())) {
        if shared.tree.listed(part).is_some() && !shared.used.names().contains_key(part) {
            shared.used.put(part.clone(), now);
        }
    }
    Ok(())
}

/// Removes a counter if its time is up and nobody has the name, nor waits for it.
async fn look_after(shared: &Shared, session: &Session, part: String) -> Result<(), Error> {
    let Some(place) = shared.tree.listed(&part) else {
        shared.used.names().remove(&part);
        return Ok(());
    };
    let now = shared.env.now();
    let (counter, version) = match session.client.get_data(&place.name).await {
        Ok((data, stat)) => (Counter::parse(&data).unwrap_or_default(), stat.version),
        Err(Error::NoNode) => {
            shared.used.names().remove(&part);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let leader = shared.leader_micros() / 1_000;
    if leader <= counter.keep_until {
        let left = Duration::from_millis(counter.keep_until - leader);
        shared.used.put(part, now.saturating_add(left).saturating_add(PAUSE));
        return Ok(());
    }
    match remove(shared, session, &place, counter, version).await {
        Ok(()) => drop(shared.used.names().remove(&part)),
        // It is in use: ZooKeeper removes nothing that has children.
        Err(error) if is_conflict(&error) => shared.used.put(part, now.saturating_add(AGAIN)),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Together with a note of how high it stood: whoever creates it anew counts on from there, whatever the clocks say.
async fn remove(
    shared: &Shared,
    session: &Session,
    place: &Place,
    counter: Counter,
    version: i32,
) -> Result<(), Error> {
    let (data, swept) = session.client.get_data(&shared.tree.swept()).await?;
    let highest = number(&data).max(counter.value);
    let mut writer = session.begin()?;
    writer.add_set_data(&shared.tree.swept(), highest.to_string().as_bytes(), Some(swept.version))?;
    writer.add_delete(&place.name, Some(version))?;
    writer.commit().await.map_err(Error::from).map(drop)
}
