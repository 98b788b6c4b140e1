//! Ways that are cut, and mended.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use redlock_tests::network::Direction;
use redlock_tests::support::eventually;

use super::{Raw, exists, server_and_way};

#[test]
fn requests_of_a_way_that_is_cut_are_held_and_arrive_late() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    eventually("nothing waits", || way.waiting() == 0);
    way.cut(Direction::Requests);
    client.send(&["SET", "a", "1"]);
    client.send(&["SET", "b", "1"]);
    eventually("both are held", || way.waiting() == 2);
    assert!(!exists(&server, "a"));
    way.mend();
    assert_eq!([client.line(), client.line()], ["+OK", "+OK"]);
    assert!(exists(&server, "a") && exists(&server, "b"));
}

#[test]
fn a_request_that_was_held_arrives_though_its_client_has_gone() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.cut(Direction::Both);
    client.send(&["SET", "late", "1"]);
    eventually("it is held", || way.waiting() == 1);
    drop(client);
    assert!(!exists(&server, "late"));
    way.mend();
    eventually("it arrives", || exists(&server, "late"));
}

#[test]
fn replies_of_a_way_that_is_cut_are_held_and_commands_are_run() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.cut(Direction::Replies);
    client.send(&["SET", "a", "1"]);
    eventually("it is run", || exists(&server, "a"));
    eventually("its reply is held", || way.waiting() == 1);
    assert!(client.has_nothing());
    way.mend();
    assert_eq!(client.line(), "+OK");
}

#[test]
fn the_end_of_a_server_is_not_noticed_behind_a_cut() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.cut(Direction::Both);
    client.send(&["SET", "a", "1"]);
    eventually("it is held", || way.waiting() == 1);
    server.restart().unwrap();
    assert!(client.has_nothing());
    way.mend();
    client.assert_ends_without_a_word();
    assert!(!exists(&server, "a"), "its connection was to the process before");
}

#[test]
fn a_connection_that_is_begun_behind_a_cut_hangs_until_that_is_mended() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    way.cut(Direction::Replies);
    let mut given_up = Raw::connect(way);
    given_up.send(&["SET", "never", "1"]);
    drop(given_up);
    let mut patient = Raw::connect(way);
    patient.send(&["SET", "a", "1"]);
    patient.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let silence = patient.stream.peek(&mut [0]).unwrap_err();
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(!exists(&server, "a"));
    patient.stream.set_read_timeout(None).unwrap();
    way.mend();
    assert_eq!(patient.line(), "+OK");
    // It was begun first.
    assert!(!exists(&server, "never"));
}

#[test]
fn what_is_held_is_bounded() {
    const ENOUGH: usize = 64 * 1024 * 1024;
    let (_server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.cut(Direction::Requests);
    client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // A value without end.
    client.write(b"*2\r\n$4\r\nECHO\r\n$9223372036854775807\r\n");
    let (chunk, mut written) = (vec![b'x'; 64 * 1024], 0);
    let stopped = loop {
        match client.stream.write(&chunk) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
        assert!(written < ENOUGH, "all of it is taken");
    };
    assert!(matches!(stopped.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped}");
}

#[test]
fn a_reset_ends_connections_at_both_ends_and_new_ones_work() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.cut(Direction::Requests);
    client.send(&["SET", "lost", "1"]);
    eventually("it is held", || way.waiting() == 1);
    way.reset();
    let error = client.stream.peek(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    eventually("nothing is held", || way.waiting() == 0);
    way.mend();
    assert_eq!(Raw::connect(way).ask(&["PING"]), "+PONG");
    assert!(!exists(&server, "lost"));
}
