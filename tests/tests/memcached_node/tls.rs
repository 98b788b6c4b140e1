//! TLS and mutual TLS.

use std::fs;
use std::sync::Arc;

use futures::executor::block_on;
use redlock::Protections;
use redlock::backend::memcached::{MemcachedConfig, MemcachedConfigError, MemcachedNode};
use redlock::node::{Node, NodeError, NodeErrorKind};
use redlock::testing::real_env;
use redlock::testing::servers::MemcachedServer;
use redlock_tests::support::Certificates;

use crate::{acquire, is_granted, millis, release, start};

fn server(files: &Certificates, verify_clients: bool) -> MemcachedServer {
    MemcachedServer::options().tls(files.server(verify_clients)).start().unwrap()
}

fn config(server: &MemcachedServer) -> MemcachedConfig {
    MemcachedConfig::new("127.0.0.1").port(server.port()).restart_guard(false).connect_timeout(millis(5_000))
}

fn probe(config: MemcachedConfig) -> Result<Arc<MemcachedNode>, NodeError> {
    let node = start(config);
    block_on(Arc::clone(&node).probe()).map(|_| node)
}

#[test]
fn a_lock_can_be_held_over_tls_and_only_with_those_who_are_trusted() {
    let (files, others) = (Certificates::new(), Certificates::new());
    let server = server(&files, false);
    assert!(server.url().starts_with("memcacheds://"));
    let node = probe(config(&server).tls(files.trusting())).unwrap();
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 1).unwrap().was_held);

    let error = probe(config(&server).tls(others.trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "{error}");
    let plain = probe(config(&server).connect_timeout(millis(1_000))).unwrap_err();
    assert!(plain.to_string().contains("agree on TLS"), "{plain}");
    let with_tls = crate::server();
    let error = probe(config(&with_tls).tls(files.trusting()).connect_timeout(millis(1_000))).unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[test]
fn a_server_that_wants_a_certificate_gets_it_or_refuses() {
    let files = Certificates::new();
    let server = server(&files, true);
    assert!(probe(config(&server).tls(files.mutual())).is_ok());
    let error = probe(config(&server).tls(files.trusting()).connect_timeout(millis(1_000))).unwrap_err();
    assert!(matches!(error.kind, NodeErrorKind::Tls | NodeErrorKind::Unreachable), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_should_be_in_it() {
    let files = Certificates::new();
    fs::write(files.path("empty"), "").unwrap();
    let refused = |tls| {
        let config = MemcachedConfig::new("127.0.0.1").tls(tls);
        MemcachedNode::start(config, real_env().unwrap(), Protections::default()).unwrap_err()
    };
    for (tls, file) in [
        (files.trusting().ca(files.path("missing")), "missing"),
        (files.trusting().ca(files.path("empty")), "empty"),
        (files.mutual().key(files.path("client.crt")), "client.crt"),
    ] {
        let error = refused(tls);
        assert!(
            matches!(&error, MemcachedConfigError::TlsFile { path, .. } if *path == files.path(file)),
            "{error}"
        );
    }
    let mismatched = refused(files.mutual().key(files.path("server.key")));
    assert!(matches!(mismatched, MemcachedConfigError::Tls { .. }), "{mismatched}");
}
