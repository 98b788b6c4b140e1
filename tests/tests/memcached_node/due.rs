//! Services that use due's package share locks with this node: the same keys, values, commands and servers.

use std::sync::Arc;

use redlock::backend::memcached::{MemcachedConfig, MemcachedNode};
use redlock::node::{Node, RefusalReason};
use redlock::testing::servers::MemcachedServer;

use crate::{acquire, connected, extend, is_granted, left, millis, refusal, release, server, start};

/// A client that sends exactly what due's does.
struct Due<'a> {
    server: &'a MemcachedServer,
    token: &'static str,
}

impl Due<'_> {
    fn acquire(&self, key: &str) -> bool {
        let request = format!("add {key} 0 3 36\r\n{}\r\n", self.token);
        self.server.talk(&request, "\r\n").unwrap() == "STORED\r\n"
    }

    /// Renews, or releases where `exptime` is in the past.
    fn swap(&self, key: &str, exptime: i64) -> bool {
        let found = self.server.talk(&format!("gets {key}\r\n"), "END\r\n").unwrap();
        let mut lines = found.lines();
        let (Some(head), Some(value)) = (lines.next(), lines.next()) else { return false };
        let Some(cas) = head.split(' ').nth(4).filter(|_| value == self.token) else { return false };
        let request = format!("cas {key} 0 {exptime} 36 {cas}\r\n{}\r\n", self.token);
        self.server.talk(&request, "\r\n").unwrap() == "STORED\r\n"
    }
}

const TOKEN: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

#[test]
fn locks_of_due_and_ours_exclude_each_other() {
    let server = server();
    let node = start(crate::config(&server).prefix("due:lock"));
    futures::executor::block_on(Arc::clone(&node).probe()).unwrap();
    let due = Due { server: &server, token: TOKEN };

    assert!(due.acquire("due:lock:a"));
    refusal(acquire(&node, "a", 1, 60_000), RefusalReason::Held);
    refusal(extend(&node, "a", 1, 60_000), RefusalReason::Held);
    assert!(!release(&node, "a", 1).unwrap().was_held);
    assert!(due.swap("due:lock:a", 60), "it renews its lock");
    refusal(acquire(&node, "a", 1, 60_000), RefusalReason::Held);
    assert!(due.swap("due:lock:a", -1), "it releases its lock");

    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(!due.acquire("due:lock:a"));
    assert!(!due.swap("due:lock:a", 60) && !due.swap("due:lock:a", -1));
    assert!(is_granted(&extend(&node, "a", 1, 90_000)));
    assert!(left(&server, "due:lock:a").unwrap() > 80);
    assert!(release(&node, "a", 1).unwrap().was_held);
    assert!(due.acquire("due:lock:a"));

    // Nothing else is there: no marker, which due knows nothing of.
    for key in ["#redlock:marker", "#redlock:id", "#redlock:top"] {
        assert_eq!(left(&server, key), None, "{key}");
    }
}

/// CRC-32 (IEEE) from its definition.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[test]
fn several_servers_share_locks_as_due_shares_them() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let servers = [server(), server(), server()];
    let addresses = servers.iter().map(MemcachedServer::address);
    let config =
        MemcachedConfig::sharded(addresses).unwrap().prefix("due:lock").connect_timeout(millis(5_000));
    let node: Arc<MemcachedNode> = start(config);
    let identity = futures::executor::block_on(Arc::clone(&node).probe()).unwrap();
    assert!(identity.version.is_some() && identity.instance.is_none());
    assert_eq!((node.standing(), node.incarnation()), (redlock::node::Standing::Unguarded, None));
    let mut used = [0; 3];
    for n in 0..24 {
        let (lock, key) = (format!("lock-{n}"), format!("due:lock:lock-{n}"));
        let index = crc32(key.as_bytes()) as usize % servers.len();
        used[index] += 1;
        let due = Due { server: &servers[index], token: TOKEN };
        if n % 2 == 0 {
            assert!(due.acquire(&key));
            refusal(acquire(&node, &lock, 1, 60_000), RefusalReason::Held);
        } else {
            assert!(is_granted(&acquire(&node, &lock, 1, 60_000)));
            assert!(!due.acquire(&key));
        }
    }
    assert!(used.iter().all(|&used| used > 0), "{used:?}");

    // It is as good as its worst server: the others go on, but it is not in order.
    servers[0].kill();
    redlock_tests::support::eventually("it says so", || {
        futures::executor::block_on(Arc::clone(&node).probe()).is_err()
    });
    let lock = (0..)
        .map(|n| format!("other-{n}"))
        .find(|lock| crc32(format!("due:lock:{lock}").as_bytes()) % 3 == 1);
    assert!(is_granted(&acquire(&node, &lock.unwrap(), 1, 60_000)));
}

#[test]
fn one_address_is_one_server_with_a_guard() {
    let server = server();
    let config = MemcachedConfig::sharded([server.address()]).unwrap();
    assert_eq!(config, MemcachedConfig::from_url(&server.url()).unwrap());
    assert!(!config.is_sharded());
    assert!(is_granted(&acquire(&connected(&server), "a", 1, 60_000)));
}
