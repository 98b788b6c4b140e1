//! A process in another time namespace: its CLOCK_BOOTTIME is not ours.

use std::process::{Command, Stdio};

use redlock_tests::support::{HolderProcess, in_time_namespace};

use super::*;

/// A day, in seconds.
const DAY: i64 = 86_400;

#[test]
fn a_process_of_another_time_namespace_does_not_share_the_directory_with_us() {
    let directory = Directory::new();
    let program = env!("CARGO_BIN_EXE_holder");
    let elsewhere = || in_time_namespace(DAY, 0, program);
    let node = directory.node();
    token(&node, "redlock:a", 1, 60_000);
    let mut command: Command = elsewhere();
    let refused =
        command.args(["hold", "a", "10000", &directory.url()]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("another clock"), "{text}");
    // When the last of us has gone, it may; and then we may not.
    drop(node);
    let mut holder = HolderProcess::spawn_on(elsewhere().args(["hold", "a", "10000"]), &[directory.url()]);
    assert_eq!(holder.line(), "held");
    let ours = FileNode::start(directory.config(), real_env().unwrap(), Protections::default()).unwrap();
    let refused = block_on(ours.probe()).unwrap_err();
    assert!(refused.detail.contains("another clock"), "{refused}");
}
