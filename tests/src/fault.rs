//! What goes wrong in a run: kinds that a user names, and when each strikes what.

mod draw;
mod limits;
mod play;
mod possible;
mod schedule;
mod strike;

pub use play::{Progress, play};
pub use possible::{check, possible};
pub use schedule::{Plan, Store, left_out, schedule};
pub use strike::{Crew, Figures, Stage, Strike};

use std::fmt;
use std::str::FromStr;

/// A kind of fault, as `--faults` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Node: SIGKILL, and started again a while later with its files.
    Kill,
    /// Node: SIGKILL, and started again without any files.
    Amnesia,
    /// Node: power loss; it comes back with files of some time ago.
    Power,
    /// Node: SIGSTOP for a while.
    Pause,
    /// Node: FLUSHALL.
    Flush,
    /// Node: a lagging replica takes its place.
    Promote,
    /// Node: its wall clock jumps, by milliseconds to minutes, in either direction.
    Clock,
    /// Node: its wall clock slews for a while, as fast as chrony may (8 %).
    Slew,
    /// Ways between clients and nodes: nothing passes in one direction or both, for a while.
    Partition,
    /// A way: the request arrives, its reply does not.
    ReplyLost,
    /// A way: everything is late for a while.
    Delay,
    /// A way: the connection is reset.
    Reset,
    /// Client: SIGKILL, and another process in its place.
    ClientKill,
    /// Client: SIGSTOP for a while, often beyond its locks' validity.
    ClientPause,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Kill,
        Self::Amnesia,
        Self::Power,
        Self::Pause,
        Self::Flush,
        Self::Promote,
        Self::Clock,
        Self::Slew,
        Self::Partition,
        Self::ReplyLost,
        Self::Delay,
        Self::Reset,
        Self::ClientKill,
        Self::ClientPause,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Amnesia => "amnesia",
            Self::Power => "power",
            Self::Pause => "pause",
            Self::Flush => "flush",
            Self::Promote => "promote",
            Self::Clock => "clock",
            Self::Slew => "slew",
            Self::Partition => "partition",
            Self::ReplyLost => "reply-lost",
            Self::Delay => "delay",
            Self::Reset => "reset",
            Self::ClientKill => "client-kill",
            Self::ClientPause => "client-pause",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no fault `{text}`; expected one of {names}")
        })
    }
}
