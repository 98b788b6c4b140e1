//! An update of the resource under a lock: read, let time pass, write.

use std::time::Duration;

use redlock::Held;

use crate::history::Write;
use crate::resource::{ResourceClient, SetKind};

/// The versions of the two sets that were read; `None` if that was refused or failed.
pub(super) struct Read {
    fenced: Result<usize, Write>,
    unfenced: Result<usize, Write>,
}

/// What is done between the read and the write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) time: Duration,
    /// Whether the lock is looked at before the write: without it, a holder that was stopped writes after its time.
    pub(super) looks: bool,
}

/// Reads both sets.
pub(super) fn read(resource: &mut ResourceClient, held: &Held) -> Read {
    let (name, token) = (held.name().to_string(), token(held));
    let mut ask = |set| match resource.read(set, &name, token) {
        Ok(Some(version)) => Ok(version),
        Ok(None) => Err(Write::Refused),
        Err(_) => Err(Write::NotTried),
    };
    Read { fenced: ask(SetKind::Fenced), unfenced: ask(SetKind::Unfenced) }
}

/// Writes both sets with an element more; how that ended, the fenced one first.
pub(super) fn write(
    resource: &mut ResourceClient,
    held: &Held,
    read: &Read,
    element: &str,
    looks: bool,
) -> (Write, Write) {
    if looks && !held.is_valid() {
        return (Write::NotTried, Write::NotTried);
    }
    let (name, token) = (held.name().to_string(), token(held));
    let mut ask = |set, version: Result<usize, Write>| match version {
        Err(why) => why,
        Ok(version) => match resource.write(set, &name, token, version, element) {
            Ok(true) => Write::Done,
            Ok(false) => Write::Refused,
            Err(_) => Write::NotTried,
        },
    };
    (ask(SetKind::Fenced, read.fenced), ask(SetKind::Unfenced, read.unfenced))
}

fn token(held: &Held) -> Option<u64> {
    held.fencing_token().map(redlock::FencingToken::get)
}
