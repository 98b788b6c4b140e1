//! Who we are on a server, and what it lets us do.

use redlock::Protections;
use redlock::backend::redis::{RedisConfig, RedisConfigError, RedisNode};
use redlock::node::{Effect, NodeErrorKind};
use redlock::testing::real_env;

use crate::server::{Server, eventually, free_port};
use crate::{acquire, connected, extend, is_granted, probe, release, start};

fn config(server: &Server) -> RedisConfig {
    RedisConfig::from_url(&server.url()).unwrap()
}

#[test]
fn a_probe_says_which_process_it_is() {
    let server = Server::start();
    let identity = probe(config(&server)).unwrap();
    assert_eq!(identity.instance, Some(server.run_id()));
    assert!(
        server.cli(&["INFO", "server"]).contains(&format!("redis_version:{}", identity.version.unwrap()))
    );
}

#[test]
fn a_password_is_needed_and_must_be_right() {
    let server = Server::with(&["--requirepass", "s3cret"], &["-a", "s3cret"]);
    let config = || RedisConfig::from_url(&server.admin_url()).unwrap();
    assert!(probe(config().password("s3cret")).is_ok());
    for wrong in [config(), config().password("wr0ng"), config().username("nobody").password("s3cret")] {
        let error = probe(wrong).unwrap_err();
        assert_eq!((error.kind, error.effect), (NodeErrorKind::Denied, Effect::None), "{error}");
        assert!(!error.to_string().contains("wr0ng") && !error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn a_user_with_the_documented_rights_can_lock_and_one_without_evalsha_is_told() {
    let server = Server::start();
    let rights = RedisConfig::new("127.0.0.1").db(1).acl_rule();
    let user = ["ACL", "SETUSER", "other", "reset", "on", ">pw"];
    let user: Vec<&str> = user.into_iter().chain(rights.split(' ')).collect();
    assert_eq!(server.cli(&user), "OK");
    let locker = config(&server).username("other").password("pw").db(1);
    let node = start(locker.clone());
    eventually("it is connected", || acquire(&node, "a", 1, 1_000).is_ok());
    assert!(is_granted(&extend(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 1).unwrap().was_held);
    // Keys outside its pattern.
    let outside = start(locker.clone().prefix("other"));
    eventually("it is connected", || {
        acquire(&outside, "a", 1, 1_000).is_err_and(|error| error.kind == NodeErrorKind::Denied)
    });

    server.cli(&["ACL", "SETUSER", "other", "-evalsha"]);
    let error = acquire(&node, "a", 1, 1_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Denied, Effect::None));
    assert!(error.to_string().contains("evalsha"), "{error}");
    server.cli(&["ACL", "SETUSER", "other", "+evalsha", "-set"]);
    let error = acquire(&node, "a", 1, 1_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Denied, Effect::None), "{error}");
    server.cli(&["ACL", "SETUSER", "other", "-info"]);
    let error = probe(locker).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Denied);
    assert!(error.to_string().contains("info"), "{error}");
}

#[test]
fn locks_lie_in_the_database_and_under_the_prefix_of_the_configuration() {
    let server = Server::with(&["--databases", "300"], &[]);
    let node = start(RedisConfig::from_url(&format!("{}/299", server.admin_url())).unwrap().prefix(""));
    eventually("it is connected", || acquire(&node, "a", 1, 60_000).is_ok());
    assert_eq!(server.cli(&["-n", "299", "EXISTS", "a"]), "1");
    assert_eq!(server.cli(&["DBSIZE"]), "0");
    let error = probe(RedisConfig::from_url(&server.admin_url()).unwrap().db(300)).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unsupported);
    assert!(error.to_string().contains("/300: ") && error.to_string().contains("SELECT"), "{error}");
}

#[test]
fn a_replica_is_no_node() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()], &[]);
    let error = probe(config(&replica)).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::ReadOnly, Effect::None));
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", master.port)), "{error}");
}

#[test]
fn a_server_that_takes_no_writes_says_so_without_any_effect() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "held", 1, 60_000)));
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::ReadOnly, Effect::None), "{error}");
    assert!(release(&node, "held", 1).unwrap().was_held, "a release frees memory");
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    server.cli(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::ReadOnly, Effect::None), "{error}");
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    // It is judged anew first.
    eventually("it takes writes again", || is_granted(&acquire(&node, "a", 1, 60_000)));
}

#[test]
fn nobody_there_is_told_from_a_host_that_does_not_resolve() {
    let port = free_port();
    let error = probe(RedisConfig::new("127.0.0.1").port(port)).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Unreachable, Effect::None));
    assert_eq!(error.to_string(), format!("127.0.0.1:{port}: connection refused"));
    let error = probe(RedisConfig::new("no-such-host.invalid")).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unreachable);
    assert!(error.to_string().contains("the host no-such-host.invalid does not resolve"), "{error}");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_anything_is_started() {
    let start = |config| RedisNode::start(config, real_env().unwrap(), Protections::default()).unwrap_err();
    assert_eq!(start(RedisConfig::new("")), RedisConfigError::MissingHost);
    let long = "p".repeat(RedisConfig::MAX_PREFIX + 1);
    assert_eq!(start(RedisConfig::new("h").prefix(long)), RedisConfigError::PrefixTooLong { len: 65 });
    let zero = std::time::Duration::ZERO;
    assert_eq!(start(RedisConfig::new("h").connect_timeout(zero)), RedisConfigError::ZeroConnectTimeout);
}
