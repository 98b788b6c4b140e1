//! Three members, of which one fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use redlock::Locks;
use redlock::blocking;
use redlock_tests::support::eventually;

use super::*;

fn locks(config: ZooKeeperConfig) -> blocking::Locks {
    let builder = Locks::builder().zookeeper(config).ttl(millis(20_000)).max_ttl(millis(20_000));
    builder.node_timeout(millis(1_000)).build_blocking().unwrap()
}

#[test]
fn locks_survive_a_dead_leader_and_a_hung_one_and_count_exactly() {
    let ensemble = ZooKeeperEnsemble::start(3).unwrap();
    let leader = ensemble.leader().unwrap();
    // So long that an election on a busy machine is no loss.
    let config = || config(&ensemble, "three").session_timeout(Duration::from_secs(24));
    let (one, two) = (locks(config()), locks(config()));
    let guard = one.lock("held").acquire().unwrap();
    let token = guard.fencing_token().unwrap();

    ensemble.member(leader).kill();
    eventually("it is extended under another leader", || guard.extend().is_ok());
    assert!(guard.is_valid());
    eventually("the other client is refused", || matches!(two.lock("held").try_acquire(), Ok(None)));
    ensemble.member(leader).restart().unwrap();
    assert!(guard.is_valid());

    let leader = ensemble.leader().unwrap();
    ensemble.member(leader).pause().unwrap();
    eventually("another one leads, while it hangs", || guard.extend().is_ok());
    assert!(guard.is_valid());
    ensemble.member(leader).resume().unwrap();
    guard.release().unwrap();
    let next = two.lock("held").acquire().unwrap();
    assert!(next.fencing_token().unwrap() > token, "counters are kept");
    next.release().unwrap();

    // Reads and writes apart: only mutual exclusion makes the sum come out.
    let sum = AtomicU64::new(0);
    const ROUNDS: u64 = 8;
    thread::scope(|scope| {
        for locks in [&one, &one, &two, &two] {
            let sum = &sum;
            scope.spawn(move || {
                let mut last = None;
                for _ in 0..ROUNDS {
                    let guard = locks.lock("sum").acquire().unwrap();
                    assert!(guard.fencing_token() > last);
                    last = guard.fencing_token();
                    let seen = sum.load(Ordering::SeqCst);
                    thread::yield_now();
                    sum.store(seen + 1, Ordering::SeqCst);
                    drop(guard);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), 4 * ROUNDS);
    drop((one, two));
    eventually("nothing is left but counters", || ensemble.ephemerals().unwrap().is_empty());
}
