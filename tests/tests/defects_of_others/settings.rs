//! Settings that cannot be meant: errors, never a quiet guess.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use redlock::backend::redis::{RedisConfig, TlsFiles};
use redlock::config::{Config, ConfigError, ConfigErrorKind};
use redlock::node::NodeErrorKind;
use redlock::{AcquireError, BuildError, Locks};
use tempfile::TempDir;

use crate::fleet;
use crate::world::{SECOND, World};

fn refused(text: &str) -> ConfigError {
    Config::from_toml_str(text, Path::new("etc.toml")).unwrap_err()
}

#[test]
fn a_ttl_of_zero_or_below_the_shortest_is_refused_before_any_node_is_asked() {
    // due: a TTL of 0 makes a key without an end, one below 1 ms a renewal that deletes the key and says OK.
    let world = World::new(1);
    let client = world.client();
    for ttl in
        [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(999), Duration::from_micros(9_999)]
    {
        let error = world.within(SECOND, client.locks.lock("a").ttl(ttl).acquire()).unwrap_err();
        assert!(matches!(error, AcquireError::InvalidTtl(_)), "{error}");
        let built = world.sim.block_on(Locks::builder().memory().ttl(ttl).build());
        assert!(matches!(built, Err(BuildError::Ttl(_))), "{built:?}");
        let nanos = ttl.as_nanos();
        let error = refused(&format!("[lock.redis]\nexpiration = {nanos}"));
        assert_eq!(error.kind(), ConfigErrorKind::InvalidValue, "{error}");
    }
    assert_eq!(world.holders("a"), 0);
    assert!(client.arrivals(redlock::testing::faulty::Op::Acquire).is_empty());
}

#[test]
fn a_pause_of_zero_is_refused() {
    // due: acquireInterval = 0 is a busy loop.
    for interval in ["0", "'0s'", "'999us'"] {
        let error = refused(&format!("[lock.redis]\nacquireInterval = {interval}"));
        assert_eq!(error.kind(), ConfigErrorKind::InvalidValue, "{error}");
        assert!(error.to_string().contains("acquireInterval"), "{error}");
    }
    let built = Locks::builder().memory().acquire_interval(Duration::ZERO).build_blocking();
    assert!(matches!(built, Err(BuildError::TooShort { key: "acquireInterval", .. })), "{built:?}");
}

#[test]
fn a_duration_that_does_not_parse_is_an_error_in_every_key() {
    // due: it becomes 0.
    let keys =
        ["expiration", "maxExpiration", "nodeTimeout", "acquireInterval", "acquireTimeout", "renewLimit"];
    for key in keys {
        for text in ["", "3 parsecs", "3", "s", "-3s", "3s!", "1e3s", "three seconds", "٣s"] {
            let error = refused(&format!("[lock.redis]\n{key} = \"{text}\""));
            assert_eq!(error.kind(), ConfigErrorKind::InvalidValue, "{key} = {text:?}: {error}");
            assert!(error.to_string().contains(&format!("etc.toml:2: [lock.redis] {key}")), "{error}");
        }
    }
}

#[test]
fn a_host_that_does_not_resolve_is_named_with_the_reason() {
    // due: DNS errors are swallowed.
    let built = Locks::builder().nodes(["redis://no-such-host.invalid:6379"]).build_blocking();
    let Err(BuildError::NoQuorum { nodes, .. }) = &built else { panic!("{built:?}") };
    assert_eq!(nodes[0].kind, NodeErrorKind::Unreachable);
    let text = nodes[0].to_string();
    assert!(text.contains("the host no-such-host.invalid does not resolve"), "{text}");
}

/// A server without TLS, and files for it.
struct Tls {
    fleet: redlock::testing::servers::RedisFleet,
    files: TempDir,
}

impl Tls {
    fn new() -> Self {
        let files = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(files.path().join("ca.crt"), certificate.pem()).unwrap();
        fs::write(files.path().join("client.crt"), certificate.pem()).unwrap();
        fs::write(files.path().join("client.key"), key.serialize_pem()).unwrap();
        fs::write(files.path().join("torn.crt"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
        fs::write(files.path().join("empty.crt"), "").unwrap();
        Self { fleet: fleet::start(1), files }
    }

    /// Builds from a file with these lines for the one server.
    fn build(&self, lines: &str) -> Result<redlock::blocking::Locks, BuildError> {
        let address = self.fleet.server(0).address();
        let text = format!("[lock.redis]\naddrs = [\"{address}\"]\n{lines}");
        let file = self.files.path().join("etc.toml");
        fs::write(&file, text).unwrap();
        Config::from_file(&file)?.into_builder()?.build_blocking()
    }

    /// The server has run no command at all: nothing was said to it in plain text.
    fn assert_untouched(&self) {
        let stats = self.fleet.server(0).command(&["INFO", "commandstats"]).unwrap();
        let asked = stats.text().unwrap().lines().filter(|line| line.starts_with("cmdstat_"));
        let asked: Vec<_> = asked.filter(|line| !line.starts_with("cmdstat_info")).collect();
        assert!(asked.is_empty(), "{asked:?}");
    }
}

#[test]
fn tls_files_that_cannot_be_used_are_errors_that_name_the_file() {
    // due: Make() crashes.
    let tls = Tls::new();
    for (lines, file) in [
        ("caFile = 'missing.crt'", "missing.crt"),
        ("caFile = '.'", ""),
        ("caFile = 'empty.crt'", "empty.crt"),
        ("caFile = 'torn.crt'", "torn.crt"),
        ("caFile = 'client.key'", "client.key"),
        ("caFile = 'ca.crt'\ncertFile = 'empty.crt'\nkeyFile = 'client.key'", "empty.crt"),
        ("caFile = 'ca.crt'\ncertFile = 'client.crt'\nkeyFile = 'empty.crt'", "empty.crt"),
        ("caFile = 'ca.crt'\ncertFile = 'client.crt'\nkeyFile = 'missing.key'", "missing.key"),
    ] {
        let error = tls.build(lines).unwrap_err();
        assert!(matches!(error, BuildError::Config(_) | BuildError::Redis(_)), "{lines}: {error}");
        assert!(error.to_string().contains(file), "{lines}: {error}");
    }
    tls.assert_untouched();
}

#[test]
fn a_tls_file_alone_never_means_plain_text() {
    // due: TLS is used only if all three files are set, otherwise plain text, silently.
    let tls = Tls::new();
    for lines in
        ["certFile = 'client.crt'", "keyFile = 'client.key'", "caFile = 'ca.crt'\nkeyFile = 'client.key'"]
    {
        let error = tls.build(lines).unwrap_err();
        let BuildError::Config(error) = &error else { panic!("{lines}: {error}") };
        assert_eq!(error.kind(), ConfigErrorKind::Incomplete, "{error}");
    }
    // These are complete: TLS is spoken, and a server without it, which waits for more, is none of ours.
    for lines in ["caFile = 'ca.crt'", "certFile = 'client.crt'\nkeyFile = 'client.key'"] {
        let error = tls.build(lines).unwrap_err();
        assert!(matches!(error, BuildError::NoQuorum { .. }), "{lines}: {error}");
        assert!(error.to_string().contains("TLS"), "{lines}: {error}");
    }
    let config = RedisConfig::from_url(&tls.fleet.server(0).url()).unwrap();
    let built = Locks::builder().redis(config.tls(TlsFiles::platform())).build_blocking();
    assert!(matches!(built, Err(BuildError::NoQuorum { .. })), "{built:?}");
    tls.assert_untouched();
}
