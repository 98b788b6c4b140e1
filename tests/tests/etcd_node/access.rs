//! Who is let in: users, certificates, and what is said to those who are not.

use std::fs;
use std::path::PathBuf;

use futures::executor::block_on;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redlock::Protections;
use redlock::backend::etcd::{EtcdConfig, EtcdConfigError, EtcdNode, TlsFiles};
use redlock::node::{Node, NodeError, NodeErrorKind};
use redlock::testing::real_env;
use redlock::testing::servers::{self, EtcdEnsemble};
use redlock_tests::support::eventually;
use tempfile::TempDir;

use crate::{Bench, granted};

fn denied(config: EtcdConfig) -> NodeError {
    block_on(Bench::with(config).node().probe()).unwrap_err()
}

#[test]
fn a_user_with_the_documented_rights_locks_and_others_are_told_what_they_lack() {
    let ensemble = EtcdEnsemble::options().auth().start(1).unwrap();
    let config = EtcdConfig::from_url(&ensemble.url()).unwrap();
    let bench = Bench::with(config.clone());
    block_on(bench.node().probe()).unwrap();
    let first = granted(bench.fenced("a", 1, 1)).unwrap();
    granted(bench.raised("a", 1, first + 1));
    assert!(bench.release("a", 1).unwrap().was_held);
    let findings = block_on(bench.node().examine()).unwrap().findings;
    let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(said.contains(&"this user may read all that is needed".to_owned()), "{said:?}");

    let wrong = denied(config.clone().password("hunter2"));
    assert_eq!(wrong.kind, NodeErrorKind::Denied, "{wrong}");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
    let nobody = denied(EtcdConfig::new(ensemble.addresses()).unwrap());
    assert_eq!(nobody.kind, NodeErrorKind::Denied, "{nobody}");
    let elsewhere = Bench::with(config.prefix("billing"));
    let error = elsewhere.fenced("a", 1, 1).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Denied, "{error}");
    let findings = block_on(elsewhere.node().examine()).unwrap().findings;
    assert!(findings.iter().any(|finding| finding.to_string().contains("billing:")), "{findings:?}");

    // With the server its tokens are gone: the user logs in again.
    ensemble.member(0).kill();
    ensemble.member(0).restart().unwrap();
    eventually("it has logged in again", || bench.fenced("b", 1, 1).is_ok());
    assert!(!format!("{bench:?}", bench = bench.node).contains(ensemble.password()));
}

/// An authority, a certificate for a server on 127.0.0.1 and one for a client, as PEM files.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
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

    fn server(&self) -> servers::TlsFiles {
        servers::TlsFiles {
            certificate: self.path("server.crt"),
            key: self.path("server.key"),
            authority: self.path("ca.crt"),
            verify_clients: true,
        }
    }
}

#[test]
fn with_tls_both_sides_must_trust_each_other() {
    let files = Files::new();
    let ensemble = EtcdEnsemble::options().tls(files.server()).start(1).unwrap();
    let config = EtcdConfig::from_url(&ensemble.url()).unwrap();
    let trusting = TlsFiles::platform().ca(files.path("ca.crt"));
    let mutual = trusting.clone().client(files.path("client.crt"), files.path("client.key"));

    let bench = Bench::with(config.clone().tls(mutual.clone()));
    let identity = block_on(bench.node().probe()).unwrap();
    assert!(identity.version.unwrap().starts_with("3."));
    granted(bench.fenced("a", 1, 1));
    assert!(bench.release("a", 1).unwrap().was_held);

    let unknown = denied(config.clone().tls(trusting.clone()));
    assert!(!matches!(unknown.kind, NodeErrorKind::Protocol), "{unknown}");
    let distrusted = denied(config.clone().tls(TlsFiles::platform()));
    assert_eq!(distrusted.kind, NodeErrorKind::Tls, "{distrusted}");
    let plain = denied(EtcdConfig::new(ensemble.addresses()).unwrap());
    assert!(plain.detail.contains("TLS"), "{plain}");

    // What is wrong with the files is said before anything connects.
    let refused = |tls: TlsFiles| {
        EtcdNode::start(config.clone().tls(tls), real_env().unwrap(), Protections::default()).unwrap_err()
    };
    let missing = refused(TlsFiles::platform().ca(files.path("none.crt")));
    assert!(matches!(missing, EtcdConfigError::TlsFile { .. }), "{missing}");
    let swapped = refused(trusting.clone().client(files.path("client.key"), files.path("client.crt")));
    assert!(matches!(swapped, EtcdConfigError::TlsFile { .. }), "{swapped}");
    let mut half = mutual;
    half.key = None;
    let half = refused(half);
    assert!(matches!(half, EtcdConfigError::TlsIncomplete { .. }), "{half}");
}
