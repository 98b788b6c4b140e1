//! The binary, and how it went.

use std::process::{Command, Output, Stdio};

/// The binary, without any configuration and without input.
pub(crate) fn redlock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redlock"));
    command.stdin(Stdio::null());
    for variable in
        ["REDLOCK_NODES", "REDLOCK_NODE_SET", "REDLOCK_CONFIG", "REDLOCK_NAME", "REDLOCK_FENCING_TOKEN"]
    {
        command.env_remove(variable);
    }
    command
}

/// How a command went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn finish(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
