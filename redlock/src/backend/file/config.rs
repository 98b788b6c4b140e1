//! Where the directory is.

use std::path::{Path, PathBuf};

use super::machine::Machine;

/// Which directory, and how its locks are named.
#[derive(Debug, Clone, PartialEq)]
pub struct FileConfig {
    directory: PathBuf,
    prefix: String,
    /// Instead of the machine that this is.
    machine: Option<Machine>,
}

/// What is wrong with a [`FileConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileConfigError {
    /// The URL is none. It is not repeated: it may be another store's, with a password.
    #[error(
        "this is no URL of a directory: {problem}; expected file:///directory, such as file:///run/lock/orders"
    )]
    Url {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The directory is an empty path, or the working directory that a relative one begins in cannot be had.
    #[error(
        "{directory:?} is no directory for locks: {problem}; expected an absolute path, such as /run/lock/orders"
    )]
    Directory {
        /// What was given.
        directory: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl FileConfig {
    /// The prefix of names if none is given.
    pub const DEFAULT_PREFIX: &'static str = "redlock";

    /// Locks in this directory. It is created, for this user alone, when it is not there yet. A relative path begins in the
    /// process's working directory as it is when the node starts.
    ///
    /// Choose one on a disk of this machine, or in memory (`/run`, `/dev/shm`): network file systems are refused.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), prefix: Self::DEFAULT_PREFIX.to_owned(), machine: None }
    }

    /// Reads a URL: `file:///directory`. What a URL cannot have in a path is percent-encoded (`%20` for a space).
    ///
    /// # Errors
    /// [`FileConfigError::Url`].
    pub fn from_url(url: &str) -> Result<Self, FileConfigError> {
        let refused = |problem| FileConfigError::Url { problem };
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => rest,
            _ => return Err(refused("it does not begin with file://")),
        };
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        if !path.starts_with('/') {
            return Err(refused("it names another machine, or its path is not absolute"));
        }
        if path.contains(['?', '#']) {
            return Err(refused("it has a query or a fragment (write %3F for ?, %23 for #)"));
        }
        Ok(Self::new(decode(path).ok_or_else(|| refused("it has a % without two hexadecimal digits"))?))
    }

    /// The names of locks in the directory are `prefix:name`, or `name` where it is empty; `redlock` by default. Clients of one
    /// lock must agree on it.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// As on a machine with this boot id, in this time namespace: a test cannot boot.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn machine(self, boot_id: impl Into<String>, time_namespace: u64) -> Self {
        Self { machine: Some(Machine::new(boot_id.into(), time_namespace)), ..self }
    }

    /// Where it is: `file:///directory`.
    pub fn address(&self) -> String {
        let path = std::path::absolute(&self.directory).unwrap_or_else(|_| self.directory.clone());
        // What a terminal would take for something else, or a reader for the address's end, is escaped.
        let path = path.display().to_string().escape_debug().to_string();
        format!("file://{path}")
    }

    /// The directory, from the root on.
    ///
    /// # Errors
    /// [`FileConfigError::Directory`].
    pub(super) fn directory(&self) -> Result<PathBuf, FileConfigError> {
        let directory = &self.directory;
        let refused = |problem: String| FileConfigError::Directory { directory: directory.clone(), problem };
        if directory.as_os_str().is_empty() {
            return Err(refused("it is empty".to_owned()));
        }
        std::path::absolute(directory).map_err(|error| refused(error.to_string()))
    }

    pub(super) fn key_prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn given_machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// The same, with a relative path that begins in `folder`.
    #[cfg(feature = "config")]
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        Self { directory: folder.join(&self.directory), ..self }
    }
}

/// A path without percent-encoding; `None` if it is not encoded well.
fn decode(text: &str) -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            byte => byte,
        });
    }
    if bytes.contains(&0) {
        return None;
    }
    Some(Path::new(&OsString::from_vec(bytes)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_directory_of_this_machine() {
        for (url, path) in [
            ("file:///var/lib/locks", "/var/lib/locks"),
            ("FILE://localhost/run/a", "/run/a"),
            ("file:///a%20b%2Fc%c3%a9", "/a b/cé"),
        ] {
            assert_eq!(FileConfig::from_url(url), Ok(FileConfig::new(path)), "{url}");
        }
    }

    #[test]
    fn a_url_that_names_no_directory_of_this_machine_is_refused() {
        for url in
            ["", "/tmp", "file:/tmp", "file://", "file://host/tmp", "file://tmp", "redis:///a", "file:///a%2"]
        {
            let refused = FileConfig::from_url(url).unwrap_err().to_string();
            assert!(refused.contains("expected file:///directory"), "{refused}");
        }
        for url in ["file:///a?b", "file:///a#b", "file:///a%00", "file:///%zz"] {
            assert!(FileConfig::from_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_is_an_absolute_url_on_one_line() {
        assert_eq!(FileConfig::new("/run/a").address(), "file:///run/a");
        assert_eq!(FileConfig::new("/run/a\nb").address(), "file:///run/a\\nb");
        assert!(FileConfig::new("a").address().starts_with("file:///"));
    }

    #[test]
    fn an_empty_path_is_refused() {
        assert!(matches!(FileConfig::new("").directory(), Err(FileConfigError::Directory { .. })));
    }
}
