//! The client of the libraries for Python, in a process of its own.

use std::path::Path;
use std::process::Command;

use redlock::testing::servers::RedisFleet;
use redlock_tests::python;
use redlock_tests::support::HolderProcess;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/client.py");

/// Starts the client: `what` as it is described there, with the servers behind it.
pub(crate) fn start(what: &[&str], fleet: &RedisFleet) -> HolderProcess {
    let interpreter = python::interpreter(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let interpreter = interpreter.unwrap_or_else(|error| panic!("{error}"));
    HolderProcess::run(Command::new(interpreter).arg(CLIENT).args(what).args(fleet.admin_urls()))
}
