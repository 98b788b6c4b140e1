//! Servers that forget, stop, hang and come back.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{Effect, Node, NodeError, NodeErrorKind, NodeFuture, Reply};
use redlock::testing::real_env;
use redlock::{Instant, Protections};

use crate::server::{Server, eventually, free_port};
use crate::{acquire, acquisition, connected, from_now, is_granted, release, start};

#[test]
fn a_server_that_has_forgotten_the_scripts_learns_them_again() {
    let server = Server::start();
    let node = connected(&server);
    server.cli(&["SCRIPT", "FLUSH"]);
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::NotReady, Effect::None), "{error}");
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "0");
    eventually("the scripts are loaded", || acquire(&node, "a", 1, 60_000).is_ok());
    assert_eq!(server.clients(), 1, "on the same connection");
}

#[test]
fn a_server_that_was_restarted_is_found_again_as_another_process() {
    let mut server = Server::start();
    let node = connected(&server);
    let before = block_on(Arc::clone(&node).probe()).unwrap();
    server.kill();
    eventually("it is noticed", || {
        let error = acquire(&node, "a", 1, 60_000).unwrap_err();
        error.kind == NodeErrorKind::Unreachable && error.effect == Effect::None
    });
    eventually("a new attempt was refused", || {
        acquire(&node, "a", 1, 60_000).unwrap_err().to_string().contains("connection refused")
    });
    assert_eq!(release(&node, "a", 1).unwrap_err().kind, NodeErrorKind::Unreachable);
    server.start_again();
    eventually("it is connected again", || acquire(&node, "a", 1, 60_000).is_ok());
    let after = block_on(Arc::clone(&node).probe()).unwrap();
    assert_ne!(before.instance, after.instance);
    assert_eq!(after.instance, Some(server.run_id()));
}

#[test]
fn a_node_that_was_not_there_at_first_is_found_when_it_comes() {
    let port = free_port();
    let node = start(RedisConfig::new("127.0.0.1").port(port));
    assert_eq!(block_on(Arc::clone(&node).probe()).unwrap_err().kind, NodeErrorKind::Unreachable);
    let mut server = Server::start();
    server.kill();
    server.start_on(port);
    eventually("it is connected", || acquire(&node, "a", 1, 60_000).is_ok());
}

/// Stops the server and sends requests until one is refused for their number.
fn fill(server: &Server, node: &Arc<RedisNode>) -> Vec<NodeFuture<Reply>> {
    // On a busy machine the connection may be given up before there are enough.
    for _ in 0..5 {
        eventually("it is connected", || acquire(node, "a", 1, 60_000).is_ok());
        server.stop();
        let mut waiting = Vec::new();
        let error = loop {
            let mut reply = Arc::clone(node).acquire(acquisition("a", 1, 60_000));
            match (&mut reply).now_or_never() {
                None => waiting.push(reply),
                Some(reply) => break reply.unwrap_err(),
            }
        };
        assert_eq!(error.effect, Effect::None, "{error}");
        if error.kind == NodeErrorKind::Overloaded {
            return waiting;
        }
        server.go_on();
    }
    panic!("no request was refused for the number of those that wait");
}

#[test]
fn a_hung_server_costs_bounded_memory_fails_fast_and_heals() {
    let server = Server::start();
    let node = connected(&server);
    let mut waiting = fill(&server, &node);
    assert_eq!(waiting.len(), 8_192);
    // Those that nobody waits for any more still count.
    waiting.truncate(4_096);
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Overloaded, "{error}");
    // Only the first ones were sent; the others have been collected, and certainly had no effect.
    let errors: Vec<_> = waiting.into_iter().map(|reply| block_on(reply).unwrap_err()).collect();
    let sent = errors.iter().take_while(|error| error.kind == NodeErrorKind::Disconnected).count();
    assert!((1..1_000).contains(&sent), "{sent}");
    assert!(errors[..sent].iter().all(|error| error.effect == Effect::Unknown), "{errors:?}");
    let unsent = |error: &NodeError| (error.kind, error.effect) == (NodeErrorKind::Unreachable, Effect::None);
    assert!(errors[sent..].iter().all(unsent), "{errors:?}");
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Unreachable, Effect::None), "{error}");
    eventually("an attempt was given up", || {
        acquire(&node, "a", 1, 60_000).unwrap_err().to_string().contains("no answer within 5s")
    });
    server.go_on();
    eventually("it is connected again", || acquire(&node, "b", 1, 60_000).is_ok());
}

#[test]
fn requests_in_flight_when_the_server_dies_may_have_taken_effect() {
    let mut server = Server::start();
    let node = connected(&server);
    server.stop();
    let mut reply = Arc::clone(&node).acquire(acquisition("a", 1, 60_000));
    assert!((&mut reply).now_or_never().is_none());
    server.kill();
    let error = block_on(reply).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Disconnected, Effect::Unknown), "{error}");
}

#[test]
fn a_connection_that_the_server_closes_is_made_anew() {
    let server = Server::start();
    let node = connected(&server);
    assert_eq!(server.cli(&["CLIENT", "KILL", "TYPE", "normal"]), "1");
    eventually("it is connected again", || acquire(&node, "a", 1, 60_000).is_ok());
    eventually("one connection is left", || server.clients() == 1);
}

#[test]
fn a_caller_that_does_not_take_its_answer_costs_nobody_the_connection() {
    let server = Server::start();
    let node = connected(&server);
    let client =
        || server.cli(&["CLIENT", "LIST"]).lines().next().unwrap().split(' ').next().unwrap().to_owned();
    let before = client();
    let mut reply = Arc::clone(&node).acquire(acquisition("a", 1, 60_000));
    let early = (&mut reply).now_or_never();
    // Longer than a silent connection is kept.
    let later = from_now(2_000);
    eventually("two seconds have passed", || Instant::now() > later);
    assert!(is_granted(&acquire(&node, "b", 1, 60_000)));
    assert!(is_granted(&early.unwrap_or_else(|| block_on(reply))));
    assert_eq!(client(), before);
}

#[test]
fn dropping_the_node_closes_its_connection_and_ends_its_tasks() {
    let server = Server::start();
    let env = real_env().unwrap();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let node = RedisNode::start(config, Arc::clone(&env), Protections::default()).unwrap();
    eventually("it is connected", || acquire(&node, "a", 1, 60_000).is_ok());
    assert_eq!(server.clients(), 1);
    drop(node);
    eventually("the server has no client", || server.clients() == 0);
    eventually("nothing uses the environment", || Arc::strong_count(&env) == 1);
}

#[test]
fn dropping_a_node_that_hangs_or_has_never_connected_ends_its_tasks_too() {
    let env = real_env().unwrap();
    let server = Server::start();
    let hung = RedisNode::start(
        RedisConfig::from_url(&server.url()).unwrap(),
        Arc::clone(&env),
        Protections::default(),
    )
    .unwrap();
    eventually("it is connected", || acquire(&hung, "a", 1, 60_000).is_ok());
    server.stop();
    let mut reply = Arc::clone(&hung).acquire(acquisition("a", 1, 60_000));
    assert!((&mut reply).now_or_never().is_none());
    drop((reply, hung));
    let nobody = RedisConfig::new("127.0.0.1").port(free_port());
    drop(RedisNode::start(nobody, Arc::clone(&env), Protections::default()).unwrap());
    eventually("nothing uses the environment", || Arc::strong_count(&env) == 1);
    server.go_on();
    eventually("the server has no client", || server.clients() == 0);
}

#[test]
fn an_abandoned_acquire_runs_and_the_release_behind_it_undoes_it() {
    let server = Server::start();
    let node = connected(&server);
    for round in 0..200 {
        let mut reply = Arc::clone(&node).acquire(acquisition("a", round, 60_000));
        let _ = (&mut reply).now_or_never();
        drop(reply);
        let _ = release(&node, "a", round).unwrap();
    }
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "0");
    assert_eq!(server.cli(&["INFO", "commandstats"]).matches("cmdstat_evalsha:calls=400,").count(), 1);
}
