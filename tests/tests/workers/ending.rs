//! No worker outlives what started it.

use std::process::{Command, Stdio};

use redlock_tests::support::eventually;
use redlock_tests::worker::Habit;
use rustix::process::{Pid, test_kill_process};

use super::world::{World, acquired, program};

#[test]
fn a_worker_ends_when_its_stdin_ends() {
    let world = World::start();
    let mut worker = Command::new(program())
        .arg("worker")
        .args(world.options(0, 1, Habit::Mixed).arguments())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // As the system does when the process that started it is killed.
    drop(worker.stdin.take());
    let status = worker.wait().unwrap();
    assert!(!status.success(), "nobody told it that the run was over: {status}");
}

#[test]
fn a_crew_that_is_dropped_leaves_no_process_also_none_that_stands_still() {
    let world = World::start();
    let crew = world.crew(0..2, 1, Habit::Mixed);
    eventually("both are at work", || {
        let history = world.history(&[&crew]);
        (0..2).all(|client| acquired(&history, client) > 0)
    });
    crew.pause(0).unwrap();
    let pids = crew.pids();
    drop(crew);
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        assert!(test_kill_process(pid).is_err(), "{pid:?} is still there");
    }
}
