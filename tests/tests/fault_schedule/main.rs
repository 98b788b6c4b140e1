//! When faults strike what, and that everything is healed in the end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod playing;
mod schedules;
