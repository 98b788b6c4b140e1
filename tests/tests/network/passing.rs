//! Without faults a way is as good as none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::network::{Network, Protocol};
use redlock_tests::support::eventually;

use super::{Raw, encoded, server_and_way};

#[test]
fn values_of_many_megabytes_pass_unchanged() {
    let (_server, network) = server_and_way();
    let mut client = Raw::connect(network.way(0, 0));
    let value: String = ('a'..='z').cycle().take(5_000_000).collect();
    assert_eq!(client.ask(&["SET", "big", &value]), "+OK");
    assert_eq!(client.ask(&["GET", "big"]), "$5000000");
    assert!(client.bytes(5_000_000) == value.as_bytes());
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let (_server, network) = server_and_way();
    let mut client = Raw::connect(network.way(0, 0));
    let commands: Vec<u8> = (0..10_000).flat_map(|index| encoded(&["ECHO", &index.to_string()])).collect();
    let mut writer = client.stream.try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(&commands).unwrap());
    for index in 0..10_000 {
        client.line();
        assert_eq!(client.line(), index.to_string());
    }
    writing.join().unwrap();
}

#[test]
fn every_pair_of_client_and_node_has_a_way_of_its_own() {
    let fleet = RedisFleet::start(2).unwrap();
    let addresses: Vec<_> = fleet.iter().map(RedisServer::address).collect();
    let network = Network::start(&addresses, 3).unwrap();
    for client in 0..3 {
        for (node, address) in network.reached_at(client).iter().enumerate() {
            assert_eq!(Raw::to(address).ask(&["INCR", &format!("from:{client}")]), ":1");
            assert_eq!(
                fleet.server(node).command(&["GET", &format!("from:{client}")]).unwrap().text(),
                Some("1")
            );
        }
    }
}

/// The address of what sends every eight bytes back, on one connection.
fn echo() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let echoing = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 8];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
    });
    (address, echoing)
}

#[test]
fn what_is_not_resp_passes_as_it_is() {
    let (address, echoing) = echo();
    let network = Network::start(&[address], 1).unwrap();
    let mut client = Raw::connect(network.way(0, 0));
    // As TLS begins, with what would be RESP behind it.
    for bytes in [b"\x16\x03\x01*9\r\n$", b"*1\r\n$4\r\n", b"\xff\0$-9\r\n*"] {
        client.write(bytes);
        assert_eq!(client.bytes(8), bytes);
    }
    // The loss of a reply is that of the next bytes.
    network.way(0, 0).lose_reply_to("EVALSHA");
    client.write(b"\x17\x03\x01lost!");
    client.assert_ends_without_a_word();
    echoing.join().unwrap();
}

#[test]
fn of_another_protocol_nothing_is_taken_for_resp() {
    let (address, echoing) = echo();
    let network = Network::start_for(Protocol::Bytes, &[address], 1).unwrap();
    let mut client = Raw::connect(network.way(0, 0));
    // In RESP this would be the beginning of a long message, and what follows its rest.
    let begun = b"*9\r\n$90\r";
    client.write(&begun[..8]);
    assert_eq!(client.bytes(8), begun[..8]);
    network.way(0, 0).lose_next_reply();
    client.write(b"12345678");
    client.assert_ends_without_a_word();
    echoing.join().unwrap();
}

#[test]
fn inline_commands_are_answered() {
    let (_server, network) = server_and_way();
    let mut client = Raw::connect(network.way(0, 0));
    client.write(b"PING\r\n");
    assert_eq!(client.line(), "+PONG");
}

#[test]
fn a_client_that_leaves_leaves_the_server_too() {
    let (server, network) = server_and_way();
    let clients = || server.command(&["CLIENT", "LIST", "TYPE", "NORMAL"]).unwrap();
    let count = || clients().text().unwrap().lines().count();
    let before = count();
    let mut client = Raw::connect(network.way(0, 0));
    assert_eq!(client.ask(&["PING"]), "+PONG");
    assert_eq!(count(), before + 1);
    drop(client);
    eventually("the server knows", || count() == before);
}

#[test]
fn a_server_that_leaves_leaves_the_client_too() {
    let (server, network) = server_and_way();
    let mut client = Raw::connect(network.way(0, 0));
    assert_eq!(client.ask(&["PING"]), "+PONG");
    server.kill();
    client.assert_ends_without_a_word();
    // Nobody listens there.
    let mut another = Raw::connect(network.way(0, 0));
    another.send(&["PING"]);
    another.assert_ends_without_a_word();
    server.restart().unwrap();
    assert_eq!(Raw::connect(network.way(0, 0)).ask(&["PING"]), "+PONG");
}

#[test]
fn a_network_that_is_dropped_leaves_no_connection_and_no_port() {
    let (_server, network) = server_and_way();
    let address = network.way(0, 0).reached_at();
    let mut client = Raw::connect(network.way(0, 0));
    assert_eq!(client.ask(&["PING"]), "+PONG");
    network.way(0, 0).cut(redlock_tests::network::Direction::Both);
    let mut hanging = Raw::connect(network.way(0, 0));
    hanging.send(&["PING"]);
    drop(network);
    client.assert_ends_without_a_word();
    hanging.assert_ends_without_a_word();
    assert!(TcpStream::connect(address).is_err());
}
