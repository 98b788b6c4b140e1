//! The resource by itself.

use redlock_tests::history::RunEvent;
use redlock_tests::resource::{Resource, ResourceClient, SetKind};

#[test]
fn clients_share_the_sets_and_dropping_the_resource_ends_those_that_are_still_connected() {
    let directory = tempfile::tempdir().unwrap();
    let resource = Resource::start(directory.path()).unwrap();
    let connect = || ResourceClient::connect(resource.path()).unwrap();
    let (mut one, mut other) = (connect(), connect());
    for set in [SetKind::Fenced, SetKind::Unfenced] {
        let version = one.read(set, "a", Some(1)).unwrap().unwrap();
        assert!(one.write(set, "a", Some(1), version, "one").unwrap());
        let version = other.read(set, "a", Some(2)).unwrap().unwrap();
        // Before the other one writes what it has read.
        assert_eq!(one.write(set, "a", Some(1), version, "late").unwrap(), set == SetKind::Unfenced);
        assert!(other.write(set, "a", Some(2), version, "two").unwrap());
    }
    assert_eq!(resource.reads(), 4);
    let elements = ["two", "one"].map(str::to_owned).to_vec();
    assert_eq!(resource.sets(), RunEvent::Sets { fenced: elements.clone(), unfenced: elements });
    // It waits for its threads.
    drop(resource);
    assert!(one.read(SetKind::Fenced, "a", Some(3)).is_err());
    assert!(directory.path().read_dir().unwrap().next().is_none(), "no socket is left");
}
