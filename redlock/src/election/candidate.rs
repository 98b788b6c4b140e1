//! Who stands for an election: one incarnation of one process.

use std::fmt;
use std::sync::Arc;

use crate::Locks;

/// A candidate: one [`Election`](crate::Election) of one incarnation of one process. Printed as `host:pid:started:random`.
///
/// A process that was restarted is another candidate, and so is a second election in one process; clones of an election are the same.
/// Whoever compares candidates compares all of it: hosts can be called alike, and numbers of processes come back.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Candidate(Arc<str>);

impl Candidate {
    /// A new one, of this process.
    pub(super) fn new(locks: &Locks) -> Self {
        let env = locks.env();
        let mut random = [0; 8];
        if env.fill_random(&mut random).is_err() {
            // Told apart it must be; a secret it is not.
            random = env.jitter().to_ne_bytes();
        }
        let random = u64::from_ne_bytes(random);
        let started = env.wall_micros() / 1_000;
        Self(format!("{}:{}:{started}:{random:016x}", host(), std::process::id()).into())
    }

    /// One of which others have told.
    pub(super) fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// As it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of this machine, as far as it goes without blanks.
fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let plain = |c: char| if c.is_whitespace() || c.is_control() || c == ':' { '-' } else { c };
    name.chars().map(plain).take(64).collect()
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
