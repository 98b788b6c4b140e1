//! How to start an ensemble.

use super::EtcdEnsemble;
use crate::testing::servers::{ServerError, TlsFiles};

/// How to start an [`EtcdEnsemble`]; see [`EtcdEnsemble::options`].
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    pub(super) tls: Option<TlsFiles>,
    pub(super) auth: bool,
    /// What the keys begin with to which the user has rights.
    pub(super) prefixes: Vec<String>,
    pub(super) args: Vec<String>,
}

impl Default for EtcdOptions {
    fn default() -> Self {
        let prefixes = ["redlock:", "#redlock:"].map(str::to_owned).to_vec();
        Self { tls: None, auth: false, prefixes, args: Vec::new() }
    }
}

impl EtcdOptions {
    /// Serves clients with TLS. The members among themselves do without.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Lets in only who logs in: [`EtcdEnsemble::USER`] with a random password.
    #[must_use]
    pub fn auth(mut self) -> Self {
        self.auth = true;
        self
    }

    /// Lets the user read and write keys that begin so, instead of those of the usual prefix.
    #[must_use]
    pub fn prefixes<I: IntoIterator<Item: Into<String>>>(mut self, prefixes: I) -> Self {
        self.prefixes = prefixes.into_iter().map(Into::into).collect();
        self
    }

    /// Appends a setting to every member's command line: `.arg("--quota-backend-bytes", "16777216")`.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.args.extend([name.into(), value.into()]);
        self
    }

    /// Starts an ensemble of so many members, and waits until it takes requests.
    ///
    /// # Errors
    /// [`ServerError::NotInstalled`] without etcd on this machine, [`ServerError::NotStarted`] with the end of a
    /// member's log if it did not accept its configuration or found no majority, [`ServerError::Io`] otherwise.
    pub fn start(&self, members: usize) -> Result<EtcdEnsemble, ServerError> {
        EtcdEnsemble::start_with(members, self)
    }
}
