//! TLS and mutual TLS.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use futures::executor::block_on;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redlock::Protections;
use redlock::backend::memcached::{MemcachedConfig, MemcachedConfigError, MemcachedNode, TlsFiles};
use redlock::node::{Node, NodeError, NodeErrorKind};
use redlock::testing::real_env;
use redlock::testing::servers::{self, MemcachedServer};
use tempfile::TempDir;

use crate::{acquire, is_granted, millis, release, start};

/// An authority, a certificate for a server on 127.0.0.1 and one for a client, as PEM files.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate with its issuer's name for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(dir.path().join("ca.crt"), ca.pem()).unwrap();
        for (file, name) in [("server", "127.0.0.1"), ("client", "locker")] {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
            fs::write(dir.path().join(format!("{file}.crt")), certificate.pem()).unwrap();
            fs::write(dir.path().join(format!("{file}.key")), key.serialize_pem()).unwrap();
        }
        Self { dir }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn server(&self, verify_clients: bool) -> MemcachedServer {
        let (certificate, key) = (self.path("server.crt"), self.path("server.key"));
        let files = servers::TlsFiles { certificate, key, authority: self.path("ca.crt"), verify_clients };
        MemcachedServer::options().tls(files).start().unwrap()
    }

    fn trusting(&self) -> TlsFiles {
        TlsFiles::platform().ca(self.path("ca.crt"))
    }

    fn mutual(&self) -> TlsFiles {
        self.trusting().cert(self.path("client.crt")).key(self.path("client.key"))
    }
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
    let (files, others) = (Files::new(), Files::new());
    let server = files.server(false);
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
    let files = Files::new();
    let server = files.server(true);
    assert!(probe(config(&server).tls(files.mutual())).is_ok());
    let error = probe(config(&server).tls(files.trusting()).connect_timeout(millis(1_000))).unwrap_err();
    assert!(matches!(error.kind, NodeErrorKind::Tls | NodeErrorKind::Unreachable), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_should_be_in_it() {
    let files = Files::new();
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
