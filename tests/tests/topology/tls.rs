//! TLS towards sentinels, the master that they name, and the members of a Cluster.

use std::fs;
use std::path::PathBuf;

use futures::executor::block_on;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redlock::backend::redis::{RedisConfig, TlsFiles};
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{self, RedisCluster, RedisSentinels, RedisServer};
use tempfile::TempDir;

use crate::{locks, names, probe};

/// An authority and a certificate of 127.0.0.1, as PEM files; servers show theirs to each other too.
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
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        for (file, text) in
            [("ca.crt", ca.pem()), ("server.crt", certificate.pem()), ("server.key", key.serialize_pem())]
        {
            fs::write(dir.path().join(file), text).unwrap();
        }
        Self { dir }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn of_servers(&self) -> servers::TlsFiles {
        let (certificate, key, authority) =
            (self.path("server.crt"), self.path("server.key"), self.path("ca.crt"));
        servers::TlsFiles { certificate, key, authority, verify_clients: false }
    }

    fn trusting(&self) -> TlsFiles {
        TlsFiles::platform().ca(self.path("ca.crt"))
    }
}

#[test]
fn sentinels_and_the_master_that_they_name_are_spoken_to_over_tls() {
    let files = Files::new();
    let sentinels = RedisSentinels::start_with_tls(files.of_servers()).unwrap();
    let config = RedisConfig::sentinel("mymaster", sentinels.sentinel_tls_addresses()).unwrap();
    let locks = locks(config.clone().tls(files.trusting()));
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert_eq!(sentinels.server(0).lock_keys().unwrap(), ["redlock:a"]);
    block_on(guard.release()).unwrap();

    let error = probe(config.tls(Files::new().trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "nobody trusts the sentinels: {error}");
    assert!(error.to_string().contains(&sentinels.sentinel_tls_addresses()[1]), "{error}");
}

#[test]
fn every_master_of_a_cluster_is_spoken_to_over_tls() {
    let files = Files::new();
    let options = RedisServer::options().tls(files.of_servers());
    let cluster = RedisCluster::start_with(3, &options).unwrap();
    let config = RedisConfig::cluster(cluster.tls_addresses()).unwrap();
    let locks = locks(config.clone().tls(files.trusting()));
    for (home, name) in names(&cluster).iter().enumerate() {
        let guard = block_on(locks.lock(name).acquire()).unwrap();
        assert_eq!(cluster.master(home).lock_keys().unwrap(), [format!("redlock:{name}")]);
        block_on(guard.release()).unwrap();
    }
    let error = probe(config.tls(Files::new().trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "nobody trusts the members: {error}");
}
