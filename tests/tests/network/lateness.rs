//! Ways on which everything is late.

use std::time::{Duration, Instant};

use redlock_tests::support::LIMIT;

use super::{Raw, server_and_way};

#[test]
fn every_message_is_late_and_their_order_stays() {
    let (_server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.delay(Some(Duration::from_millis(20)..Duration::from_millis(60)), 7);
    let started = Instant::now();
    for index in 0..50 {
        client.send(&["ECHO", &index.to_string()]);
    }
    for index in 0..50 {
        client.line();
        assert_eq!(client.line(), index.to_string());
    }
    assert!(started.elapsed() >= Duration::from_millis(40), "requests and replies are late");
}

#[test]
fn a_delay_that_ends_ends_for_what_is_late_already() {
    let (_server, network) = server_and_way();
    let way = network.way(0, 0);
    let mut client = Raw::connect(way);
    assert_eq!(client.ask(&["PING"]), "+PONG");
    way.delay(Some(LIMIT * 10..LIMIT * 20), 7);
    client.send(&["PING"]);
    redlock_tests::support::eventually("it is late", || way.waiting() == 1);
    assert!(client.has_nothing());
    way.delay(None, 0);
    assert_eq!(client.line(), "+PONG");
}
