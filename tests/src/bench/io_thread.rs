//! Is a thread of our own for the I/O worth it? Bare fred on the caller's runtime against fred on its own thread.

use redlock::testing::servers::RedisFleet;

use super::{
    Result, bare_fred,
    place::{Caller, Io},
    starvation,
    yardstick::{self, Effort, Entry},
};

/// Measures, and prints to stdout.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort) -> Result<()> {
    yardstick::on_fleets(entries, effort)?;
    println!("{}", starvation::measure(&RedisFleet::start(5)?.admin_urls())?);
    Ok(())
}

fn entries() -> Vec<Entry> {
    use Caller::{CurrentThread, MultiThread, PlainThreads};
    use Io::{Callers, OwnThread};
    use bare_fred::{rounds_at_caller, rounds_spawned};

    let entry = |name, against, caller, io, connect| Entry { name, against, caller, io, connect };
    vec![
        entry("a current", None, CurrentThread, Callers, rounds_at_caller),
        entry("b multi", None, MultiThread, Callers, rounds_at_caller),
        entry("b2 multi, spawned round", Some("b multi"), MultiThread, Callers, rounds_spawned),
        entry("c own, multi", Some("b multi"), MultiThread, OwnThread, rounds_at_caller),
        entry("c2 own with round, multi", Some("b multi"), MultiThread, OwnThread, rounds_spawned),
        entry("d own, current", Some("a current"), CurrentThread, OwnThread, rounds_at_caller),
        entry("d2 own with round, current", Some("a current"), CurrentThread, OwnThread, rounds_spawned),
        entry("e own, plain thread", Some("a current"), PlainThreads, OwnThread, rounds_at_caller),
        entry("e2 own with round, plain", Some("a current"), PlainThreads, OwnThread, rounds_spawned),
    ]
}
