//! Who is let in: users, certificates, and what is said to those who are not.

use futures::executor::block_on;
use redlock::Protections;
use redlock::backend::etcd::{EtcdConfig, EtcdConfigError, EtcdNode, TlsFiles};
use redlock::node::{Node, NodeError, NodeErrorKind};
use redlock::testing::real_env;
use redlock::testing::servers::EtcdEnsemble;
use redlock_tests::support::Certificates;
use redlock_tests::support::eventually;

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

#[test]
fn with_tls_both_sides_must_trust_each_other() {
    let files = Certificates::new();
    let ensemble = EtcdEnsemble::options().tls(files.server(true)).start(1).unwrap();
    let config = EtcdConfig::from_url(&ensemble.url()).unwrap();
    let trusting = TlsFiles::platform().ca(files.path("ca.crt"));
    let mutual = trusting.clone().cert(files.path("client.crt")).key(files.path("client.key"));

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
    let swapped = refused(trusting.clone().cert(files.path("client.key")).key(files.path("client.crt")));
    assert!(matches!(swapped, EtcdConfigError::TlsFile { .. }), "{swapped}");
    let mut half = mutual;
    half.key = None;
    let half = refused(half);
    assert!(matches!(half, EtcdConfigError::TlsIncomplete { .. }), "{half}");
}
