//! What becomes of locks when members hang, die, come back, or are too few.

use std::thread;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::backend::etcd::EtcdConfig;
use redlock::node::{Node, NodeErrorKind, RefusalReason, Reply};
use redlock::testing::servers::EtcdEnsemble;
use redlock_tests::support::eventually;

use crate::{Bench, acquisition, extension, granted, refused};

/// A node that asks these members, the first one first.
fn asking(ensemble: &EtcdEnsemble, members: &[usize]) -> Bench {
    let addresses = members.iter().map(|&index| ensemble.member(index).address());
    Bench::with(EtcdConfig::new(addresses).unwrap())
}

fn is_granted(reply: Result<Reply, redlock::node::NodeError>) -> bool {
    matches!(reply, Ok(Reply::Granted(_)))
}

#[test]
fn locks_outlast_what_becomes_of_members() {
    let ensemble = EtcdEnsemble::start(3).unwrap();
    let leader = ensemble.leader().unwrap();
    let (follower, third) = ((leader + 1) % 3, (leader + 2) % 3);

    // Its members are one store, and no quorum.
    let members = ensemble.addresses().into_iter().map(|address| format!("etcd://{address}"));
    let error = block_on(redlock::Locks::builder().nodes(members).build()).unwrap_err().to_string();
    assert!(error.contains("the same server"), "{error}");

    // A member that hangs costs a request a part of its time, not its success.
    let bench = asking(&ensemble, &[follower, leader, third]);
    let token = granted(bench.fenced("held", 1, 1)).unwrap();
    granted(bench.acquire("watched", 1, 60_000));
    let mut watched = block_on(bench.node().watch(crate::name("watched"))).unwrap();
    ensemble.member(follower).pause().unwrap();
    granted(bench.fenced("while it hangs", 1, 1));
    granted(asking(&ensemble, &[follower, leader, third]).acquire("whom it is asked first", 1, 60_000));
    assert!(bench.release("whom it is asked first", 1).unwrap().was_held);
    assert!(bench.release("while it hangs", 1).unwrap().was_held);
    assert!(bench.release("watched", 1).unwrap().was_held);
    // If it is the one that hangs which is watched: that nobody can tell.
    eventually("a waiter is told", || (&mut watched).now_or_never().is_some());
    granted(bench.extend("held", 1, 60_000));
    let findings = block_on(bench.node().examine()).unwrap().findings;
    let said = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let address = ensemble.member(follower).address();
    assert!(said.contains(&format!("its member {address} does not answer")), "{said}");
    assert!(said.contains("it has 3 members, of which 1 may fail"), "{said}");
    ensemble.member(follower).resume().unwrap();

    // A leader that hangs: another one takes over, and the holder goes on. What the old one was asked meanwhile, it
    // runs when it wakes, or refuses; it grants nothing that is somebody else's.
    let alone = asking(&ensemble, &[leader]);
    granted(alone.acquire("passed on", 1, 60_000));
    ensemble.member(leader).pause().unwrap();
    let late = [
        thread::spawn({
            let node = alone.node();
            move || block_on(node.acquire(acquisition("held", 9, 60_000)))
        }),
        thread::spawn({
            let node = alone.node();
            move || block_on(node.extend(extension("passed on", 1, 60_000)))
        }),
    ];
    eventually("the holder extends", || is_granted(bench.extend("held", 1, 60_000)));
    eventually("its lock is passed on", || bench.release("passed on", 1).is_ok());
    eventually("the next one has it", || is_granted(bench.acquire("passed on", 2, 60_000)));
    ensemble.member(leader).resume().unwrap();
    for answer in late {
        let answer = answer.join().unwrap();
        assert!(!is_granted(answer.clone()), "{answer:?}");
    }
    eventually("the old leader knows who has it", || {
        matches!(alone.acquire("held", 9, 60_000), Ok(Reply::Refused(_)))
    });
    refused(alone.extend("passed on", 1, 60_000), RefusalReason::Held);
    assert!(bench.release("passed on", 2).unwrap().was_held);

    // A leader that dies while the lock is held: the same.
    let leader = ensemble.leader().unwrap();
    ensemble.member(leader).kill();
    eventually("the holder extends again", || is_granted(bench.extend("held", 1, 60_000)));
    let left: Vec<_> = (0..3).filter(|&index| index != leader).collect();

    // Too few: nothing is granted, and it is said why.
    ensemble.member(left[0]).kill();
    eventually("too few can grant nothing", || {
        // Just after the kill it may be between two attempts to reach anybody.
        let error = bench.acquire("free", 1, 60_000).unwrap_err();
        matches!(error.kind, NodeErrorKind::NotReady | NodeErrorKind::Timeout)
    });
    ensemble.member(left[1]).kill();
    eventually("it is unreachable", || {
        bench.acquire("free", 1, 60_000).is_err_and(|error| error.kind == NodeErrorKind::Unreachable)
    });

    // All come back: locks and counters are as they were.
    thread::scope(|scope| {
        let starting: Vec<_> = ensemble.iter().map(|member| scope.spawn(|| member.restart())).collect();
        starting.into_iter().for_each(|member| member.join().unwrap().unwrap());
    });
    eventually("the holder extends after all", || is_granted(bench.extend("held", 1, 60_000)));
    refused(asking(&ensemble, &[0, 1, 2]).acquire("held", 2, 60_000), RefusalReason::Held);
    eventually("it is released", || bench.release("held", 1).is_ok());
    let next = crate::eventually_granted(&bench, "held", 3).unwrap();
    assert!(next > token);
    eventually("it is released again", || bench.release("held", 3).is_ok());
    eventually("what was given up is gone", || !bench.is_held("free"));
    bench.release("watched", 1).unwrap();
    assert_eq!(ensemble.lock_keys().unwrap(), [""; 0]);
}
