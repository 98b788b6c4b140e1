//! Certificates for servers and clients of a test.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redlock::backend::redis::TlsFiles;
use redlock::testing::servers;
use tempfile::TempDir;

/// An authority (`ca.crt`, `ca.pem`), and a certificate for a server on 127.0.0.1 (`server.crt`, `server.key`, both in `server.pem`) and
/// one for a client (`client.*`), as PEM files in a directory that goes with this.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes them anew.
    #[allow(clippy::new_without_default, reason = "they are drawn at random")]
    pub fn new() -> Self {
        let made = Self { directory: TempDir::new().unwrap() };
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate with its issuer's name for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        // Java goes by the ending.
        for file in ["ca.crt", "ca.pem"] {
            fs::write(made.path(file), authority.pem()).unwrap();
        }
        for (file, name) in [("server", "127.0.0.1"), ("client", "locker")] {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
            let (key, certificate) = (key.serialize_pem(), certificate.pem());
            fs::write(made.path(&format!("{file}.key")), &key).unwrap();
            fs::write(made.path(&format!("{file}.crt")), &certificate).unwrap();
            fs::write(made.path(&format!("{file}.pem")), key + &certificate).unwrap();
        }
        made
    }

    /// Where one of the files is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// The same, for a command line.
    pub fn text(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    /// What a server shows, and whether it asks clients for a certificate.
    pub fn server(&self, verify_clients: bool) -> servers::TlsFiles {
        let (certificate, key) = (self.path("server.crt"), self.path("server.key"));
        servers::TlsFiles { certificate, key, authority: self.path("ca.crt"), verify_clients }
    }

    /// A client that trusts the authority.
    pub fn trusting(&self) -> TlsFiles {
        TlsFiles::platform().ca(self.path("ca.crt"))
    }

    /// A client that also shows who it is.
    pub fn mutual(&self) -> TlsFiles {
        self.trusting().cert(self.path("client.crt")).key(self.path("client.key"))
    }
}
