//! Clients of several libraries contend for a number in a file that nothing else protects.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, assert_no_key_is_left};
use tokio::runtime;

use crate::python;
use crate::rivals::{Library, rslock_manager};

const KEY: &str = "redlock:counter";
/// Far longer than any turn.
const TTL: Duration = Duration::from_secs(10);

/// Who takes part, and how many turns each of them takes.
struct Crew {
    ours: (usize, u64),
    theirs: &'static [(Library, usize, u64)],
}

fn times() -> u64 {
    let Ok(text) = std::env::var("REDLOCK_INTEROP_TIMES") else { return 1 };
    text.parse().unwrap_or_else(|_| panic!("REDLOCK_INTEROP_TIMES={text} is not a number"))
}

/// Every one of ours and of the Python ones is a process; those of rslock are threads of this one.
fn contend(crew: &Crew) {
    let fleet = RedisFleet::start(5).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counter");
    fs::write(&file, "0").unwrap();

    let mut in_python = Vec::new();
    let mut total = 0;
    for &(library, clients, turns) in crew.theirs.iter().filter(|(library, ..)| *library != Library::Rslock) {
        for _ in 0..clients {
            let turns = turns * times();
            let (name, path) = (library.name_of(KEY), file.to_str().unwrap());
            let what = ["contend", library.in_python(), name, &turns.to_string(), path];
            in_python.push((library, turns, python::start(&what, &fleet)));
        }
    }
    for (.., process) in &mut in_python {
        assert_eq!(process.line(), "ready");
    }
    let started = Instant::now();
    let turns = crew.ours.1 * times();
    let mut ours: Vec<_> = (0..crew.ours.0)
        .map(|_| {
            let what = ["count", "counter", &turns.to_string(), file.to_str().unwrap()];
            total += turns;
            HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &what, &fleet)
        })
        .collect();
    let mut threads: Vec<JoinHandle<u64>> = Vec::new();
    for &(_, clients, turns) in crew.theirs.iter().filter(|(library, ..)| *library == Library::Rslock) {
        for _ in 0..clients {
            let (manager, file, turns) = (rslock_manager(&fleet), file.clone(), turns * times());
            total += turns;
            threads.push(thread::spawn(move || contend_with_rslock(&manager, &file, turns)));
        }
    }
    for (_, turns, process) in &mut in_python {
        total += *turns;
        process.ask();
    }

    for process in &mut ours {
        assert_eq!(process.line(), "done");
    }
    for thread in threads {
        let refused = thread.join().unwrap();
        println!("rslock: refused {refused} times");
        assert!(refused > 0, "nobody contended with rslock");
    }
    for (library, turns, process) in &mut in_python {
        let line = process.line();
        let refused = line.strip_prefix(&format!("done {turns} ")).unwrap_or_else(|| panic!("{line:?}"));
        println!("{library:?}: refused {refused} times");
        assert_ne!(refused, "0", "nobody contended with {library:?}");
    }
    println!("{total} turns in {:.1?}", started.elapsed());
    assert_eq!(read(&file), total);
    // Pottery returns when a quorum has answered, and its release may overtake its own requests to the others: now and then it
    // leaves a key on a minority until the TTL has passed.
    if in_python.iter().all(|(library, ..)| *library != Library::Pottery) {
        assert_no_key_is_left(&fleet);
    }
}

/// Takes turns under the lock; says how often it was refused.
fn contend_with_rslock(manager: &rslock::LockManager, file: &PathBuf, turns: u64) -> u64 {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut refused = 0;
        for _ in 0..turns {
            let (lock, started) = loop {
                let started = Instant::now();
                match manager.lock(KEY, TTL).await {
                    Ok(lock) => break (lock, started),
                    Err(rslock::LockError::Unavailable) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
                let pause = Duration::from_micros(rand::rng().random_range(0..5_000));
                tokio::time::sleep(pause).await;
            };
            let number = read(file);
            thread::yield_now();
            // Nothing renews it; a machine that stands still must not be taken for a defect.
            assert!(started.elapsed() < TTL / 2, "the machine is too slow for this test");
            fs::write(file, (number + 1).to_string()).unwrap();
            manager.unlock(&lock).await;
        }
        refused
    })
}

fn read(file: &Path) -> u64 {
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

#[test]
fn ours_and_rslock_lose_no_update() {
    contend(&Crew { ours: (2, 250), theirs: &[(Library::Rslock, 2, 250)] });
}

#[test]
fn ours_and_redlock_py_lose_no_update() {
    contend(&Crew { ours: (2, 150), theirs: &[(Library::RedlockPy, 2, 60)] });
}

#[test]
fn ours_and_pottery_lose_no_update() {
    contend(&Crew { ours: (2, 130), theirs: &[(Library::Pottery, 2, 40)] });
}

#[test]
fn all_four_lose_no_update() {
    let theirs = &[(Library::Rslock, 1, 100), (Library::RedlockPy, 1, 20), (Library::Pottery, 1, 20)];
    contend(&Crew { ours: (1, 100), theirs });
}
