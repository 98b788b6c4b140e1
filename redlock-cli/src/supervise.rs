//! A command that runs under a lock: `redlock run` and `redlock elect`. Nothing of it runs without the lock.
//!
//! Three processes stand behind one such command, all of them this program:
//!
//! * The **front** is the one that was called. It passes signals on to the keeper, stops when the command is stopped, and ends
//!   with its exit code.
//! * The **keeper**, its child, holds the lock, starts the command and sees to its end. It is in a process group of its own, so
//!   that what stops or ends the front's group leaves it alone: it renews the lock also while the front is stopped. When
//!   the front has gone, however it ended, the socket between them ends; the keeper then kills the command at once, and releases.
//! * The **command** begins as this program too, which has itself killed when the keeper dies, takes the terminal and becomes
//!   the command.
//!
//! On Linux front and keeper adopt orphans (`PR_SET_CHILD_SUBREAPER`): whatever the command starts, with sessions of its own
//! or not, stays below the keeper, and below the front when the keeper has been killed. So both can find all of it, and
//! know when nothing is left: when they have no child any more. Elsewhere the command's process group is all that is ended.
//! What another user runs (`sudo`) cannot be killed: the lock is held as long as that is there and renewal gets through.
//!
//! The front watches the keeper, too: it is told until when the lock is valid, and kills everything when that comes near
//! and nothing later is told.

#[cfg(target_os = "linux")]
mod descendants;
mod front;
mod hand_over;
mod hold;
mod job;
mod keeper;
mod limits;
mod signals;
mod terminal;
mod watch;
mod wire;

/// Only Linux keeps orphans below those who started them.
#[cfg(not(target_os = "linux"))]
mod descendants {
    pub(super) fn signal_all(_: rustix::process::Signal, _: Option<rustix::process::Pid>) -> Vec<i32> {
        Vec::new()
    }

    pub(super) fn is_orphaned_group() -> bool {
        false
    }
}

use std::ffi::OsString;
use std::process::Command;

pub(crate) use front::front;
pub(crate) use hand_over::{Args as HandOverArgs, hand_over};
pub(crate) use job::{Job, program_of};
pub(crate) use keeper::Keeper;
pub(crate) use limits::Limits;
pub(crate) use watch::{Ended, Why};

/// This very program, also when its file was replaced meanwhile.
fn this_program() -> std::io::Result<Command> {
    use std::os::unix::process::CommandExt as _;

    let path: OsString =
        if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()?.into() };
    let mut program = Command::new(path);
    program.arg0("redlock");
    Ok(program)
}

/// Has orphans below this process become its children.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // Kernels before 3.4 do not know it; then the command's process group is what is ended.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}
