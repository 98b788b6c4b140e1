//! TLS and mutual TLS, in a program into which both crypto providers are linked.

use std::fs;

use redlock::Protections;
use redlock::backend::redis::{RedisConfig, RedisConfigError, RedisNode, TlsFiles};
use redlock::node::NodeErrorKind;
use redlock::testing::real_env;
use redlock_tests::support::Certificates;

use crate::server::{Server, eventually};
use crate::{acquire, probe, start};

/// A server that speaks TLS alone, and asks clients for a certificate or not.
fn server(files: &Certificates, auth_clients: &str) -> Server {
    let (ca, cert, key) = (files.text("ca.crt"), files.text("server.crt"), files.text("server.key"));
    let shown = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let arguments = [&shown[..], &["--tls-auth-clients", auth_clients]].concat();
    let (cert, key) = (files.text("client.crt"), files.text("client.key"));
    let login = ["-h", "127.0.0.1", "--tls", "--cacert", &ca, "--cert", &cert, "--key", &key];
    Server::with_port_option("--tls-port", &arguments, &login)
}

fn config(server: &Server) -> RedisConfig {
    RedisConfig::new("127.0.0.1").port(server.port)
}

fn refused(files: TlsFiles) -> RedisConfigError {
    let config = RedisConfig::new("127.0.0.1").tls(files);
    RedisNode::start(config, real_env().unwrap(), Protections::default()).unwrap_err()
}

#[test]
fn both_crypto_providers_are_linked() {
    assert!(!rustls::crypto::aws_lc_rs::default_provider().cipher_suites.is_empty());
    assert!(!rustls::crypto::ring::default_provider().cipher_suites.is_empty());
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "nobody has chosen one for the process");
}

#[test]
fn a_lock_can_be_held_over_tls() {
    let files = Certificates::new();
    let server = server(&files, "no");
    let node = start(config(&server).tls(files.trusting()));
    eventually("it is connected", || acquire(&node, "a", 1, 60_000).is_ok());
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "1");
}

#[test]
fn a_server_that_wants_a_certificate_gets_it_or_refuses() {
    let files = Certificates::new();
    let server = server(&files, "yes");
    assert!(probe(config(&server).tls(files.mutual())).is_ok());
    let error = probe(config(&server).tls(files.trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "{error}");
}

#[test]
fn a_server_whose_certificate_nobody_trusts_is_refused() {
    let (files, others) = (Certificates::new(), Certificates::new());
    let server = server(&files, "no");
    let error = probe(config(&server).tls(others.trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "{error}");
    let localhost = RedisConfig::new("localhost").port(server.port).tls(files.trusting());
    let error = probe(localhost).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "the certificate is for another name: {error}");
}

#[test]
fn tls_on_one_side_only_is_told() {
    let files = Certificates::new();
    let with_tls = server(&files, "no");
    let error = probe(config(&with_tls)).unwrap_err();
    // It closes the connection without a word, as a dying server does.
    assert_eq!(error.kind, NodeErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("do both sides agree on TLS?"), "{error}");
    let plain = Server::start();
    let error = probe(config(&plain).tls(files.trusting())).unwrap_err();
    // It waits for the end of what it takes for a command.
    assert_eq!(error.kind, NodeErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("does the server speak TLS?"), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_should_be_in_it() {
    let files = Certificates::new();
    fs::write(files.path("empty"), "").unwrap();
    fs::write(files.path("torn"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    for (tls, file) in [
        (files.trusting().ca(files.path("missing")), "missing"),
        (files.trusting().ca(files.path("empty")), "empty"),
        (files.trusting().ca(files.path("torn")), "torn"),
        (files.trusting().ca(files.path("client.key")), "client.key"),
        (files.mutual().cert(files.path("empty")), "empty"),
        (files.mutual().key(files.path("empty")), "empty"),
        (files.mutual().key(files.path("client.crt")), "client.crt"),
    ] {
        let error = refused(tls);
        assert!(
            matches!(&error, RedisConfigError::TlsFile { path, .. } if *path == files.path(file)),
            "{error}"
        );
        assert!(error.to_string().contains("in PEM form"), "{error}");
    }
    let mismatched = refused(files.mutual().key(files.path("server.key")));
    assert!(matches!(mismatched, RedisConfigError::Tls { .. }), "{mismatched}");
}

#[test]
fn a_certificate_without_its_key_is_refused_and_so_is_a_key_alone() {
    let files = Certificates::new();
    let only_cert = files.trusting().cert(files.path("client.crt"));
    assert_eq!(refused(only_cert), RedisConfigError::TlsIncomplete { given: "certificate", missing: "key" });
    let only_key = files.trusting().key(files.path("client.key"));
    assert_eq!(refused(only_key), RedisConfigError::TlsIncomplete { given: "key", missing: "certificate" });
}
