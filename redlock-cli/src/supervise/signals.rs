//! The signals that are passed on to the command.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Those that a command may want to be told of. `SIGTTIN` and `SIGTTOU` are about who has the terminal, which is the
/// command, and others about faults of a process.
const PASSED_ON: &[Signal] = &[
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::WINCH,
    Signal::URG,
    Signal::IO,
    Signal::TSTP,
    Signal::CONT,
];

/// Those that end a process which does nothing about them.
const FATAL: &[Signal] =
    &[Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::ALARM];

pub(super) fn is_fatal(number: i32) -> bool {
    FATAL.iter().any(|signal| signal.as_raw() == number)
}

/// Catches signals as long as the process lives.
pub(super) struct Signals {
    streams: Vec<(Signal, tokio::signal::unix::Signal)>,
}

impl Signals {
    /// From now on they do nothing but to be told here. What is ignored, as `nohup` has it, stays so for the command too.
    pub(super) fn catch() -> io::Result<Self> {
        let ignored = ignored();
        let mut streams = Vec::new();
        for &number in PASSED_ON.iter().filter(|signal| !ignored.contains(**signal)) {
            streams.push((number, signal(SignalKind::from_raw(number.as_raw()))?));
        }
        Ok(Self { streams })
    }

    /// The next one. Cancel safe.
    pub(super) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (number, stream) in &mut self.streams {
                if let Poll::Ready(Some(())) = stream.poll_recv(context) {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// A set of signals as the kernel writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set(u64);

impl Set {
    fn contains(self, signal: Signal) -> bool {
        let bit = u32::try_from(signal.as_raw() - 1).unwrap_or(u32::MAX);
        self.0.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
    }
}

/// What this process was started with as ignored. Only Linux tells.
fn ignored() -> Set {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status).unwrap_or(Set(0))
}

fn parse_ignored(status: &str) -> Option<Set> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok().map(Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        let set = parse_ignored("Name:\ta\nSigIgn:\t0000000000001001\nSigCgt:\t0\n").unwrap();
        assert!(set.contains(Signal::HUP) && set.contains(Signal::PIPE));
        assert!(!set.contains(Signal::INT) && !set.contains(Signal::TERM));
        assert_eq!(parse_ignored("Name:\ta\n"), None);
    }
}
