//! A real memcached, with and without its marker.

use std::sync::Arc;
use std::thread;

use redlock::Protections;
use redlock::backend::memcached::{MemcachedConfig, MemcachedNode};
use redlock::testing::conformance::Subject;
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
    crate::conforms(&subject);
}

#[test]
fn a_memcached_conforms_with_and_without_a_marker() {
    // Both wait for the ends of TTLs most of the time.
    thread::scope(|scope| {
        [false, true].map(|guard| scope.spawn(move || conforms(guard))).map(|run| run.join().unwrap())
    });
}
