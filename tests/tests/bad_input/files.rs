//! Configuration files: good ones against real servers, bad ones with the name of file and key.

use std::fs;
use std::path::PathBuf;

use futures::executor::block_on;
use redlock::config::Config;
use redlock::testing::servers::RedisServer;
use redlock::{BuildError, Locks};
use redlock_tests::support::{assert_no_key_is_left, eventually, servers_with, start_for_prefix};
use tempfile::TempDir;

fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("etc.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn a_file_of_due_locks_as_due_does() {
    let server = RedisServer::start().unwrap();
    let (_directory, path) = file(&format!(
        r#"
        # The configuration of an application that uses due.
        [log]
            level = "info"

        [lock]
            default = "redis"

        [lock.redis]
            addrs = ["{}"]
            db = 0
            maxRetries = 3
            prefix = "due:lock"
            username = ""
            password = ""
            certFile = ""
            keyFile = ""
            caFile = ""
            expiration = "3s"
            acquireInterval = "100ms"
            acquireMaxRetries = 0
        "#,
        server.address()
    ));
    let locks = block_on(Locks::from_toml(&path)).unwrap();
    let guard = block_on(locks.lock("order:7").acquire()).unwrap();
    assert_eq!(redlock_tests::support::lock_keys(&server), ["due:lock:order:7"]);
    assert_eq!(server.command(&["TYPE", "due:lock:order:7"]).unwrap().text(), Some("string"));
    let left = server.command(&["PTTL", "due:lock:order:7"]).unwrap().integer().unwrap();
    assert!((1..=3_000).contains(&left), "{left}");
    // What due would do: it finds the lock held.
    let set = ["SET", "due:lock:order:7", "theirs", "NX", "PX", "3000"];
    assert_eq!(server.command(&set).unwrap(), redlock::testing::servers::Reply::Nil);
    block_on(guard.release()).unwrap();
    assert!(redlock_tests::support::lock_keys(&server).is_empty());
}

#[test]
fn a_file_with_five_nodes_locks_on_all_of_them() {
    let fleet = start_for_prefix(5, "app");
    let (_directory, path) = file(&format!(
        "[lock.redlock]\nnodes = {:?}\nprefix = \"app\"\nexpiration = \"1m\"\nacquireMaxRetries = 2\n",
        fleet.urls()
    ));
    // Nobody holds a lock on new servers.
    drop(block_on(Config::from_file(&path).unwrap().into_builder().unwrap().init()).unwrap());
    let locks = block_on(Locks::from_toml(&path)).unwrap();
    assert_eq!((locks.quorum().nodes(), locks.quorum().size()), (5, 3));
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert_eq!(guard.ttl().get().as_secs(), 60);
    eventually("all nodes have the key", || servers_with(&fleet, "app:a") == 5);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key() {
    for (text, named) in [
        ("[lock.redlock]\nnodes = []", "nodes"),
        ("[lock.redlock]\nnodes = [\"redis://a\", \"redis://a\"]", "nodes"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\nexpiration = \"3 parsecs\"", "expiration"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\nexpiration = \"9ms\"", "expiration"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\nexpiration = 0", "expiration"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\ndriftFactor = nan", "driftFactor"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\ndriftFactor = -0.1", "driftFactor"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\nacquireInterval = \"0s\"", "acquireInterval"),
        ("[lock.redlock]\nnodes = [\"redis://a\"]\nexpirations = \"3s\"", "expirations"),
        ("[lock.redis]\ncaFile = \"no-such-file.pem\"", "caFile"),
        ("[lock]\ndefault = \"redlock\"", "default"),
        ("[lock.redlock", "etc.toml"),
    ] {
        let (_directory, path) = file(text);
        let error = block_on(Locks::from_toml(&path)).unwrap_err();
        assert!(matches!(error, BuildError::Config(_)), "{text}: {error:?}");
        let message = error.to_string();
        assert!(message.contains(&path.display().to_string()) && message.contains(named), "{message}");
    }
    let (directory, path) = file("");
    drop(directory);
    let error = block_on(Locks::from_toml(&path)).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}
