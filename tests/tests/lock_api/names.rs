//! Any bytes are a name, and two names are two locks.

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{LockName, Locks};
use redlock_tests::support::{
    assert_no_key_is_left, builder_with_prefix, connect, eventually, start_for_prefix,
};

fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    names.push((0..=255).collect());
    names.push(vec![b'x'; LockName::MAX_BYTES]);
    names.push(vec![b'x'; LockName::MAX_BYTES - 1]);
    names.push(vec![0xff; LockName::MAX_BYTES]);
    let texts = [
        // Composed and decomposed: they look the same.
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{1f512}",
        "\u{202e}rtl",
        "\u{0}\u{0}",
        "a ",
        " a",
        "A a",
        "a\r\nSET b 1\r\n",
        "invoice:42",
        "invoice",
        ":42",
        "redlock:a",
        "redlock:redlock:a",
        "{a}",
        "{a}b",
        "a{}",
        "}{",
        "#redlock:a",
        "#redlock:esc:a",
        "#redlock:esc:#redlock:a",
        "#redlock:aux:{a}",
        "#redlock:marker",
        "#redlock:esc:#redlock:marker",
    ];
    names.extend(texts.map(|text| text.as_bytes().to_vec()));
    names
}

fn every_name_is_a_lock_of_its_own(fleet: &RedisFleet, locks: &Locks, others: &Locks) {
    let names = names();
    // All at the same time: two that collided would wait for each other.
    let guards: Vec<_> = names
        .iter()
        .map(|name| {
            let guard = block_on(locks.lock(name).try_acquire()).unwrap();
            guard.unwrap_or_else(|| panic!("{:?} is the same lock as an earlier name", LockName::new(name)))
        })
        .collect();
    for name in &names {
        assert!(block_on(others.lock(name).try_acquire()).unwrap().is_none(), "{:?}", LockName::new(name));
    }
    eventually("each name has one key on each node", || {
        fleet.iter().all(|server| redlock_tests::support::lock_keys(server).len() == names.len())
    });
    for guard in guards {
        block_on(guard.release()).unwrap();
    }
    assert_no_key_is_left(fleet);
}

#[test]
fn names_of_any_bytes_lock_and_never_collide() {
    let fleet = RedisFleet::start(3).unwrap();
    every_name_is_a_lock_of_its_own(&fleet, &connect(&fleet), &connect(&fleet));
}

#[test]
fn names_of_any_bytes_lock_and_never_collide_without_a_prefix() {
    let fleet = start_for_prefix(3, "");
    let connect = || block_on(builder_with_prefix(&fleet, "").build()).unwrap();
    every_name_is_a_lock_of_its_own(&fleet, &connect(), &connect());
}

#[test]
fn the_key_is_prefix_and_name_or_the_name_alone() {
    for (prefix, key) in [("billing", "billing:invoice:42"), ("", "invoice:42")] {
        let fleet = start_for_prefix(3, prefix);
        let locks =
            block_on(Locks::builder().restart_guard(false).nodes(fleet.urls()).prefix(prefix).build())
                .unwrap();
        let guard = block_on(locks.lock("invoice:42").acquire()).unwrap();
        eventually("all nodes have the key", || {
            fleet.iter().all(|server| redlock_tests::support::lock_keys(server) == [key])
        });
        block_on(guard.release()).unwrap();
        assert_no_key_is_left(&fleet);
    }
}
