//! The ensemble that the other tests start.

use redlock::testing::servers::ZooKeeperEnsemble;

#[test]
fn an_ensemble_of_three_survives_its_leader_and_takes_it_back_with_its_data() {
    let ensemble = ZooKeeperEnsemble::start(3).unwrap();
    let leader = ensemble.leader().expect("one leads");
    assert_eq!(ensemble.children("/").unwrap(), ["zookeeper"]);
    assert_eq!(ensemble.data("/nothing").unwrap(), None);
    assert!(ensemble.member(leader).is_running());
    ensemble.member(leader).kill();
    assert!(!ensemble.member(leader).is_running());
    assert!(ensemble.member(leader).pid().is_none());
    assert_eq!(ensemble.children("/zookeeper").unwrap(), ["config", "quota"]);
    ensemble.member(leader).restart().unwrap();
    ensemble.member(leader).pause().unwrap();
    ensemble.member(leader).resume().unwrap();
}
