//! Where the locks may be, who may use them, and what the errors say.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use redlock::{BuildError, Locks};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_directory_that_is_made_here_is_for_its_user_alone() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    assert_eq!(mode(&directory.path()), 0o700);
    assert_eq!(mode(&directory.file()), 0o600);
}

#[test]
fn files_get_the_permissions_of_the_directory() {
    let directory = Directory::new();
    fs::create_dir(directory.path()).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o2770)).unwrap();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    for file in [directory.file(), directory.path().join("mark"), directory.path().join("lock")] {
        assert_eq!(mode(&file), 0o660, "{file:?}");
    }
    // A file that is made there belongs to the directory's group as well.
    assert_eq!(mode(directory.file().parent().unwrap()), 0o2770);
}

#[test]
fn who_may_not_use_the_directory_is_told_what_to_do() {
    let directory = Directory::new();
    token(&directory.node(), "a", 1, 60_000);
    // The way there is open.
    fs::set_permissions(directory.parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.args(["hold", "a", "10000", &directory.url()]).stdin(Stdio::null());
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Root may everything: another user then. It need not be able to read where the program lies.
        let copy = directory.parent.path().join("holder");
        fs::copy(env!("CARGO_BIN_EXE_holder"), &copy).unwrap();
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new(copy);
        command.args(args).stdin(Stdio::null()).uid(65_534).gid(65_534);
    } else {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = command.output().unwrap();
    let _ = fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("ermission denied") && text.contains("as one user"), "{text}");
}

#[test]
fn one_directory_is_one_node_whatever_it_is_called() {
    let directory = Directory::new();
    drop(directory.node());
    let alias = directory.parent.path().join("alias");
    symlink(directory.path(), &alias).unwrap();
    let urls = [directory.url(), format!("file://{}", alias.display())];
    let other = Directory::new();
    let refused = block_on(Locks::builder().nodes(urls).nodes([other.url()]).build()).unwrap_err();
    assert!(matches!(refused, BuildError::SameServer { .. }), "{refused}");
}

#[test]
fn what_can_be_no_directory_of_locks_is_refused_when_it_is_built() {
    let directory = Directory::new();
    fs::write(directory.path(), "").unwrap();
    for (url, expected) in [
        (directory.url(), "cannot create"),
        ("file:///proc/self".to_owned(), "cannot"),
        ("file://elsewhere/run".to_owned(), "another machine"),
    ] {
        let refused = block_on(Locks::builder().nodes([url.clone()]).build()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{url}: {refused}");
    }
}

#[test]
fn what_a_killed_process_has_left_is_removed() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    let file = directory.file();
    let new = file.parent().unwrap().with_file_name("new");
    // Killed after its record had got its name: the file has two.
    fs::hard_link(&file, new.join("1-0")).unwrap();
    fs::write(new.join("1-1"), "half a rec").unwrap();
    let other = directory.node();
    assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
    refusal(acquire(&other, "a", 2, 60_000), RefusalReason::Held);
}
