//! Which group a name belongs to.

use futures::executor::block_on;
use redlock::{LockGroups, Locks};

fn groups(names: &[&str]) -> LockGroups {
    let locks = |name: &&str| ((*name).to_owned(), block_on(Locks::builder().memory().build()).unwrap());
    LockGroups::new(names.iter().map(locks)).unwrap()
}

#[test]
fn names_belong_where_the_documentation_says() {
    let (three, four) = (groups(&["a", "b", "c"]), groups(&["a", "b", "c", "d"]));
    let table = [
        ("invoice:1", "b", "b"),
        ("invoice:2", "c", "c"),
        ("invoice:17", "b", "d"),
        ("invoice:21", "a", "d"),
        ("invoice:42", "a", "d"),
        ("Zürich", "c", "d"),
    ];
    for (name, of_three, of_four) in table {
        assert_eq!((three.group_of(name), four.group_of(name)), (of_three, of_four), "{name}");
    }
}

#[test]
fn the_order_in_which_groups_are_given_does_not_matter() {
    let (one, other) = (groups(&["a", "b", "c"]), groups(&["c", "a", "b"]));
    assert!(one.groups().map(|(name, _)| name).eq(["a", "b", "c"]));
    assert!(other.groups().map(|(name, _)| name).eq(["a", "b", "c"]));
    for number in 0..1_000 {
        let name = format!("name-{number}");
        assert_eq!(one.group_of(&name), other.group_of(&name));
    }
}

#[test]
fn a_lock_is_taken_in_its_group_alone() {
    let groups = groups(&["a", "b", "c"]);
    let name = "invoice:42";
    let _guard = block_on(groups.lock(name).acquire()).unwrap();
    for (group, locks) in groups.groups() {
        let is_free = block_on(locks.lock(name).try_acquire()).unwrap().is_some();
        assert_eq!(is_free, group != groups.group_of(name), "{group}");
    }
}

#[test]
fn several_names_are_acquired_together_across_groups() {
    let groups = groups(&["a", "b", "c"]);
    let names = ["invoice:1", "invoice:2", "invoice:42"];
    let guards = block_on(redlock::Lock::acquire_all(names.map(|name| groups.lock(name)))).unwrap();
    assert_eq!(guards.len(), 3);
    for name in names {
        assert!(block_on(groups.lock(name).try_acquire()).unwrap().is_none());
    }
}
