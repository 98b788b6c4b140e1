//! Replies that are lost, and ways that lead elsewhere.

use redlock::testing::servers::RedisServer;
use redlock_tests::support::eventually;

use super::{Raw, exists, server_and_way};

#[test]
fn a_lost_reply_is_that_of_a_command_that_was_run() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.lose_next_reply();
    client.send(&["SET", "a", "1"]);
    eventually("it is lost", || !way.is_losing_a_reply());
    // Nothing comes back any more, though it gets there.
    client.send(&["SET", "b", "1"]);
    eventually("both are run", || exists(&server, "a") && exists(&server, "b"));
    client.assert_ends_without_a_word();
    assert_eq!(Raw::connect(way).ask(&["PING"]), "+PONG", "one reply is lost and no other");
}

#[test]
fn the_reply_to_one_command_is_lost_and_no_other() {
    let (_server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    way.lose_reply_to("evalsha");
    client.send(&["PING"]);
    client.send(&["ECHO", "EVALSHA"]);
    client.send(&["EVALSHA", "0000000000000000000000000000000000000000", "0"]);
    client.send(&["PING"]);
    assert_eq!([client.line(), client.line(), client.line()], ["+PONG", "$7", "EVALSHA"]);
    client.assert_ends_without_a_word();
}

#[test]
fn what_a_server_sends_unasked_is_no_reply() {
    let (server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    client.send(&["HELLO", "3"]);
    assert!(client.line().starts_with('%'));
    client.send(&["CLIENT", "TRACKING", "ON", "BCAST"]);
    while client.line() != "+OK" {}
    way.lose_reply_to("PING");
    server.command(&["SET", "a", "1"]).unwrap();
    let push: Vec<_> = (0..6).map(|_| client.line()).collect();
    assert_eq!(push, [">2", "$10", "invalidate", "*1", "$1", "a"]);
    // Behind the push, replies still belong to their commands.
    assert_eq!(client.ask(&["ECHO", "b"]), "$1");
    assert_eq!(client.line(), "b");
    // The reply to a subscription comes as a push too.
    client.send(&["SUBSCRIBE", "channel"]);
    assert_eq!(client.line(), ">3");
    (0..5).for_each(|_| drop(client.line()));
    assert_eq!(client.ask(&["ECHO", "c"]), "$1");
    assert_eq!(client.line(), "c");
    client.send(&["PING"]);
    client.assert_ends_without_a_word();
}

#[test]
fn a_loss_that_was_called_off_does_not_happen() {
    let (_server, network) = server_and_way();
    let way = network.way(0, 0);
    way.lose_next_reply();
    way.lose_no_reply();
    assert_eq!(Raw::connect(way).ask(&["PING"]), "+PONG");
}

#[test]
fn a_way_leads_to_another_server_from_the_next_request_on() {
    let (server, network) = server_and_way();
    let other = RedisServer::start().unwrap();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["SET", "a", "1"]), "+OK");
    // What was asked before is answered by the one that was asked.
    client.send(&["BRPOPLPUSH", "from", "to", "0"]);
    eventually("it has arrived, and waits for an element", || {
        let clients = server.command(&["INFO", "clients"]).unwrap();
        clients.text().unwrap().lines().any(|line| line == "blocked_clients:1")
    });
    way.lead_to(&other.address());
    client.send(&["INCR", "a"]);
    eventually("it waits for the reply to the one before", || way.waiting() == 1);
    server.command(&["RPUSH", "from", "x"]).unwrap();
    assert_eq!([client.line(), client.line(), client.line()], ["$1", "x", ":1"]);
    assert_eq!(client.ask(&["INCR", "a"]), ":2");
    assert_eq!(server.command(&["GET", "a"]).unwrap().text(), Some("1"));
}
