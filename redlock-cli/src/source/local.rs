//! Where `--local` keeps its locks: a directory that every process of a user finds, whatever its environment is.
//!
//! `XDG_RUNTIME_DIR` is none: cron jobs do not have it, and it is removed when the user logs out. `HOME` can be set to anything,
//! and is often on a network. `/run/lock` is there for locks, and nothing tidies it up.

use std::fs::{DirBuilder, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use redlock::backend::file::FileConfig;
use rustix::process::geteuid;

use crate::exit::Failed;

const FOR_LOCKS: &str = "/run/lock";
/// Where `/run/lock` is for root alone, or is not.
const ELSEWHERE: &str = "/var/tmp";

/// The directory for locks of this user. It is made if it is not there, and belongs to nobody else.
pub(super) fn directory() -> Result<FileConfig, Failed> {
    let user = geteuid().as_raw();
    let directory = home_of_locks(user).join(format!("redlock-{user}"));
    match own(&directory, user) {
        Ok(()) => Ok(FileConfig::new(directory)),
        Err(why) => Err(Failed::Misconfigured(format!("--local: {}: {why}", directory.display()))),
    }
}

fn home_of_locks(user: u32) -> &'static Path {
    let everybody_may_write = symlink_metadata(FOR_LOCKS).is_ok_and(|found| {
        let mode = found.mode();
        found.is_dir() && (user == 0 || mode & 0o1002 == 0o1002)
    });
    Path::new(if everybody_may_write { FOR_LOCKS } else { ELSEWHERE })
}

/// Sees to it that the directory is there, and that no other user can change what is in it.
fn own(directory: &PathBuf, user: u32) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("it cannot be created: {error}")),
    }
    // No link is followed: others may write to the folder above.
    let found = symlink_metadata(directory).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is no directory".to_owned());
    }
    if found.uid() != user {
        return Err(format!("it belongs to user {}, not to {user}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return Err("other users may use it; chmod 700".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn only_a_directory_of_this_user_alone_is_taken() {
        let user = geteuid().as_raw();
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("locks");
        assert_eq!(own(&directory, user), Ok(()));
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert_eq!(own(&directory, user), Ok(()), "it is there now");
        assert!(own(&directory, user + 1).unwrap_err().contains("belongs to user"));
        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        assert!(own(&directory, user).unwrap_err().contains("other users"));
        let link = place.path().join("link");
        symlink(&directory, &link).unwrap();
        assert_eq!(own(&link, user), Err("it is no directory".to_owned()));
        assert!(own(&directory.join("a/b"), user).unwrap_err().contains("cannot be created"));
    }
}
