//! The terminal, and whose turn it is on it.

use std::io;
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};

/// Lets this thread, and threads and processes that it starts from now on, change whose turn it is from the background too.
/// Otherwise `SIGTTOU` would stop them.
pub(super) fn allow_from_background() -> io::Result<()> {
    Ok(background_signal().thread_block()?)
}

/// As it was before [`allow_from_background`].
pub(super) fn as_before() -> io::Result<()> {
    Ok(background_signal().thread_unblock()?)
}

fn background_signal() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTTOU);
    signals
}

/// If `stdin` is our terminal and it is the turn of the group `from`, it is that of the group `to` then.
pub(super) fn pass(stdin: impl AsFd, from: Pid, to: Pid) {
    if isatty(&stdin) && tcgetpgrp(&stdin).is_ok_and(|turn| turn == from) {
        // The terminal may have gone meanwhile.
        let _ = tcsetpgrp(&stdin, to);
    }
}
