//! A real etcd.

use std::sync::Arc;

use redlock::Protections;
use redlock::backend::etcd::{EtcdConfig, EtcdNode};
use redlock::testing::conformance::Subject;
use redlock::testing::real_env;
use redlock::testing::servers::EtcdEnsemble;

#[test]
fn an_etcd_conforms() {
    let ensemble = Arc::new(EtcdEnsemble::start(1).unwrap());
    let (env, url) = (real_env().unwrap(), ensemble.url());
    let of_nodes = Arc::clone(&env);
    let subject = Subject::new(env, move |namespace| {
        let config = EtcdConfig::from_url(&url).unwrap().prefix(namespace);
        EtcdNode::start(config, Arc::clone(&of_nodes), Protections::default()).unwrap()
    });
    let [pause, resume, restart] = [(); 3].map(|()| Arc::clone(&ensemble));
    let subject = subject
        .pausing(move || pause.member(0).pause().unwrap(), move || resume.member(0).resume().unwrap())
        .restarting(move || restart.member(0).restart().unwrap());
    crate::conforms(&subject);
}
