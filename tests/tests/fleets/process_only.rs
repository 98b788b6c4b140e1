//! What only native servers let one do: power losses, lagging replicas, clocks, and a look for what is left of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redlock_tests::fleet::{Action, Fleet as _, ProcessFleet, ask};
use redlock_tests::support::eventually;

use super::client::{KEY, get, info, set, urls, value};
use super::process_fleet;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_power_loss_takes_the_newest_writes_and_leaves_those_from_before_the_start() {
    let fleet = process_fleet(1);
    set(&fleet, 0, "redlock:old", "kept");
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::Start).unwrap();
    // A machine that stands still for a second between the write and the loss keeps the write.
    eventually("a write that was answered is lost", || {
        set(&fleet, 0, KEY, "new");
        let run = info(&fleet, 0, "run_id");
        fleet.act(0, Action::LosePower).unwrap();
        assert_ne!(info(&fleet, 0, "run_id"), run);
        value(&fleet, 0).is_none()
    });
    assert_eq!(get(&fleet, 0, &["GET", "redlock:old"]).as_deref(), Some("kept"));
}

#[test]
fn a_power_loss_leaves_what_was_written_long_before() {
    let fleet = process_fleet(1);
    // Each is written a while after the one before, so that a loss takes the last of them and not the first.
    let mut count = 0_u32;
    eventually("an early write outlives a loss", || {
        count += 1;
        set(&fleet, 0, &format!("redlock:{count}"), "1");
        if !count.is_multiple_of(400) {
            return false;
        }
        fleet.act(0, Action::LosePower).unwrap();
        get(&fleet, 0, &["GET", "redlock:1"]).is_some()
    });
    set(&fleet, 0, "redlock:last", "1");
}

#[test]
fn a_node_that_is_dead_can_lose_power() {
    let fleet = process_fleet(1);
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::LosePower).unwrap();
    set(&fleet, 0, KEY, "1");
}

/// Counts up on a node until it is cut off; says what it was answered last.
fn count_up(url: &str, stop: &AtomicBool) -> u64 {
    let mut last = 0;
    while !stop.load(Ordering::SeqCst) {
        let Ok(answer) = ask(url, &["SET", KEY, &(last + 1).to_string()], SECOND) else { break };
        assert_eq!(answer.into_string().as_deref(), Some("OK"));
        last += 1;
    }
    last
}

/// Promotes a replica while a client writes; says what the client was answered last, and what is left of it.
fn promote_under_writes(fleet: &ProcessFleet) -> (u64, u64) {
    let url = &urls(fleet)[0];
    let stop = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let writer = scope.spawn(|| count_up(url, &stop));
        eventually("it has begun", || value(fleet, 0).is_some());
        fleet.act(0, Action::Promote).unwrap();
        stop.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });
    let left = value(fleet, 0).unwrap().parse().unwrap();
    (answered, left)
}

#[test]
fn a_promoted_replica_lags_and_is_another_process_at_the_same_address() {
    let fleet = process_fleet(1);
    set(&fleet, 0, "redlock:old", "kept");
    let (addresses, run, url) = (fleet.addresses(), info(&fleet, 0, "run_id"), urls(&fleet));
    let mut left = 0;
    // Whoever writes may go on at the new master, and hide what was lost; or get no turn while it lags.
    eventually("writes that were answered are lost", || {
        fleet.act(0, Action::Flush).unwrap();
        set(&fleet, 0, "redlock:old", "kept");
        let (answered, kept) = promote_under_writes(&fleet);
        left = kept;
        kept < answered
    });
    assert!(left > 0);
    assert_eq!((fleet.addresses(), urls(&fleet)), (addresses, url));
    assert_ne!(info(&fleet, 0, "run_id"), run);
    assert_eq!(info(&fleet, 0, "role"), "master");
    assert_eq!(get(&fleet, 0, &["GET", "redlock:old"]).as_deref(), Some("kept"));
}

#[test]
fn a_promoted_replica_is_a_node_like_any_other() {
    let fleet = process_fleet(1);
    set(&fleet, 0, KEY, "kept");
    for _ in 0..2 {
        fleet.act(0, Action::Promote).unwrap();
        assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
    }
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::Start).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
    assert_eq!(info(&fleet, 0, "role"), "master");
    fleet.act(0, Action::LosePower).unwrap();
    assert_eq!(value(&fleet, 0).as_deref(), Some("kept"));
    fleet.act(0, Action::Kill).unwrap();
    fleet.act(0, Action::StartEmpty).unwrap();
    assert_eq!(value(&fleet, 0), None);
}

fn pttl(fleet: &ProcessFleet) -> Duration {
    let left = ask(&urls(fleet)[0], &["PTTL", KEY], SECOND * 5).unwrap();
    Duration::from_millis(left.as_u64().unwrap())
}

#[test]
fn a_node_s_clock_moves_what_is_left_of_a_ttl() {
    const TTL: &str = "3600000";
    let fleet = process_fleet(1);
    assert!(get(&fleet, 0, &["SET", KEY, "1", "PX", TTL]).is_some());
    let hour = SECOND * 3_600;
    fleet.act(0, Action::ClockBack(hour)).unwrap();
    assert!(pttl(&fleet) > hour);
    fleet.act(0, Action::ClockForward(hour + hour / 2)).unwrap();
    assert!(pttl(&fleet) < hour - SECOND * 60);
    // A promoted replica and a restarted node show the same time.
    fleet.act(0, Action::Promote).unwrap();
    assert!(pttl(&fleet) < hour - SECOND * 60);
    fleet.act(0, Action::ClockForward(hour)).unwrap();
    assert_eq!(value(&fleet, 0), None);
}

#[test]
fn a_node_s_clock_gains_for_a_while() {
    let fleet = process_fleet(1);
    assert!(get(&fleet, 0, &["SET", KEY, "1", "PX", "1000000000"]).is_some());
    let before = pttl(&fleet);
    // A thousand times as fast.
    fleet.act(0, Action::ClockRate(1_000_000_000)).unwrap();
    eventually("minutes have passed there", || before - pttl(&fleet) > SECOND * 300);
    fleet.act(0, Action::ClockRate(0)).unwrap();
    assert!(value(&fleet, 0).is_some());
}

#[test]
fn a_dropped_fleet_leaves_no_process_and_no_directory() {
    let fleet = process_fleet(2);
    fleet.act(0, Action::Promote).unwrap();
    fleet.act(1, Action::LosePower).unwrap();
    let left: Vec<(String, PathBuf)> = (0..2)
        .map(|node| {
            let configuration = info(&fleet, node, "config_file");
            let directory = Path::new(&configuration).parent().unwrap().to_owned();
            (format!("/proc/{}", info(&fleet, node, "process_id")), directory)
        })
        .collect();
    let there = |(process, directory): &(String, PathBuf)| (Path::new(process).exists(), directory.exists());
    assert!(left.iter().all(|one| there(one) == (true, true)));
    fleet.act(1, Action::Pause).unwrap();
    drop(fleet);
    assert!(left.iter().all(|one| there(one) == (false, false)));
}
