//! The lock on five real servers of which some are killed or hang.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod comeback;
mod killed_holder;
mod loss;
mod loss_by_nodes;
mod majority;
mod minority;
mod starved;
mod stood_still;

use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::support::is_paused;

/// How a server fails: its process is gone, or there and silent.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Killed,
    Hung,
}

impl Failure {
    fn strike(self, servers: &[&RedisServer]) {
        for server in servers {
            match self {
                Self::Killed => server.kill(),
                Self::Hung => server.pause().unwrap(),
            }
        }
        self.assert_lasts(servers);
    }

    /// The servers have not come back meanwhile.
    fn assert_lasts(self, servers: &[&RedisServer]) {
        for server in servers {
            match self {
                Self::Killed => assert!(!server.is_running()),
                Self::Hung => assert!(is_paused(server)),
            }
        }
    }

    fn heal(self, servers: &[&RedisServer]) {
        for server in servers {
            match self {
                Self::Killed => server.restart().unwrap(),
                Self::Hung => server.resume().unwrap(),
            }
        }
    }
}

fn first(fleet: &RedisFleet, count: usize) -> Vec<&RedisServer> {
    fleet.iter().take(count).collect()
}
