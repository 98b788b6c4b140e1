//! A real ZooKeeper.

use std::sync::Arc;

use redlock::Protections;
use redlock::backend::zookeeper::{ZooKeeperConfig, ZooKeeperNode};
use redlock::testing::conformance::Subject;
use redlock::testing::real_env;
use redlock::testing::servers::ZooKeeperEnsemble;

#[test]
fn a_zookeeper_conforms() {
    let ensemble = Arc::new(ZooKeeperEnsemble::start(1).unwrap());
    let (env, url) = (real_env().unwrap(), ensemble.url());
    let of_nodes = Arc::clone(&env);
    let subject = Subject::new(env, move |namespace| {
        let config = ZooKeeperConfig::from_url(&url).unwrap().prefix(namespace);
        ZooKeeperNode::start(config, Arc::clone(&of_nodes), Protections::default()).unwrap()
    });
    let [pause, resume, restart] = [(); 3].map(|()| Arc::clone(&ensemble));
    let subject = subject
        .pausing(move || pause.member(0).pause().unwrap(), move || resume.member(0).resume().unwrap())
        .restarting(move || restart.member(0).restart().unwrap());
    crate::conforms(&subject);
}
