//! What is wrong with a configuration, and where.

use std::fmt;

/// A configuration cannot be used.
///
/// Its text names the file and line, the table, the key, the value that was found (never a secret) and what was
/// expected:
///
/// ```text
/// etc.toml:14: [lock.redis] expiration = "3 parsecs": expected a duration such as "3s" or "500ms" (units ...)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError(Box<Report>);

/// Boxed, so that a `Result` with it stays small.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    kind: ConfigErrorKind,
    origin: String,
    line: Option<usize>,
    table: Option<String>,
    key: Option<String>,
    found: Option<String>,
    problem: String,
}

/// The kinds of [`ConfigError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The file cannot be read, or is not UTF-8.
    Unreadable,
    /// The file is not TOML.
    Syntax,
    /// There is no table `[lock]`, or no table of a backend in it.
    NoBackend,
    /// Several tables of backends, and no `default` that picks one.
    SeveralBackends,
    /// A table of a backend that does not exist.
    UnknownBackend,
    /// A key that does not exist in its table.
    UnknownKey,
    /// A value of another TOML type than its key has.
    WrongType,
    /// A value that does not parse, or is out of its range.
    InvalidValue,
    /// A key that another one needs is missing.
    Incomplete,
    /// Two nodes are the same.
    DuplicateNodes,
    /// A file that a key names is missing or cannot be read.
    File,
    /// An environment variable cannot be used, or contradicts another one.
    Environment,
}

impl ConfigError {
    /// `origin` is the file or the environment variable; `problem` says what was expected and holds no secret.
    pub(super) fn new(kind: ConfigErrorKind, origin: &str, problem: impl Into<String>) -> Self {
        Self(Box::new(Report {
            kind,
            origin: origin.to_owned(),
            line: None,
            table: None,
            key: None,
            found: None,
            problem: problem.into(),
        }))
    }

    pub(super) fn on_line(mut self, line: usize) -> Self {
        self.0.line = Some(line);
        self
    }

    pub(super) fn in_table(mut self, table: &str) -> Self {
        self.0.table = Some(table.to_owned());
        self
    }

    pub(super) fn at_key(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_owned());
        self
    }

    /// The value as it may be printed: never that of a password or of a URL.
    pub(super) fn with_found(mut self, found: String) -> Self {
        self.0.found = Some(found);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ConfigErrorKind {
        self.0.kind
    }

    /// The file, or the environment variable, that it was found in.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The line in the file, counted from 1, where it is known.
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// The key, where it is about one.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin)?;
        if let Some(line) = self.0.line {
            write!(f, ":{line}")?;
        }
        f.write_str(":")?;
        if let Some(table) = &self.0.table {
            write!(f, " [{table}]")?;
        }
        if let Some(key) = &self.0.key {
            write!(f, " {key}")?;
        }
        if let Some(found) = &self.0.found {
            write!(f, " = {found}")?;
        }
        if self.0.table.is_some() || self.0.key.is_some() {
            f.write_str(":")?;
        }
        write!(f, " {}", self.0.problem)
    }
}

impl std::error::Error for ConfigError {}
