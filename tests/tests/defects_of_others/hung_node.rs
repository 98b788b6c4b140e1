//! A hung server costs a bounded amount of memory.

use std::env;
use std::fs;
use std::process::Command;

use redlock::Locks;

use crate::fleet::{self, eventually};

const TASKS: usize = 8;
const CYCLES: usize = 12_000;
/// What may be waiting for the hung server at any time: some thousands of requests, and what is owed for each.
const MOST_KIB: u64 = 192 * 1_024;
/// Once that much waits, further cycles add nothing; their requests alone would take more than this.
const MOST_LATER_KIB: u64 = 8 * 1_024;
/// Set in the process that measures itself.
const MEASURES: &str = "REDLOCK_TEST_MEASURES_ITS_MEMORY";
const TEST: &str = "hung_node::thousands_of_cycles_past_a_hung_server_take_bounded_memory";

/// In a process of its own: the memory of other tests would be counted too.
#[test]
fn thousands_of_cycles_past_a_hung_server_take_bounded_memory() {
    // fred with its defaults: no time-out for commands, so that the queue towards a hung node grows.
    if env::var_os(MEASURES).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(measure());
    }
    let run = Command::new(env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(MEASURES, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{output}{}", String::from_utf8_lossy(&run.stderr));
    assert!(output.contains("grown by"), "it has measured: {output}");
}

async fn measure() {
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    cycles(&locks).await;
    let well = resident_kib();
    fleet.server(2).pause().unwrap();
    cycles(&locks).await;
    let hung = resident_kib();
    cycles(&locks).await;
    let later = resident_kib();
    println!("{well} KiB, grown by the hang to {hung} KiB, and later to {later} KiB");
    assert!(hung.saturating_sub(well) < MOST_KIB, "{well} KiB before the hang, {hung} KiB in it");
    assert!(later.saturating_sub(hung) < MOST_LATER_KIB, "{hung} KiB, later {later} KiB");
    fleet.server(2).resume().unwrap();
    eventually("no server has a key", || fleet::keys(&fleet) == 0).await;
}

async fn cycles(locks: &Locks) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let locks = locks.clone();
            tokio::spawn(async move {
                for round in 0..CYCLES / TASKS {
                    let guard = locks.lock(format!("{task}:{round}")).acquire().await.unwrap();
                    guard.release().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
