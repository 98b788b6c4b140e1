//! The names of all contenders for free locks, and how each is started: the same in every benchmark.

use super::place::{Caller, Io};
use super::yardstick::Entry;
use super::{bare_fred, ours, rslock};

/// The library with its defaults, called from a current-thread runtime.
pub const OURS: &str = "redlock, current-thread";
/// The same from a runtime with two threads.
pub const OURS_MULTI: &str = "redlock, multi-thread";
/// The library without fencing tokens.
pub const UNFENCED: &str = "redlock unfenced, current-thread";
/// The bare client: SET NX PX, compare and delete.
pub const FRED: &str = "fred, current-thread";
/// The same on a runtime with two threads.
pub const FRED_MULTI: &str = "fred, multi-thread";
/// The bare client on a thread of its own, as the library has one, called from a current-thread runtime.
pub const FRED_OWN: &str = "fred, own I/O thread";
/// The same with the library's scripts and fencing tokens.
pub const FRED_OWN_FENCED: &str = "fred, own I/O thread, our scripts fenced";
/// The bare client with the library's scripts, without fencing tokens.
pub const FRED_SCRIPTS: &str = "fred, our scripts unfenced, current-thread";
/// The same with fencing tokens.
pub const FRED_FENCED: &str = "fred, our scripts fenced, current-thread";
/// rslock.
pub const RSLOCK: &str = "rslock, current-thread";
/// The same on a runtime with two threads.
pub const RSLOCK_MULTI: &str = "rslock, multi-thread";

/// The entry of that name; those of other libraries may fail.
pub fn entry(name: &'static str) -> Entry {
    let here = |caller, connect| Entry::here(name, caller, Io::Callers, connect);
    match name {
        OURS_MULTI => here(Caller::MultiThread, ours::connect),
        UNFENCED => here(Caller::CurrentThread, ours::connect_unfenced),
        FRED => here(Caller::CurrentThread, bare_fred::plain),
        FRED_MULTI => here(Caller::MultiThread, bare_fred::plain),
        FRED_OWN => Entry::here(name, Caller::CurrentThread, Io::OwnThread, bare_fred::plain),
        FRED_OWN_FENCED => Entry::here(name, Caller::CurrentThread, Io::OwnThread, bare_fred::fenced),
        FRED_SCRIPTS => here(Caller::CurrentThread, bare_fred::scripts),
        FRED_FENCED => here(Caller::CurrentThread, bare_fred::fenced),
        RSLOCK => here(Caller::CurrentThread, rslock::connect).may_fail(),
        RSLOCK_MULTI => here(Caller::MultiThread, rslock::connect).may_fail(),
        _ => here(Caller::CurrentThread, ours::connect),
    }
}
