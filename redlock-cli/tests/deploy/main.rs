//! What `examples/deploy` says is what the command, the library, Redis, Prometheus and systemd take, and what `docs/operations.md` tells.
//! (That the command lines in it are understood is shown by `documented` in the command itself.)
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

mod alarms;
mod image;
mod losses;
mod manifests;
mod page;
mod servers;
mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn deploy(file: &str) -> PathBuf {
    root().join("examples/deploy").join(file)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a program is on this machine; where it is not, what it would check is not checked.
fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let found =
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("{program} is not installed: what it would check is not checked");
    }
    found.is_ok()
}

/// `20s`, or seconds.
fn seconds(text: &str) -> Duration {
    Duration::from_secs(
        text.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("{text} is no number of seconds")),
    )
}

/// What is behind `--grace`.
fn grace(words: &[String]) -> Duration {
    let index = words.iter().position(|word| word == "--grace").unwrap();
    seconds(&words[index + 1])
}
