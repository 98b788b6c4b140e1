//! A directory as a node: real files, real processes.
//!
//! Every future is polled by a plain executor outside any runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod boots;
mod counters;
mod damage;
mod directories;
mod env;
mod processes;
mod starved;
mod time_namespace;
mod votes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::file::{FileConfig, FileNode};
use redlock::env::Env;
use redlock::node::{
    AcquireRequest, ExtendRequest, Fence, Node, NodeError, Refusal, RefusalReason, ReleaseRequest, Released,
    Reply,
};
use redlock::testing::real_env;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};
use tempfile::TempDir;

/// A directory for locks that goes with this value.
struct Directory {
    parent: TempDir,
}

impl Directory {
    /// It is not there yet.
    fn new() -> Self {
        Self { parent: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.parent.path().join("locks")
    }

    fn config(&self) -> FileConfig {
        FileConfig::new(self.path()).prefix("")
    }

    fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    fn node(&self) -> Arc<FileNode> {
        self.node_without(Protections::default())
    }

    fn node_without(&self, protections: Protections) -> Arc<FileNode> {
        start(self.config(), real_env().unwrap(), protections)
    }

    /// The files of locks.
    fn files(&self) -> Vec<PathBuf> {
        let entries = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let clocks = entries(&self.path()).filter(|path| path.is_dir());
        let mut files: Vec<_> =
            clocks.flat_map(|clock| entries(&clock.join("locks")).collect::<Vec<_>>()).collect();
        files.sort();
        files
    }

    /// The only file of a lock.
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn start(config: FileConfig, env: Arc<dyn Env>, protections: Protections) -> Arc<FileNode> {
    let node = FileNode::start(config, env, protections).unwrap();
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn name(name: impl AsRef<[u8]>) -> LockName {
    LockName::new(name).unwrap()
}

fn owner(number: u8) -> OwnerToken {
    OwnerToken::from_bytes([number; 20])
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn from_now(after: u64) -> Instant {
    Instant::now().saturating_add(millis(after))
}

fn ttl(ttl: u64) -> Ttl {
    Ttl::new(millis(ttl)).unwrap()
}

fn acquisition(lock: &str, number: u8, millis: u64) -> AcquireRequest {
    // Later than any clock that a test sets ahead.
    let mut request = AcquireRequest::new(name(lock), owner(number), ttl(millis), from_now(100_000_000));
    request.fence = Some(Fence::new(0, 1, Duration::ZERO));
    request
}

fn acquire(node: &Arc<FileNode>, lock: &str, number: u8, millis: u64) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).acquire(acquisition(lock, number, millis)))
}

/// Acquires, and says where the counter stands.
fn token(node: &Arc<FileNode>, lock: &str, number: u8, millis: u64) -> u64 {
    match acquire(node, lock, number, millis) {
        Ok(Reply::Granted(grant)) => grant.counter.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn extend(node: &Arc<FileNode>, lock: &str, number: u8, millis: u64) -> Result<Reply, NodeError> {
    let request = ExtendRequest::new(name(lock), owner(number), ttl(millis), from_now(10_000));
    block_on(Arc::clone(node).extend(request))
}

fn release(node: &Arc<FileNode>, lock: &str, number: u8) -> Result<Released, NodeError> {
    block_on(Arc::clone(node).release(ReleaseRequest::new(name(lock), owner(number), None)))
}

fn is_held(node: &Arc<FileNode>, lock: &str) -> bool {
    block_on(Arc::clone(node).inspect(name(lock))).unwrap().held
}

fn is_granted(reply: &Result<Reply, NodeError>) -> bool {
    matches!(reply, Ok(Reply::Granted(_)))
}

/// Whether a refusal has this reason, and how much is left.
#[track_caller]
fn refusal(reply: Result<Reply, NodeError>, reason: RefusalReason) -> Option<Duration> {
    let Ok(Reply::Refused(Refusal { reason: found, remaining, .. })) = reply else { panic!("{reply:?}") };
    assert_eq!(found, reason);
    remaining
}
