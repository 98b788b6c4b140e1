//! Removes a fleet's containers should this program end without having done so.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::container::FLEET;

/// Its stdin is a pipe from this program. The pipe's end means that this program is gone, even by SIGKILL.
const SCRIPT: &str = r#"read -r end; ids=$(docker ps -aq --filter "label=$1") && docker rm -f -v $ids"#;

/// Dropping it calls it off.
pub(super) struct Watchdog(Child);

impl Watchdog {
    /// None where there is no shell. Without the `docker` command it does nothing.
    pub(super) fn start(fleet: &str) -> Option<Self> {
        // A Ctrl-C on the terminal ends this program, and not its watchdog.
        let started = Command::new("sh")
            .args(["-c", SCRIPT, "sh", &format!("{FLEET}={fleet}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        started.ok().map(Self)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
