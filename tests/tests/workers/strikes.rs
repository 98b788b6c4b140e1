//! Clients that are stopped and killed while they contend.

use std::time::Instant;

use redlock_tests::history::{RunEvent, Target};
use redlock_tests::oracle::judge;
use redlock_tests::support::eventually;
use redlock_tests::worker::Habit;

use super::world::{TTL, World, acquired};

#[test]
fn clients_that_are_stopped_and_killed_never_make_two_holders() {
    let world = World::start();
    let crew = world.crew(0..4, 2, Habit::Mixed);
    eventually("all clients are at work", || {
        let history = world.history(&[&crew]);
        (0..4).all(|client| acquired(&history, client) >= 2) && judge(&history).figures.fenced.done > 0
    });
    for round in 0..3 {
        let (stopped, killed) = (round, (round + 1) % 4);
        let fault = |id: usize, kind: &str, client| {
            let (kind, target) = (kind.to_owned(), Target::Client(client));
            world.recorder.run(RunEvent::Fault { id: id as u64, kind, target, detail: String::new() });
        };
        fault(2 * round, "client-pause", stopped);
        crew.pause(stopped).unwrap();
        fault(2 * round + 1, "client-kill", killed);
        crew.kill_and_replace(killed).unwrap();
        let (since, before) = (Instant::now(), acquired(&world.history(&[&crew]), killed));
        eventually("whatever the stopped client held has ended, and the killed one is back", || {
            since.elapsed() > TTL * 3 / 2 && acquired(&world.history(&[&crew]), killed) > before
        });
        crew.resume(stopped).unwrap();
        world.recorder.run(RunEvent::Healed { id: 2 * round as u64 });
    }
    let verdict = world.end(&[&crew]);
    println!("{:#?}", verdict.figures);
    assert!(verdict.is_good(), "{verdict:#?}");
    assert!(verdict.figures.recovery.is_some(), "{verdict:#?}");
}
