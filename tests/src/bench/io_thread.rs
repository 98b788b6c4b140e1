//! Is a thread of our own for the I/O worth it? Bare fred on the caller's runtime against fred on its own thread.

use redlock::testing::servers::RedisFleet;

use super::place::{Caller, Io};
use super::section::Section;
use super::yardstick::{self, Entry};
use super::{Result, bare_fred, starvation};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    #[command(flatten)]
    blocks: yardstick::Effort,
    #[command(flatten)]
    starvation: starvation::Effort,
}

/// Measures one task and 64 on five nodes, and how late renewals are while the caller's runtime is blocked.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort) -> Result<Section> {
    let fleet = RedisFleet::start(5)?;
    let urls = fleet.admin_urls();
    let mut section = Section::new("A thread of its own for the I/O").text(
        "Bare fred, doing the library's scripts: its sockets polled by the caller's runtime, or by a thread of their own; \
         and the round counted by the caller's task, or by one beside the sockets. It is why the library has a thread for I/O.",
    );
    for measured in yardstick::measure("I/O thread", entries(), &urls, &[1, 64], &effort.blocks)? {
        section = section.table(format!("Five nodes, {}", measured.extent()), measured.table());
        section = section.table("Compared block by block", measured.ratios());
    }
    let caption = "Renewal every 100 ms, every thread of the caller busy";
    Ok(section.table(caption, starvation::measure(&urls, effort.starvation)?))
}

fn entries() -> Vec<Entry> {
    use Caller::{CurrentThread, MultiThread, PlainThreads};
    use Io::{Callers, OwnThread};
    use bare_fred::{scripts, scripts_spawned};

    let current = &["caller's, current-thread"];
    let multi = &["caller's, multi-thread"];
    vec![
        Entry::here("caller's, current-thread", CurrentThread, Callers, scripts),
        Entry::here("caller's, multi-thread", MultiThread, Callers, scripts),
        Entry::here("caller's, multi-thread, spawned round", MultiThread, Callers, scripts_spawned)
            .against(multi),
        Entry::here("own, multi-thread", MultiThread, OwnThread, scripts).against(multi),
        Entry::here("own with the round, multi-thread", MultiThread, OwnThread, scripts_spawned)
            .against(multi),
        Entry::here("own, current-thread", CurrentThread, OwnThread, scripts).against(current),
        Entry::here("own with the round, current-thread", CurrentThread, OwnThread, scripts_spawned)
            .against(current),
        Entry::here("own, plain threads", PlainThreads, OwnThread, scripts).against(current),
        Entry::here("own with the round, plain threads", PlainThreads, OwnThread, scripts_spawned)
            .against(current),
    ]
}
