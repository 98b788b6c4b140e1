//! What to avoid when locks are shared: each gives two holders, or none.

use std::time::Duration;

use futures::executor::block_on;
use redlock::AcquireError;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{connect, eventually};

use crate::rivals::Library;

const LONG: Duration = Duration::from_secs(300);

#[test]
fn the_same_name_is_not_the_same_key() {
    let fleet = RedisFleet::start(3).unwrap();
    let _ours = block_on(connect(&fleet).lock("a").acquire()).unwrap();
    // Their names that look right, and are not: rslock and redlock-py put nothing in front of them, pottery always something.
    let wrong = [(Library::Rslock, "a"), (Library::RedlockPy, "a"), (Library::Pottery, "redlock:a")];
    let mut rivals = wrong.map(|(library, name)| library.lock(&fleet, name, LONG));
    for (rival, (library, name)) in rivals.iter_mut().zip(wrong) {
        assert_eq!(rival.try_acquire(), library != Library::RedlockPy, "{library:?} {name}");
    }
    let keys = ["a", "redlock:a", "redlock:redlock:a"];
    let has = |key: &&str| fleet.server(0).command(&["EXISTS", key]).unwrap().integer() == Some(1);
    // A majority was enough for each; this server may have been the last to hear of it.
    eventually("every lock has a key of its own", || keys.iter().all(has));
}

#[test]
fn a_key_that_is_no_string_keeps_us_out() {
    let fleet = RedisFleet::start(3).unwrap();
    // As Redisson stores a lock.
    for server in &fleet {
        server.command(&["HSET", "redlock:a", "4e3f:1", "1"]).unwrap();
        server.command(&["PEXPIRE", "redlock:a", "300000"]).unwrap();
    }
    let locks = connect(&fleet);
    let error = block_on(locks.lock("a").try_acquire()).unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("no lock of ours"), "{error}");
    for server in &fleet {
        assert_eq!(server.command(&["TYPE", "redlock:a"]).unwrap().text(), Some("hash"));
    }
}
