//! ZooKeeper as a node.

mod config;

use std::sync::Arc;

pub use config::{ZooKeeperConfig, ZooKeeperConfigError};

use crate::env::Env;
use crate::id::LockName;
use crate::node::{
    AcquireRequest, ClockReading, ExtendRequest, Identity, Inspection, Node, NodeError, NodeErrorKind,
    NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply,
};
use crate::protections::Protections;

/// One ZooKeeper as a node.
#[derive(Debug)]
pub struct ZooKeeperNode {
    address: Arc<str>,
}

impl ZooKeeperNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome.
    ///
    /// # Errors
    /// [`ZooKeeperConfigError`] if the configuration cannot work whatever the server does.
    pub fn start(
        config: ZooKeeperConfig,
        _env: Arc<dyn Env>,
        _protections: Protections,
    ) -> Result<Arc<Self>, ZooKeeperConfigError> {
        Ok(Arc::new(Self { address: config.address().into() }))
    }

    fn unsupported<T: Send + 'static>(&self) -> NodeFuture<T> {
        let error = NodeError::without_effect(&self.address, NodeErrorKind::Unsupported, "not there yet");
        Box::pin(std::future::ready(Err(error)))
    }
}

impl Node for ZooKeeperNode {
    fn address(&self) -> &str {
        &self.address
    }
    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        self.unsupported()
    }
    fn acquire(self: Arc<Self>, _request: AcquireRequest) -> NodeFuture<Reply> {
        self.unsupported()
    }
    fn extend(self: Arc<Self>, _request: ExtendRequest) -> NodeFuture<Reply> {
        self.unsupported()
    }
    fn raise(self: Arc<Self>, _request: RaiseRequest) -> NodeFuture<Reply> {
        self.unsupported()
    }
    fn release(self: Arc<Self>, _request: ReleaseRequest) -> NodeFuture<Released> {
        self.unsupported()
    }
    fn inspect(self: Arc<Self>, _name: LockName) -> NodeFuture<Inspection> {
        self.unsupported()
    }
    fn clock(&self) -> Option<ClockReading> {
        None
    }
}
