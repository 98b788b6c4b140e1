use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::ServerError;

const REDIS: &[&str] = &["redis-server", "valkey-server"];
const INSTALL_REDIS: &str =
    "`apt-get install redis-server`, `dnf install redis`, `apk add redis` or `brew install redis`";

/// Where servers are found although PATH does not name the directory.
const USUAL_DIRECTORIES: &[&str] = &["/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/// Whether a `redis-server` or `valkey-server` can be started on this machine.
pub fn redis_is_installed() -> bool {
    redis().is_ok()
}

/// The program of a Redis (or Valkey) server on this machine.
///
/// # Errors
/// [`ServerError::NotInstalled`] says what to install.
pub fn redis() -> Result<PathBuf, ServerError> {
    find(REDIS, INSTALL_REDIS)
}

const INSTALL_MEMCACHED: &str =
    "`apt-get install memcached`, `dnf install memcached`, `apk add memcached` or `brew install memcached`";
const INSTALL_ETCD: &str =
    "`apt-get install etcd-server`, `dnf install etcd`, `apk add etcd` or `brew install etcd`";
const INSTALL_JAVA: &str = "`apt-get install zookeeperd`, or ZooKeeper and a Java runtime";

/// The program of a memcached on this machine.
///
/// # Errors
/// [`ServerError::NotInstalled`] says what to install.
pub fn memcached() -> Result<PathBuf, ServerError> {
    find(&["memcached"], INSTALL_MEMCACHED)
}

/// The program of an etcd server on this machine.
///
/// # Errors
/// [`ServerError::NotInstalled`] says what to install.
pub(super) fn etcd() -> Result<PathBuf, ServerError> {
    find(&["etcd"], INSTALL_ETCD)
}

/// The Java runtime that runs ZooKeeper.
///
/// # Errors
/// [`ServerError::NotInstalled`] says what to install.
pub(super) fn java() -> Result<PathBuf, ServerError> {
    find(&["java"], INSTALL_JAVA)
}

fn find(programs: &'static [&'static str], install: &'static str) -> Result<PathBuf, ServerError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> =
        env::split_paths(&path).chain(USUAL_DIRECTORIES.iter().map(PathBuf::from)).collect();
    programs
        .iter()
        .flat_map(|program| directories.iter().map(move |directory| directory.join(program)))
        .find(|candidate| is_executable(candidate))
        .ok_or(ServerError::NotInstalled { programs, install })
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_an_error_that_says_what_to_install() {
        let error = find(&["no-such-server-anywhere"], INSTALL_REDIS).expect_err("it is not there");
        let text = error.to_string();
        assert!(text.contains("no-such-server-anywhere"), "{text}");
        assert!(text.contains("apt-get install redis-server"), "{text}");
        assert!(text.contains("brew install redis"), "{text}");
        assert!(text.contains("Without root"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_program() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("redis-server");
        std::fs::write(&file, "text").expect("written");
        assert!(!is_executable(&file));
        assert!(!is_executable(directory.path()));
    }
}
