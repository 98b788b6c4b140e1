//! The checks that hold for every fleet which can be hurt.

use std::path::Path;
use std::time::Duration;

use futures::executor::block_on;
use redlock::config::Config;
use redlock_tests::fleet::{Action, Fleet, FleetError};
use redlock_tests::support::{LIMIT, eventually};

use super::client::{KEY, answers, connects, get, info, set, value};

pub(crate) fn a_killed_node_refuses_and_comes_back_with_its_keys(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "kept");
    let (address, run) = (fleet.addresses(), info(&fleet, 0, "run_id"));
    fleet.act(0, Action::Kill).unwrap();
    assert!(!answers(&fleet, 0));
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::Start).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
    assert_eq!(fleet.addresses(), address);
    let second_run = info(&fleet, 0, "run_id");
    assert_ne!(second_run, run);
    fleet.act(0, Action::Start).unwrap();
    assert_eq!(info(&fleet, 0, "run_id"), second_run, "one that runs is left alone");
}

pub(crate) fn a_node_that_is_started_empty_has_forgotten_all(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "forgotten");
    for _ in 0..2 {
        fleet.act(0, Action::Kill).unwrap();
        fleet.act(0, Action::StartEmpty).unwrap();
        assert_eq!(value(&fleet, 0), None);
        set(&fleet, 0, KEY, "forgotten too");
    }
}

pub(crate) fn a_node_that_runs_is_not_started_empty(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "kept");
    let error = fleet.act(0, Action::StartEmpty).unwrap_err().to_string();
    assert!(error.contains("kill it first") && error.contains(&fleet.addresses()[0]), "{error}");
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
}

pub(crate) fn a_paused_node_takes_connections_and_does_not_answer(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "kept");
    let run = info(&fleet, 0, "run_id");
    fleet.act(0, Action::Pause).unwrap();
    assert!(connects(&fleet.addresses()[0]));
    assert!(!answers(&fleet, 0));
    fleet.act(0, Action::Resume).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
    assert_eq!(info(&fleet, 0, "run_id"), run);
    fleet.act(0, Action::Resume).unwrap();
}

pub(crate) fn a_paused_node_can_be_killed(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "kept");
    fleet.act(0, Action::Pause).unwrap();
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::Start).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
}

pub(crate) fn a_flush_takes_every_key_and_leaves_the_process(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "flushed");
    let run = info(&fleet, 0, "run_id");
    fleet.act(0, Action::Flush).unwrap();
    assert_eq!(value(&fleet, 0), None);
    assert_eq!(info(&fleet, 0, "run_id"), run);
    // The log has it too.
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::Start).unwrap();
    assert_eq!(value(&fleet, 0), None);
}

pub(crate) fn lock_keys_are_those_under_the_prefix(fleet: impl Fleet) {
    assert_eq!(fleet.lock_keys(0, "redlock").unwrap(), [""; 0]);
    for key in [KEY, "redlock:b", "#redlock:aux:{redlock:a}", "#redlock:marker"] {
        set(&fleet, 0, key, "1");
    }
    assert_eq!(fleet.lock_keys(0, "redlock").unwrap(), [KEY, "redlock:b"]);
    assert_eq!(fleet.lock_keys(0, "red").unwrap(), [""; 0]);
    fleet.act(0, Action::Kill).unwrap();
    let error = fleet.lock_keys(0, "redlock").unwrap_err().to_string();
    assert!(error.contains(&fleet.addresses()[0]), "{error}");
}

pub(crate) fn an_action_hits_its_node_alone(fleet: impl Fleet) {
    set(&fleet, 0, KEY, "first");
    set(&fleet, 1, KEY, "second");
    fleet.act(1, Action::Flush).unwrap();
    fleet.act(1, Action::Kill).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("first"));
    let error = fleet.act(2, Action::Kill).unwrap_err().to_string();
    assert!(error.contains("node 2") && error.contains("has 2, from 0"), "{error}");
}

pub(crate) fn clients_lock_by_the_configuration(fleet: impl Fleet) {
    let own = "expiration = \"1s\"\nmaxExpiration = \"1s\"\nnodeTimeout = \"500ms\"\n";
    let text = fleet.config(&fleet.addresses()) + own;
    let config = Config::from_toml_str(&text, Path::new("redlock.toml")).unwrap();
    let locks = block_on(config.into_builder().unwrap().init()).unwrap();
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    eventually("every node has the lock", || {
        (0..3).all(|node| fleet.lock_keys(node, "redlock").unwrap() == [KEY])
    });
    block_on(guard.release()).unwrap();
    block_on(locks.shutdown(LIMIT));
    assert!((0..3).all(|node| fleet.lock_keys(node, "redlock").unwrap().is_empty()));
}

pub(crate) fn a_dropped_fleet_leaves_nobody_at_its_addresses(fleet: impl Fleet) {
    let addresses = fleet.addresses();
    assert!(addresses.iter().all(|address| connects(address)));
    // Whatever state its nodes are in.
    fleet.act(0, Action::Pause).unwrap();
    fleet.act(1, Action::Kill).unwrap();
    drop(fleet);
    assert!(!addresses.iter().any(|address| connects(address)));
}

pub(crate) fn what_a_fleet_does_not_list_it_refuses(fleet: impl Fleet) {
    let step = Duration::from_millis(1);
    let every = [
        Action::Pause,
        Action::Resume,
        Action::Flush,
        Action::Kill,
        Action::Start,
        Action::LosePower,
        Action::Promote,
        Action::ClockForward(step),
        Action::ClockBack(step),
        Action::ClockRate(0),
        Action::Kill,
        Action::StartEmpty,
    ];
    for action in every {
        match fleet.act(0, action) {
            Ok(()) => assert!(fleet.actions().contains(&action.kind()), "{action:?}"),
            Err(FleetError::Unsupported { fleet: kind, action: refused }) => {
                assert!(!fleet.actions().contains(&action.kind()), "{action:?}");
                assert_eq!((kind, refused), (fleet.kind(), action));
            }
            Err(error) => panic!("{action:?}: {error}"),
        }
    }
    assert!(get(&fleet, 0, &["TIME"]).is_some() || answers(&fleet, 0));
    assert!(
        fleet.server().starts_with("redis ") || fleet.server().starts_with("valkey "),
        "{}",
        fleet.server()
    );
}
