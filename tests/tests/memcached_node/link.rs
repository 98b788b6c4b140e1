//! The connection: who is let in, what breaks it, and what is left of it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use redlock::backend::memcached::MemcachedConfig;
use redlock::node::{Effect, Node, NodeErrorKind};
use redlock::testing::servers::MemcachedServer;
use redlock_tests::support::eventually;

use crate::{acquire, ask, connected, is_granted, millis, release, server, start};

#[test]
fn a_killed_server_fails_at_once_and_is_found_again() {
    let server = server();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    server.kill();
    eventually("it is noticed", || {
        acquire(&node, "a", 1, 60_000).is_err_and(|error| error.kind == NodeErrorKind::Unreachable)
    });
    server.restart().unwrap();
    eventually("it is connected again", || is_granted(&acquire(&node, "a", 2, 60_000)));
}

#[test]
fn nothing_is_left_of_a_node_that_was_dropped() {
    let server = server();
    let connections = || {
        let stats = server.talk("stats\r\n", "END\r\n").unwrap();
        stats.lines().find_map(|line| line.strip_prefix("STAT curr_connections ")).unwrap().to_owned()
    };
    let before = connections();
    let nodes: Vec<_> = (0..5).map(|_| connected(&server)).collect();
    for node in &nodes {
        assert!(is_granted(&acquire(node, "a", 1, 60_000)));
    }
    assert_ne!(connections(), before);
    drop(nodes);
    eventually("all connections are closed", || connections() == before);
}

#[test]
fn a_server_with_users_lets_in_those_it_knows() {
    let server = MemcachedServer::options().user("locker", "pw:#/").start().unwrap();
    let probe = |config: MemcachedConfig| block_on(start(config.connect_timeout(millis(5_000))).probe());
    assert!(probe(MemcachedConfig::from_url(&server.url()).unwrap()).is_ok());
    let plain = || MemcachedConfig::new("127.0.0.1").port(server.port());
    for config in [plain(), plain().credentials("locker", "hunter2")] {
        let error = probe(config).unwrap_err();
        assert_eq!(error.kind, NodeErrorKind::Denied, "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    let node = start(MemcachedConfig::from_url(&server.url()).unwrap().restart_guard(false));
    block_on(Arc::clone(&node).probe()).unwrap();
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 1).unwrap().was_held);
}

#[test]
fn a_server_that_cannot_be_a_node_is_refused() {
    let server = MemcachedServer::options().arg("-C").start().unwrap();
    let error = block_on(start(crate::config(&server)).probe()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unsupported);
    assert!(error.to_string().contains("-C"), "{error}");
}

/// Answers whatever comes with this, on every connection.
fn hostile(answer: &'static [u8], closes: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut part = [0; 1_024];
                while stream.read(&mut part).is_ok_and(|read| read > 0) {
                    if stream.write_all(answer).is_err() || closes {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn what_is_no_memcached_is_told_and_does_no_harm() {
    const OLD: &[u8] =
        b"STAT pid 1\r\nSTAT uptime 1\r\nSTAT time 1700000000\r\nSTAT version 1.4.39\r\nEND\r\nSTAT a b\r\nEND\r\n";
    const BARE: &[u8] = b"END\r\nEND\r\n";
    for (answer, closes, kind) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], true, NodeErrorKind::Protocol),
        (b"\xff\xfe\x00\r\n", false, NodeErrorKind::Protocol),
        (b"STORED\r\nSTORED\r\nSTORED\r\n", false, NodeErrorKind::Protocol),
        (&[b'x'; 5_000], false, NodeErrorKind::Protocol),
        (b"-ERR unknown command\r\n", false, NodeErrorKind::Protocol),
        (b"ERROR\r\n", false, NodeErrorKind::Unsupported),
        (OLD, false, NodeErrorKind::Unsupported),
        (BARE, false, NodeErrorKind::Protocol),
        (b"", true, NodeErrorKind::Unreachable),
        (b"", false, NodeErrorKind::Unreachable),
    ] {
        let config =
            MemcachedConfig::new("127.0.0.1").port(hostile(answer, closes)).connect_timeout(millis(500));
        let error = block_on(start(config).probe()).unwrap_err();
        assert_eq!(error.kind, kind, "{:?}: {error}", String::from_utf8_lossy(answer));
    }
    let nowhere = MemcachedConfig::new("no-such-host.invalid");
    let error = block_on(start(nowhere).probe()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unreachable);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

/// Passes for a memcached until a lock is asked for.
fn treacherous(answer: &'static [u8]) -> u16 {
    use std::io::BufRead as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in std::io::BufReader::new(stream).lines() {
                    let Ok(line) = line else { return };
                    let reply: &[u8] = match line.split(' ').next() {
                        Some("stats") if line == "stats" => {
                            b"STAT pid 1\r\nSTAT uptime 9\r\nSTAT time 1700000000\r\nSTAT version 1.6.18\r\nEND\r\n"
                        }
                        Some("stats") => b"END\r\n",
                        Some("add") => answer,
                        _ => continue,
                    };
                    if writer.write_all(reply).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_vote_that_is_answered_with_nonsense_or_not_at_all_counts_for_nothing_and_may_have_had_an_effect() {
    let votes: Vec<_> = [
        &b"STORED\r\nSTORED\r\n"[..],
        b"STORED\r\nVA 40 c1 t9\r\nxx\r\n\r\n",
        b"HD\r\nEN\r\n",
        b"\0\0\0\0\r\n",
        b"ERROR\r\n",
        b"EN\r\nEN\r\nEN\r\nEN\r\nEN\r\n",
        b"STORED\r\nVA 40 c1 t9\r\n",
        b"",
    ]
    .map(|answer| {
        let config = MemcachedConfig::new("127.0.0.1").port(treacherous(answer)).restart_guard(false);
        let node = start(config);
        thread::spawn(move || {
            block_on(Arc::clone(&node).probe()).unwrap();
            (answer, acquire(&node, "a", 1, 60_000))
        })
    })
    .into();
    for vote in votes {
        let (answer, reply) = vote.join().unwrap();
        let error = reply.unwrap_err();
        assert_eq!(error.effect, Effect::Unknown, "{:?}: {error}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn the_clock_is_read_with_bounds_that_hold() {
    let server = server();
    let node = connected(&server);
    let reading = node.clock().unwrap();
    assert!(reading.most - reading.least >= 1_000_000);
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
    let ours = (redlock::Instant::now().as_nanos() / 1_000) as i64;
    // It keeps the wall clock's seconds, give or take one at either end.
    let off = wall - ours;
    assert!(reading.least - 2_000_000 <= off && off <= reading.most + 2_000_000, "{reading:?} {off}");
    assert!(!node.abilities().settable_clock);
    assert!(ask(&server, "version").starts_with("VERSION 1."));
}
