//! A server's process: it never outlives its value, nor the program that started it.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Its stdin is a pipe from this program. The pipe's end means that this program is gone, even by SIGKILL.
const WATCHDOG: &str = r#"read -r pid; read -r end; [ -n "$pid" ] && kill -KILL "$pid"; rm -rf -- "$1""#;

#[derive(Debug)]
pub(super) struct ServerProcess {
    server: Child,
    watchdog: Child,
}

impl ServerProcess {
    /// Starts `command`. Should this program die, the process is killed and `directory` removed.
    ///
    /// Both get a process group of their own: a Ctrl-C on the terminal is for this program to handle.
    pub(super) fn spawn(command: &mut Command, directory: &Path) -> io::Result<Self> {
        // The watchdog comes first, so that there is hardly a moment in which the server runs unwatched.
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let server = match command.stdin(Stdio::null()).process_group(0).spawn() {
            Ok(server) => server,
            Err(error) => {
                dismiss(&mut watchdog);
                return Err(error);
            }
        };
        let mut process = Self { server, watchdog };
        let pid = process.pid();
        if let Some(pipe) = &mut process.watchdog.stdin {
            writeln!(pipe, "{pid}")?;
        }
        Ok(process)
    }

    pub(super) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Whether it has not ended. Does not collect the process: its id stays taken until this value is dropped, so that
    /// neither a signal nor the watchdog can ever hit a stranger.
    pub(super) fn is_running(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.server)), options)?.is_none())
    }

    /// Stops it (SIGSTOP) and returns once it stands still, or has ended.
    pub(super) fn pause(&self) -> io::Result<()> {
        let pid = Pid::from_child(&self.server);
        kill_process(pid, Signal::STOP)?;
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), options)?;
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    pub(super) fn resume(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.server), Signal::CONT)?)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // The server is collected last: until then its id cannot become that of a stranger.
        let _ = self.server.kill();
        dismiss(&mut self.watchdog);
        let _ = self.server.wait();
    }
}

fn dismiss(watchdog: &mut Child) {
    let _ = watchdog.kill();
    let _ = watchdog.wait();
}
