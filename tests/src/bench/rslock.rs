//! rslock, as a contender: its defaults, with the TTL of all others. It does its I/O on the caller's runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rslock::LockManager;

use super::Result;
use super::contender::{Contender, Cycle};

const TTL: Duration = Duration::from_secs(30);

struct Rslock(LockManager);

/// A [`LockManager`] on these nodes; it connects with its first lock.
///
/// # Errors
/// In the future: none.
pub fn connect(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move { Ok(Arc::new(Rslock(LockManager::new(urls))) as Arc<dyn Contender>) }.boxed()
}

impl Contender for Rslock {
    fn cycle<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Cycle>> {
        async move {
            let started = Instant::now();
            let lock = self.0.lock(name, TTL).await?;
            let held = Instant::now();
            self.0.unlock(&lock).await;
            Ok(Cycle { acquire: held - started, release: held.elapsed() })
        }
        .boxed()
    }
}
