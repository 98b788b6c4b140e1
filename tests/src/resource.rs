//! What the locks protect in a run: sets that are read, and written a while later, with and without fencing tokens.
//!
//! For every name of a lock there are two sets, a [fenced](SetKind::Fenced) one and an [unfenced](SetKind::Unfenced) one. A
//! holder adds an element as one changes a file: it reads the set, and some time later writes what it has read and one
//! element more. Whoever does that while somebody else does it too makes an update of the other's disappear.
//!
//! The unfenced set checks nothing: it loses updates when a holder goes on after its lock has passed to somebody else. The
//! fenced one refuses every request with a token below the highest that it has seen, **reads included**: if a read did not
//! show the token, a late write of the holder before could still come between the read and the write of the next one, and
//! disappear although it was accepted.
//!
//! So that long runs do not send long sets around, a read returns the version of the set, and a write names the version that
//! it replaces; the set is then that version's elements and the new one. That is the same as to send them all.

mod client;
mod server;
mod sets;

pub use client::ResourceClient;
pub use server::Resource;
pub use sets::SetKind;
use sets::{Reply, Request, Sets, Step};
