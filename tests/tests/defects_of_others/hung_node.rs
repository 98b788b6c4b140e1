//! A hung server costs a bounded amount of memory.

use std::env;
use std::fs;
use std::process::Command;

use redlock::Locks;

use crate::fleet::{self, eventually};

const TASKS: usize = 8;
const CYCLES: usize = 12_000;
/// Far below what the requests of all cycles would take if they were kept, far above what comes and goes.
const MOST_KIB: u64 = 8 * 1_024;
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
    cycles(&locks, CYCLES).await;
    fleet.server(2).pause().unwrap();
    cycles(&locks, CYCLES).await;
    let before = resident_kib();
    cycles(&locks, CYCLES).await;
    let after = resident_kib();
    println!("grown by {} KiB from {before} KiB", after.saturating_sub(before));
    assert!(after.saturating_sub(before) < MOST_KIB, "{before} KiB before, {after} KiB after");
    fleet.server(2).resume().unwrap();
    eventually("no server has a key", || fleet::keys(&fleet) == 0).await;
}

async fn cycles(locks: &Locks, count: usize) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let locks = locks.clone();
            tokio::spawn(async move {
                for round in 0..count / TASKS {
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
