//! The library, as a contender. It does its I/O on a thread of its own, whoever calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redlock::Locks;

use super::Result;
use super::contender::{Contender, Cycle};

/// Locks on whatever nodes.
pub(super) struct Ours(pub(super) Locks);

/// Connects a [`Locks`] with the TTL that bare fred uses.
///
/// # Errors
/// In the future: no quorum of nodes can be reached.
pub fn connect(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    connect_with(urls, true)
}

/// The same, without fencing tokens.
///
/// # Errors
/// In the future: no quorum of nodes can be reached.
pub fn connect_unfenced(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    connect_with(urls, false)
}

fn connect_with(urls: Vec<String>, fencing: bool) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move {
        let builder = Locks::builder().nodes(urls).ttl(Duration::from_secs(30)).fencing(fencing);
        Ok(Arc::new(Ours(builder.init().await?)) as Arc<dyn Contender>)
    }
    .boxed()
}

impl Contender for Ours {
    fn cycle<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Cycle>> {
        async move {
            let started = Instant::now();
            let guard = self.0.lock(name).acquire().await?;
            let held = Instant::now();
            guard.release().await?;
            Ok(Cycle { acquire: held - started, release: held.elapsed() })
        }
        .boxed()
    }
}
