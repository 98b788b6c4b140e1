//! A real Redis, with and without its marker.

use redlock::Protections;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::testing::conformance::Subject;
use redlock::testing::real_env;
use redlock::testing::servers::RedisServer;
use std::sync::Arc;

fn conforms(restart_guard: bool) {
    let server = Arc::new(RedisServer::start().unwrap());
    let url = server.admin_url();
    let env = real_env().unwrap();
    let of_nodes = Arc::clone(&env);
    let subject = Subject::new(env, move |namespace| {
        let config = RedisConfig::from_url(&url).unwrap().prefix(namespace).restart_guard(restart_guard);
        RedisNode::start(config, Arc::clone(&of_nodes), Protections::default()).unwrap()
    });
    let [pause, resume, forget, restart] = [(); 4].map(|()| Arc::clone(&server));
    let subject = subject
        .pausing(move || pause.pause().unwrap(), move || resume.resume().unwrap())
        .forgetting(move || drop(forget.command(&["FLUSHALL"]).unwrap()))
        .restarting(move || restart.restart().unwrap())
        .names(["#redlock:marker", "#redlock:top"]);
    crate::conforms(&subject);
}

#[test]
fn a_server_conforms() {
    conforms(false);
}

#[test]
fn a_server_with_a_marker_conforms() {
    conforms(true);
}
