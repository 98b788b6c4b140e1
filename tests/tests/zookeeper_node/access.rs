//! Who gets in: digest authentication, TLS, and the words for those who do not.

use redlock::backend::zookeeper::ZooKeeperConfigError;
use redlock::node::{FindingKind, NodeErrorKind};
use redlock::testing::servers::free_port;
use redlock_tests::support::Certificates;

use super::*;

fn probe(config: ZooKeeperConfig) -> Result<(), NodeError> {
    block_on(start(config).probe()).map(drop)
}

#[test]
fn znodes_belong_to_the_user_and_tls_is_mutual_and_what_fails_is_said_in_words() {
    let (files, other) = (Certificates::new(), Certificates::new());
    let port = free_port("127.0.0.1").unwrap();
    let ensemble = ZooKeeperEnsemble::options()
        .setting("serverCnxnFactory", "org.apache.zookeeper.server.NettyServerCnxnFactory")
        .setting("secureClientPort", &port.to_string())
        .setting("secureClientPortAddress", "127.0.0.1")
        .setting("ssl.keyStore.location", &files.text("server.pem"))
        .setting("ssl.trustStore.location", &files.text("ca.pem"))
        .setting("ssl.clientAuth", "need")
        .start(1)
        .unwrap();

    let plain = config(&ensemble, "user");
    let node = start(plain.clone().login("locker", "hunter2"));
    granted(acquire(&node, "a", 1, 4_000));
    for stranger in [plain.clone(), plain.login("locker", "hunter3")] {
        assert!(!format!("{stranger:?}").contains("hunter"));
        // Netty breaks a connection now and then while it is being set up.
        let mut tries = (0..10).map(|_| probe(stranger.clone()).unwrap_err());
        let error = tries.find(|error| error.kind != NodeErrorKind::NotReady).unwrap();
        assert_eq!(error.kind, NodeErrorKind::Denied, "{error}");
        assert!(error.detail.contains("another user") && !error.detail.contains("hunter"), "{error}");
    }
    assert!(ensemble.data("/user/a").is_err(), "nobody else may read it");
    release(&node, "a", 1).unwrap();

    let url = format!("zookeepers://127.0.0.1:{port}/some/where");
    let secure = |files: &Certificates| {
        let config = ZooKeeperConfig::from_url(&url).unwrap().ca_file(files.path("ca.crt"));
        config.touch_delay(TOUCH_DELAY).session_timeout(SESSION).connect_timeout(millis(3_000))
    };
    let mutual = |files: &Certificates| {
        secure(files).client_certificate(files.path("client.crt"), files.path("client.key"))
    };
    let node = start(mutual(&files));
    granted(acquire(&node, "a", 1, 2_000));
    assert!(ensemble.data("/some/where/redlock/a/lock").unwrap().is_some());
    let found = block_on(Arc::clone(&node).examine()).unwrap().findings;
    assert!(found.iter().any(|finding| matches!(finding, FindingKind::Encrypted)), "{found:?}");

    let error = probe(mutual(&other)).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "{error}");
    assert!(error.detail.contains("handshake"), "{error}");
    assert!(probe(secure(&files)).is_err(), "without a certificate of its own");
    // TLS at the port of plain text, and plain text at that of TLS.
    let member = ensemble.member(0).address();
    let wrong = ZooKeeperConfig::new([&member]).unwrap().ca_file(files.path("ca.crt"));
    assert_eq!(probe(wrong.connect_timeout(millis(1_000))).unwrap_err().kind, NodeErrorKind::Tls);
    let wrong = ZooKeeperConfig::new([format!("127.0.0.1:{port}")]).unwrap().connect_timeout(millis(1_000));
    assert_eq!(probe(wrong).unwrap_err().kind, NodeErrorKind::NotReady);

    let nobody = free_port("127.0.0.1").unwrap();
    let error = probe(ZooKeeperConfig::new([format!("127.0.0.1:{nobody}")]).unwrap()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unreachable, "{error}");
    assert!(error.detail.contains("refused"), "{error}");
}

#[test]
fn tls_files_are_checked_before_anything_connects() {
    let files = Certificates::new();
    let started = |config: ZooKeeperConfig| {
        ZooKeeperNode::start(config, real_env().unwrap(), Protections::default()).unwrap_err()
    };
    let config = || ZooKeeperConfig::from_url("zookeepers://127.0.0.1").unwrap();
    assert_eq!(started(config()), ZooKeeperConfigError::TlsWithoutCa);
    let odd = ZooKeeperConfig::new(["a..b"]).unwrap().ca_file(files.path("ca.crt"));
    assert!(matches!(started(odd), ZooKeeperConfigError::Member { position: 1, .. }));
    assert!(matches!(started(config().ca_file("/nowhere")), ZooKeeperConfigError::TlsFile { .. }));
    assert!(matches!(
        started(config().ca_file(files.path("client.key"))),
        ZooKeeperConfigError::TlsFile { .. }
    ));
    let no_key = config().ca_file(files.path("ca.crt"));
    let error = started(no_key.client_certificate(files.path("client.crt"), files.path("ca.crt")));
    assert!(error.to_string().contains("no valid private key"), "{error}");
}
