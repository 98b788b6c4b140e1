//! The ways between clients and nodes: a TCP proxy each, which can be cut, slowed down, reset, led elsewhere, or made to
//! lose a reply.
//!
//! What cuts a stream into messages is the [`Protocol`]. RESP (2 and 3) is understood, so that exactly one reply can be lost. Of
//! other protocols, and of what is no RESP after all (TLS, for one), whatever is read at a time is a message, and the loss of a reply is
//! the loss of the server's next bytes and of all that follows on that connection within a moment.
//!
//! # What a way is not
//! - The kernel takes connections for a way that is cut, where a partition would let `connect` hang: nothing answers on
//!   them until the way is mended. One that its client has given up by then has never existed.
//! - Where nobody listens at a node's address, a connection is taken and reset, not refused.
//! - Replies are matched to commands by their order. Commands that have no reply (`CLIENT REPLY OFF`) or several (`MONITOR`,
//!   and SUBSCRIBE beside others on one connection of RESP2) make [`Way::lose_reply_to`] choose another reply.

mod connection;
mod held;
mod leg;
mod scanner;
mod way;

pub use scanner::Protocol;
pub use way::{Direction, Way};

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// The ways from every client to every node. Dropping it closes them all, and ends its thread.
pub struct Network {
    /// Those of the first client, then those of the second, and so on.
    ways: Vec<Arc<Way>>,
    nodes: usize,
    /// Dropped, it ends the thread.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Ways from so many clients to the nodes at these addresses (`HOST:PORT`), which speak RESP, each on a port of its own of
    /// this host.
    ///
    /// # Errors
    /// As [`start_for`](Self::start_for).
    pub fn start(addresses: &[String], clients: usize) -> io::Result<Self> {
        Self::start_for(Protocol::Resp, addresses, clients)
    }

    /// The same for nodes that speak this protocol.
    ///
    /// # Errors
    /// If a port or a thread cannot be had.
    pub fn start_for(protocol: Protocol, addresses: &[String], clients: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut ways = Vec::new();
        for _ in 0..clients {
            for address in addresses {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                listener.set_nonblocking(true)?;
                let way = Arc::new(Way::new(address, listener.local_addr()?, protocol));
                let _guard = runtime.enter();
                let listener = tokio::net::TcpListener::from_std(listener)?;
                runtime.spawn(connection::accept(listener, Arc::clone(&way)));
                ways.push(way);
            }
        }
        let (running, ended) = oneshot::channel();
        let thread =
            thread::Builder::new().name("network".to_owned()).spawn(move || serve(runtime, ended))?;
        Ok(Self { ways, nodes: addresses.len(), running: Some(running), thread: Some(thread) })
    }

    /// The addresses (`HOST:PORT`) at which a client reaches the nodes, in their order.
    ///
    /// # Panics
    /// If there is no such client.
    pub fn reached_at(&self, client: usize) -> Vec<String> {
        (0..self.nodes).map(|node| self.way(client, node).reached_at()).collect()
    }

    /// The way of a client to a node.
    ///
    /// # Panics
    /// If there is none.
    pub fn way(&self, client: usize, node: usize) -> &Way {
        assert!(node < self.nodes, "there are {} nodes, and no node {node}", self.nodes);
        &self.ways[client * self.nodes + node]
    }

    /// All of them.
    pub fn ways(&self) -> impl Iterator<Item = &Way> {
        self.ways.iter().map(AsRef::as_ref)
    }

    /// How many nodes there are.
    pub const fn nodes(&self) -> usize {
        self.nodes
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.ways.len().checked_div(self.nodes).unwrap_or(0)
    }
}

/// Serves all ways until the end is told.
fn serve(runtime: Runtime, ended: oneshot::Receiver<()>) {
    let _ = runtime.block_on(ended);
    // Looking up a host's name may take longer, on a thread of the runtime's.
    runtime.shutdown_timeout(Duration::from_secs(1));
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // It has no panic of its own that anybody could do something about.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("nodes", &self.nodes).field("clients", &self.clients()).finish()
    }
}
