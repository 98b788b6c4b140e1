//! Acquire and release when nobody else wants the lock, beside bare fred doing the same commands on the same
//! arrangement of threads and waiting for the same number of replies.

use super::{
    Result, bare_fred, ours,
    place::{Caller, Io},
    yardstick::{self, Effort, Entry},
};

/// Measures, and prints to stdout.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort) -> Result<()> {
    yardstick::on_fleets(entries, effort)
}

/// The library does its I/O on a thread of its own; bare fred is measured on the same arrangement of threads, and for
/// comparison on the caller's runtime too.
fn entries() -> Vec<Entry> {
    use Caller::{CurrentThread, MultiThread, PlainThreads};

    let fred =
        |name, caller, io| Entry { name, against: None, caller, io, connect: bare_fred::rounds_at_caller };
    let ours = |name, against, caller| Entry {
        name,
        against: Some(against),
        caller,
        // It starts that thread itself.
        io: if matches!(caller, PlainThreads) { Io::OwnThread } else { Io::Callers },
        connect: ours::connect_unfenced,
    };
    let fenced = |name, against, caller| Entry {
        name,
        against: Some(against),
        caller,
        io: Io::Callers,
        connect: ours::connect,
    };
    vec![
        fred("fred, current-thread", CurrentThread, Io::Callers),
        fred("fred, multi-thread", MultiThread, Io::Callers),
        fred("fred, own I/O thread, current-thread", CurrentThread, Io::OwnThread),
        ours("redlock, current-thread", "fred, own I/O thread, current-thread", CurrentThread),
        fenced("redlock fenced, current-thread", "redlock, current-thread", CurrentThread),
        fred("fred, own I/O thread, multi-thread", MultiThread, Io::OwnThread),
        ours("redlock, multi-thread", "fred, own I/O thread, multi-thread", MultiThread),
        fenced("redlock fenced, multi-thread", "redlock, multi-thread", MultiThread),
        fred("fred, own I/O thread, plain threads", PlainThreads, Io::OwnThread),
        ours("redlock, plain threads", "fred, own I/O thread, plain threads", PlainThreads),
    ]
}
