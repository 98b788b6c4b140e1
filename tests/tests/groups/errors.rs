//! What cannot be used together, and the end.

use std::time::Duration;

use futures::executor::block_on;
use redlock::{AcquireError, GroupsError, LockGroups, Locks};

fn locks() -> Locks {
    block_on(Locks::builder().memory().build()).unwrap()
}

#[test]
fn groups_that_do_not_go_together_are_refused() {
    let none: [(&str, Locks); 0] = [];
    assert_eq!(LockGroups::new(none).unwrap_err(), GroupsError::NoGroups);
    assert_eq!(LockGroups::new([("a", locks()), ("", locks())]).unwrap_err(), GroupsError::EmptyName);
    let twice = LockGroups::new([("a", locks()), ("b", locks()), ("a", locks())]);
    assert_eq!(twice.unwrap_err(), GroupsError::DuplicateName { name: "a".into() });
    let one = locks();
    let same = LockGroups::new([("b", one.clone()), ("a", one)]);
    assert_eq!(same.unwrap_err(), GroupsError::SameLocks { first: "a".into(), second: "b".into() });
    let without = block_on(Locks::builder().memory().fencing(false).build()).unwrap();
    let mixed = LockGroups::new([("a", locks()), ("b", without)]);
    assert_eq!(mixed.unwrap_err(), GroupsError::MixedFencing { on: "a".into(), off: "b".into() });
}

#[test]
fn a_change_is_between_two_sets_that_share_their_locks() {
    let (a, b) = (locks(), locks());
    let old = LockGroups::new([("a", a.clone())]).unwrap();
    let new = LockGroups::new([("a", a.clone()), ("b", b)]).unwrap();
    let changing = LockGroups::changing(&old, &new).unwrap();
    assert!(changing.groups().map(|(name, _)| name).eq(["a", "b"]));
    assert_eq!(LockGroups::changing(&changing, &new).unwrap_err(), GroupsError::AlreadyChanging);
    assert_eq!(LockGroups::changing(&old, &changing).unwrap_err(), GroupsError::AlreadyChanging);

    let other_nodes = LockGroups::new([("a", locks())]).unwrap();
    let different = LockGroups::changing(&old, &other_nodes).unwrap_err();
    assert_eq!(different, GroupsError::DifferentLocks { name: "a".into() });
    let renamed = LockGroups::new([("c", a)]).unwrap();
    let same = LockGroups::changing(&old, &renamed).unwrap_err();
    assert_eq!(same, GroupsError::SameLocks { first: "a".into(), second: "c".into() });
}

#[test]
fn a_shutdown_ends_all_groups_and_counts_what_is_open() {
    let groups = LockGroups::new([("a", locks()), ("b", locks()), ("c", locks())]).unwrap();
    let _guard = block_on(groups.lock("invoice:1").acquire()).unwrap();
    let report = groups.blocking().shutdown(Duration::ZERO);
    assert_eq!((report.open_guards, report.unsettled), (1, 0));
    for name in ["invoice:1", "invoice:2", "invoice:42"] {
        let error = groups.blocking().lock(name).acquire().unwrap_err();
        assert!(matches!(error, AcquireError::ShutDown), "{error}");
    }
}
