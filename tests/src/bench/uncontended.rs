//! Acquire and release when nobody else wants the lock, beside bare fred doing the same commands on the same
//! arrangement of threads and waiting for the same number of replies.

use super::{
    Result, bare_fred,
    fleet::Fleet,
    machine,
    place::{Caller, Io},
    yardstick::{self, Effort, Entry},
};

/// Options of `bench uncontended`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    effort: Effort,
}

/// Measures, and prints to stdout.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(args: &Args) -> Result<()> {
    println!("{}", machine::description()?);
    for &nodes in &args.effort.nodes {
        let fleet = Fleet::start(nodes.into())?;
        println!("{}", yardstick::measure(entries(), &fleet.urls(), &args.effort)?);
    }
    Ok(())
}

/// Bare fred on every arrangement; another contender is an entry `against` the one with the same threads.
fn entries() -> Vec<Entry> {
    use Caller::{CurrentThread, MultiThread, PlainThreads};

    let fred = |name, caller, io, connect| Entry { name, against: None, caller, io, connect };
    vec![
        fred("fred, current-thread", CurrentThread, Io::Callers, bare_fred::rounds_at_caller),
        fred("fred, multi-thread", MultiThread, Io::Callers, bare_fred::rounds_at_caller),
        fred(
            "fred, own I/O thread, current-thread",
            CurrentThread,
            Io::OwnThread,
            bare_fred::rounds_at_caller,
        ),
        fred("fred, own I/O thread, multi-thread", MultiThread, Io::OwnThread, bare_fred::rounds_at_caller),
        fred("fred, own I/O thread, plain threads", PlainThreads, Io::OwnThread, bare_fred::rounds_at_caller),
    ]
}
