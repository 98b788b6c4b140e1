//! One session at the ensemble: its client, its marker, and until when it is certain to live.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join3;
use tokio::sync::Notify;
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error, MultiWriter, SessionState, Stat};

use super::paths::Place;
use super::record::{Counter, Holder};
use super::signs::Signs;
use crate::env::Env;
use crate::id::Instant;

/// The version of a marker whose session may write.
const UNFENCED: i32 = 0;

pub(super) struct Session {
    pub(super) client: Client,
    env: Arc<dyn Env>,
    /// The path of its marker: an ephemeral znode, which every write checks. Once its version is another, what the session
    /// still has under way can no longer take effect.
    marker: String,
    /// The last part of that.
    pub(super) id: String,
    /// As the servers granted it.
    pub(super) timeout: Duration,
    acls: Acls<'static>,
    signs: Mutex<Signs>,
    /// Another sign of life was answered.
    signed: Notify,
}

/// What is there of a name.
pub(super) struct Seen {
    /// The counter and its version; `None`: there is no such znode.
    pub(super) counter: Option<(Counter, i32)>,
    pub(super) lock: Option<SeenLock>,
}

pub(super) struct SeenLock {
    /// `None`: no lock has written it.
    pub(super) holder: Option<Holder>,
    pub(super) version: i32,
    /// When it was last written, in milliseconds of the leader's clock.
    pub(super) written: i64,
}

impl Session {
    pub(super) fn new(
        client: Client,
        env: Arc<dyn Env>,
        marker: String,
        id: String,
        acls: Acls<'static>,
        signs: Signs,
    ) -> Self {
        let (timeout, signs, signed) = (client.session_timeout(), Mutex::new(signs), Notify::new());
        Self { client, env, marker, id, timeout, acls, signs, signed }
    }

    /// Whether requests go out at once. Otherwise they would lie in the client and run at some later time.
    pub(super) fn is_connected(&self) -> bool {
        self.client.state() == SessionState::SyncConnected
    }

    pub(super) fn options(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(self.acls)
    }

    /// A transaction of this session, as long as it is not fenced off by a later one.
    pub(super) fn begin(&self) -> Result<MultiWriter<'_>, Error> {
        let mut writer = self.client.new_multi_writer();
        writer.add_check_version(&self.marker, UNFENCED)?;
        Ok(writer)
    }

    /// Looks at a name. All that was answered to this session before, and all that it has asked for before, is in it, whichever
    /// member answers: the member catches up with its leader first.
    pub(super) async fn look(&self, place: &Place) -> Result<Seen, Error> {
        // Sent at once, and answered in order.
        let synced = self.client.sync(&place.name);
        let (name, lock) = (self.client.get_data(&place.name), self.client.get_data(&place.lock));
        let (synced, name, lock) = join3(synced, name, lock).await;
        synced?;
        let counter = found(name)?.map(|(data, stat)| {
            // What no lock has written counts as none, and is overwritten.
            (Counter::parse(&data).unwrap_or_default(), stat.version)
        });
        let lock = found(lock)?.map(|(data, stat)| SeenLock {
            holder: Holder::parse(&data),
            version: stat.version,
            written: stat.mtime,
        });
        Ok(Seen { counter, lock })
    }

    /// Until when the session lives if a write that is sent now succeeds.
    pub(super) fn lives_until(&self, sent: Instant) -> Instant {
        self.signs().lives_until(sent)
    }

    /// Waits until a write that is sent now proves that the session lives for so long.
    pub(super) async fn prove(&self, lasts: Duration) {
        loop {
            let signed = self.signed.notified();
            let now = self.env.now();
            if self.lives_until(now) >= now.saturating_add(lasts) {
                return;
            }
            // A sign that was sent may count a little later without another one.
            let soon = self.env.sleep_until(now.saturating_add(Duration::from_millis(20)));
            futures::future::select(std::pin::pin!(signed), soon).await;
        }
    }

    /// Gives a sign of life.
    pub(super) async fn sign(&self) {
        let sent = self.env.now();
        if self.client.check_stat(&self.marker).await.is_ok() {
            self.signs().answered(sent);
            self.signed.notify_waiters();
        }
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is not there is no error.
pub(super) fn found(answer: Result<(Vec<u8>, Stat), Error>) -> Result<Option<(Vec<u8>, Stat)>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::NoNode) => Ok(None),
        Err(error) => Err(error),
    }
}
