//! Servers that lie while they are being connected to, or examined.

use std::sync::Arc;

use redlock::node::Node;
use redlock::testing::servers::RedisServer;
use redlock_tests::hostile::{Deed, HostileServer};
use redlock_tests::support::eventually;

use crate::catalogue::{lies, silences};
use crate::{assert_heals, assert_no_panic, ends, environment, start};

/// What a node asks while it connects; those that it does not ask do no harm here.
const COMMANDS: [&str; 9] =
    ["AUTH", "CLIENT", "PING", "HELLO", "INFO SERVER", "INFO REPLICATION", "TIME", "SCRIPT LOAD", "GET"];

#[test]
fn a_lie_while_connecting_is_told_and_an_honest_server_is_found() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let url = real.url();
    let password = url.split([':', '@']).nth(2).unwrap();
    for command in COMMANDS {
        // All at once: what the client does not take for an answer costs its whole patience.
        let starting = |lie| {
            let server = HostileServer::before(&real);
            server.on(command, Deed::Replace(lie));
            (start(&server, &env), server)
        };
        for (node, _server) in lies().into_iter().map(starting).collect::<Vec<_>>() {
            // It may be taken for honest where it says the same thing, or says it to nobody.
            if let Err(error) = ends(&env, command, Arc::clone(&node).probe()) {
                assert!(!format!("{error} {error:?}").contains(password), "{command}");
            }
        }
        let server = HostileServer::before(&real);
        server.on(command, Deed::Replace(b"+x\r\n".to_vec()));
        let node = start(&server, &env);
        let _ = ends(&env, command, Arc::clone(&node).probe());
        server.be_honest();
        assert_heals(&env, &node);
        drop(node);
        eventually("no connection is left", || server.connections() == 0);
        assert_no_panic();
    }
}

#[test]
fn a_connection_that_ends_or_falls_silent_while_it_is_set_up_is_given_up() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let mut deeds = silences();
    deeds.extend((0..60).step_by(3).map(Deed::CutAfter));
    let nodes: Vec<_> = COMMANDS
        .into_iter()
        .flat_map(|command| deeds.iter().map(move |deed| (command, deed.clone())))
        .map(|(command, deed)| {
            let server = HostileServer::before(&real);
            server.on(command, deed);
            (start(&server, &env), server)
        })
        .collect();
    for (node, server) in nodes {
        let _ = ends(&env, "connecting", Arc::clone(&node).probe());
        drop(node);
        eventually("no connection is left", || server.connections() == 0);
    }
    assert_no_panic();
}

#[test]
fn lies_under_examination_are_findings_and_no_panic() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    for (index, command) in ["CONFIG GET", "INFO", "ACL", "TIME"].into_iter().enumerate() {
        // Each lie for half of the commands, in turn.
        for lie in lies().into_iter().skip(index % 2).step_by(2) {
            server.be_honest();
            let node = start(&server, &env);
            ends(&env, "connecting", Arc::clone(&node).probe()).unwrap();
            server.on(command, Deed::Replace(lie));
            let _ = ends(&env, command, Arc::clone(&node).examine());
        }
        assert_no_panic();
    }
}
