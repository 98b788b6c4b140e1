//! The systemd unit.

use std::fs;
use std::process::Command;

use crate::{deploy, grace, is_installed, read, seconds};

fn unit() -> String {
    read(&deploy("reports.service"))
}

fn setting(name: &str) -> String {
    let unit = unit();
    let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
}

#[test]
fn stopping_waits_longer_than_the_work_may_take_to_stop() {
    let words: Vec<String> = setting("ExecStart").split_whitespace().map(str::to_owned).collect();
    assert!(seconds(&setting("TimeoutStopSec")) >= grace(&words) + grace(&words) / 2);
    // Only the command is asked to stop: it stops its own, and gives the leadership up behind that.
    assert_eq!(setting("KillMode"), "mixed");
    assert_eq!(setting("Restart"), "always");
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reports.service");
    // The command is not installed here, and neither is its manual page.
    let here = unit()
        .replace("/usr/local/bin/redlock", env!("CARGO_BIN_EXE_redlock"))
        .replace("Documentation=", "# ");
    fs::write(&file, here).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("reports.service"), "{said}");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}
