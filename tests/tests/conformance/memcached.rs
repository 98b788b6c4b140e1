//! A real memcached, with and without its marker.

use std::sync::Arc;

use redlock::Protections;
use redlock::backend::memcached::{MemcachedConfig, MemcachedNode};
use redlock::testing::conformance::{self, Subject};
use redlock::testing::real_env;
use redlock::testing::servers::MemcachedServer;

fn conforms(restart_guard: bool) {
    let server = Arc::new(MemcachedServer::start().unwrap());
    let (env, url) = (real_env().unwrap(), server.url());
    let of_nodes = Arc::clone(&env);
    let subject = Subject::new(env, move |namespace| {
        let config = MemcachedConfig::from_url(&url).unwrap().prefix(namespace).restart_guard(restart_guard);
        MemcachedNode::start(config, Arc::clone(&of_nodes), Protections::default()).unwrap()
    });
    let [pause, resume, forget, restart] = [(); 4].map(|()| Arc::clone(&server));
    let subject = subject
        .pausing(move || pause.pause().unwrap(), move || resume.resume().unwrap())
        .forgetting(move || drop(forget.talk("flush_all\r\n", "\r\n").unwrap()))
        .restarting(move || restart.restart().unwrap());
    conformance::assert_conforms(&subject);
}

#[test]
fn a_memcached_conforms() {
    conforms(false);
}

#[test]
fn a_memcached_with_a_marker_conforms() {
    conforms(true);
}
