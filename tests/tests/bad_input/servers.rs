//! Servers that cannot be reached, or are not what they should be.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use futures::executor::block_on;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{BuildError, Locks};
use redlock_tests::support::{connect, eventually};

use crate::{refused, urls};

/// A port on which nobody listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A server that answers each request of each connection with what `answer` makes of its words, in lower case. It
/// listens for as long as the test program runs.
fn imitation(answer: impl Fn(&[String]) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &answer);
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: impl Fn(&[String]) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(command) = read_command(&mut reader) {
        if stream.write_all(answer(&command).as_bytes()).is_err() {
            return;
        }
    }
}

fn read_command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let words = read_count(reader, '*')?;
    (0..words)
        .map(|_| {
            let mut bytes = vec![0; read_count(reader, '$')? + 2];
            reader.read_exact(&mut bytes).ok()?;
            bytes.truncate(bytes.len() - 2);
            Some(String::from_utf8_lossy(&bytes).to_lowercase())
        })
        .collect()
}

fn read_count(reader: &mut impl BufRead, lead: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim().strip_prefix(lead)?.parse().ok()
}

#[test]
fn nodes_none_of_which_can_be_reached_are_named_each_with_its_reason() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses =
        [closed(), "no-such-host.invalid:6379".to_owned(), silent.local_addr().unwrap().to_string()];
    let error = refused(Locks::builder().nodes(addresses.iter().map(|address| format!("redis://{address}"))));
    let text = error.to_string();
    let BuildError::NoQuorum { nodes, .. } = error else { panic!("{error}") };
    assert_eq!(nodes.len(), 3);
    for (node, address) in nodes.iter().zip(&addresses) {
        assert_eq!(*node.node, **address);
        assert_eq!(node.kind, NodeErrorKind::Unreachable, "{node}");
        assert!(text.contains(&node.to_string()), "{text}");
    }
    assert!(nodes[0].detail.contains("refused"), "{}", nodes[0]);
    assert!(nodes[2].detail.contains("no answer"), "{}", nodes[2]);
}

#[test]
fn a_minority_that_cannot_be_reached_is_no_error_and_a_majority_is() {
    let fleet = RedisFleet::start(2).unwrap();
    let [first, second] = [fleet.server(0).url(), fleet.server(1).url()];
    let [gone, gone_too] = [closed(), closed()].map(|address| format!("redis://{address}"));
    let locks = block_on(urls([&first, &gone, &second]).build()).unwrap();
    block_on(block_on(locks.lock("a").acquire()).unwrap().release()).unwrap();
    let error = refused(urls([&first, &gone, &gone_too]));
    assert!(matches!(&error, BuildError::NoQuorum { nodes, .. } if nodes.len() == 2), "{error}");
}

#[test]
fn a_start_without_quorum_waits_for_nodes_that_come_later() {
    let fleet = RedisFleet::start(3).unwrap();
    for server in fleet.iter().take(2) {
        server.kill();
    }
    let locks =
        block_on(Locks::builder().restart_guard(false).nodes(fleet.urls()).start_without_quorum().build())
            .unwrap();
    assert!(block_on(locks.lock("a").try_acquire()).is_err());
    for server in fleet.iter().take(2) {
        server.restart().unwrap();
    }
    eventually("the nodes are found", || block_on(locks.lock("a").try_acquire()).is_ok());
}

#[test]
fn a_password_that_is_wrong_on_one_node_names_that_node_and_no_password() {
    let fleet = RedisFleet::start(2).unwrap();
    let guarded = RedisServer::options().arg("--requirepass", "the-right-one").start().unwrap();
    let wrong = format!("redis://:a-wrong-one@{}", guarded.address());
    let nameless = format!("redis://{}", guarded.address());
    for url in [wrong, nameless] {
        let error = refused(urls([&fleet.server(0).url(), &fleet.server(1).url(), &url]));
        let texts = [error.to_string(), format!("{error:?}")];
        let BuildError::Misconfigured { nodes } = error else { panic!("{error}") };
        assert_eq!(nodes.len(), 1, "the others are in order");
        assert_eq!(*nodes[0].node, *guarded.address());
        assert_eq!(nodes[0].kind, NodeErrorKind::Denied, "{}", nodes[0]);
        for text in texts {
            assert!(text.contains(&guarded.address()), "{text}");
            assert!(!text.contains("a-wrong-one") && !text.contains("the-right-one"), "{text}");
        }
    }
    let right = format!("redis://:the-right-one@{}", guarded.address());
    let locks = block_on(urls([&fleet.server(0).url(), &fleet.server(1).url(), &right]).build()).unwrap();
    assert!(!format!("{locks:?}").contains("the-right-one"));
}

#[test]
fn a_server_that_speaks_http_is_no_node() {
    let fleet = RedisFleet::start(2).unwrap();
    let http = imitation(|_| "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned());
    let error = refused(urls([&fleet.server(0).url(), &fleet.server(1).url(), &format!("redis://{http}")]));
    let BuildError::Misconfigured { nodes } = &error else { panic!("{error}") };
    assert_eq!((&*nodes[0].node, nodes[0].kind), (&*http, NodeErrorKind::Protocol), "{error}");
}

#[test]
fn a_server_that_is_too_old_is_refused_by_its_version() {
    let fleet = RedisFleet::start(2).unwrap();
    let old = imitation(|command| {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        match command[0].as_str() {
            "info" => bulk(&format!("redis_version:6.0.16\r\nrun_id:{}\r\nrole:master\r\n", "0a".repeat(20))),
            "time" => "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n".to_owned(),
            "client" => ":1\r\n".to_owned(),
            _ => "+PONG\r\n".to_owned(),
        }
    });
    let error = refused(urls([&fleet.server(0).url(), &fleet.server(1).url(), &format!("redis://{old}")]));
    let BuildError::Misconfigured { nodes } = &error else { panic!("{error}") };
    assert_eq!((&*nodes[0].node, nodes[0].kind), (&*old, NodeErrorKind::Unsupported), "{error}");
    let text = error.to_string();
    assert!(text.contains("6.0.16") && text.contains("6.2"), "{text}");
}

#[test]
fn a_replica_gives_no_vote() {
    let fleet = RedisFleet::start(1).unwrap();
    let master = fleet.server(0);
    let port = master.port().to_string();
    let replica = RedisServer::options().args(["--replicaof", "127.0.0.1", &port]).start().unwrap();
    // With a replica as one of two nodes there is no quorum.
    let error = refused(urls([&master.url(), &replica.url()]));
    let BuildError::NoQuorum { nodes, .. } = &error else { panic!("{error}") };
    assert_eq!((&*nodes[0].node, nodes[0].kind), (&*replica.address(), NodeErrorKind::ReadOnly), "{error}");
    let text = error.to_string();
    assert!(text.contains("replica") && text.contains(&master.address()), "{text}");
    // Promoted, it is a node like any other.
    replica.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    let locks = block_on(urls([&master.url(), &replica.url()]).build()).unwrap();
    block_on(block_on(locks.lock("a").acquire()).unwrap().release()).unwrap();
}

#[test]
fn a_node_that_becomes_a_replica_later_loses_its_vote() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let port = fleet.server(0).port().to_string();
    for server in fleet.iter().skip(1) {
        server.command(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    }
    let error = block_on(locks.lock("a").try_acquire()).unwrap_err();
    for server in fleet.iter().skip(1) {
        assert!(error.to_string().contains(&server.address()), "{error}");
    }
}
