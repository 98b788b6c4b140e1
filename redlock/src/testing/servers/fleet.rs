use std::slice;
use std::thread;

use super::{RedisOptions, RedisServer, ServerError};

/// Several independent Redis masters.
#[derive(Debug)]
pub struct RedisFleet {
    servers: Vec<RedisServer>,
}

impl RedisFleet {
    /// Starts `count` servers at the same time, without persistence.
    ///
    /// # Errors
    /// As [`RedisServer::start`]; those that did start are gone again.
    pub fn start(count: usize) -> Result<Self, ServerError> {
        Self::start_with(count, &RedisServer::options())
    }

    /// Starts `count` servers with the same options, which must not name a port.
    ///
    /// # Errors
    /// As [`RedisServer::start`]; those that did start are gone again.
    pub fn start_with(count: usize, options: &RedisOptions) -> Result<Self, ServerError> {
        let servers = thread::scope(|scope| {
            let starting: Vec<_> = (0..count).map(|_| scope.spawn(|| options.start())).collect();
            let started: Vec<_> = starting.into_iter().map(thread::ScopedJoinHandle::join).collect();
            started
                .into_iter()
                .map(|server| server.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        Ok(Self { servers })
    }

    /// Every server's [`RedisServer::url`], in order.
    pub fn urls(&self) -> Vec<String> {
        self.iter().map(RedisServer::url).collect()
    }

    /// Every server's [`RedisServer::admin_url`], in order.
    pub fn admin_urls(&self) -> Vec<String> {
        self.iter().map(RedisServer::admin_url).collect()
    }

    /// The server at `index`, from 0.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn server(&self, index: usize) -> &RedisServer {
        &self.servers[index]
    }

    /// All servers, in order.
    pub fn iter(&self) -> slice::Iter<'_, RedisServer> {
        self.servers.iter()
    }

    /// The keys of locks on each server, sorted.
    ///
    /// # Errors
    /// As [`RedisServer::lock_keys`].
    pub fn lock_keys(&self) -> Result<Vec<Vec<String>>, ServerError> {
        self.iter().map(RedisServer::lock_keys).collect()
    }

    /// The keys of each server, sorted.
    ///
    /// # Errors
    /// As [`RedisServer::command`], if a server does not answer.
    pub fn all_keys(&self) -> Result<Vec<Vec<String>>, ServerError> {
        self.iter().map(RedisServer::keys).collect()
    }
}

impl<'a> IntoIterator for &'a RedisFleet {
    type Item = &'a RedisServer;
    type IntoIter = slice::Iter<'a, RedisServer>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for RedisFleet {
    type Item = RedisServer;
    type IntoIter = std::vec::IntoIter<RedisServer>;

    fn into_iter(self) -> Self::IntoIter {
        self.servers.into_iter()
    }
}
