//! Elections on five real Redis.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{Election, LeadershipState, Locks, LostReason, Observation, Observer};
use redlock_tests::support::{self, eventually};

const TTL: Duration = Duration::from_secs(3);

fn candidate(fleet: &RedisFleet) -> (Locks, Election) {
    let locks = block_on(support::builder(fleet).ttl(TTL).build()).unwrap();
    let election = locks.election("chief");
    (locks, election)
}

fn first(fleet: &RedisFleet, count: usize) -> impl Iterator<Item = &RedisServer> {
    fleet.iter().take(count)
}

/// The next leader that is observed, whatever is between.
fn next_leader(observer: &mut Observer) -> redlock::Leader {
    loop {
        if let Observation::Leader(leader) = block_on(observer.next()) {
            return leader;
        }
    }
}

#[test]
fn two_of_five_nodes_die_and_the_leader_goes_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let ((_one, one), (_other, other)) = (candidate(&fleet), candidate(&fleet));
    let leadership = block_on(one.campaign()).unwrap();
    first(&fleet, 2).for_each(RedisServer::kill);
    let valid_until = leadership.valid_until();
    eventually("it is renewed on three nodes", || leadership.valid_until() > valid_until);
    block_on(leadership.verify()).unwrap();
    assert_eq!(leadership.state(), LeadershipState::Leading);
    assert!(block_on(other.try_campaign()).unwrap().is_none());
    let leader = block_on(other.leader()).unwrap().unwrap();
    assert_eq!((&leader.candidate, leader.epoch), (one.candidate(), leadership.epoch()));
}

#[test]
fn a_leader_whose_nodes_hang_has_stopped_before_the_next_one_begins() {
    let fleet = RedisFleet::start(5).unwrap();
    let ((one_locks, one), (_other, other)) = (candidate(&fleet), candidate(&fleet));
    let leadership = block_on(one.campaign()).unwrap();
    let term = leadership.term();
    thread::scope(|scope| {
        let next = scope.spawn(|| {
            let next = block_on(other.campaign()).unwrap();
            (next.since(), next)
        });
        first(&fleet, 3).for_each(|server| server.pause().unwrap());
        assert_eq!(block_on(term.lost()), Some(LostReason::Expired));
        first(&fleet, 3).for_each(|server| server.resume().unwrap());
        let (began, next) = next.join().unwrap();
        // A loss is told a millisecond ahead.
        assert!(began.saturating_add(Duration::from_millis(1)) >= term.valid_until());
        assert!(next.epoch() > term.epoch());
        drop(next);
    });
    drop(leadership);
    drop(one_locks);
}

#[test]
fn who_leads_is_said_while_a_minority_of_nodes_hangs() {
    let fleet = RedisFleet::start(5).unwrap();
    // A node that is waited for would be waited for longer than the test may take.
    let patience = Duration::from_secs(20);
    let builder =
        || support::builder(&fleet).ttl(10 * patience).max_ttl(10 * patience).node_timeout(patience);
    let (one, other) = (block_on(builder().build()).unwrap(), block_on(builder().build()).unwrap());
    let (one, other) = (one.election("chief"), other.election("chief"));
    let mut leadership = block_on(one.campaign()).unwrap();
    first(&fleet, 2).for_each(|server| server.pause().unwrap());
    let began = std::time::Instant::now();
    let leader = block_on(other.leader()).unwrap().unwrap();
    let mut observer = other.observe().unwrap();
    assert_eq!((leader.epoch, next_leader(&mut observer).epoch), (leadership.epoch(), leadership.epoch()));
    assert!(began.elapsed() < patience / 2);
    block_on(leadership.resign()).unwrap();
    let began = std::time::Instant::now();
    assert!(matches!(block_on(observer.next()), Observation::NoLeader));
    assert_eq!(block_on(other.leader()).unwrap(), None);
    assert!(began.elapsed() < patience / 2);
    first(&fleet, 2).for_each(|server| server.resume().unwrap());
}

#[test]
fn a_resignation_passes_the_leadership_on_and_those_who_watch_see_it() {
    let fleet = RedisFleet::start(5).unwrap();
    let ((_one, one), (_other, other), (_third, third)) =
        (candidate(&fleet), candidate(&fleet), candidate(&fleet));
    let mut observer = third.observe().unwrap();
    assert!(matches!(block_on(observer.next()), Observation::NoLeader));
    let mut leadership = block_on(one.campaign()).unwrap();
    block_on(leadership.proclaim("http://one:8080")).unwrap();
    let mut seen = next_leader(&mut observer);
    while seen.value.is_empty() {
        seen = next_leader(&mut observer);
    }
    assert_eq!((seen.epoch, seen.value.as_str()), (leadership.epoch(), "http://one:8080"));
    assert_eq!(seen.holder.pid, Some(std::process::id()));
    thread::scope(|scope| {
        let next = scope.spawn(|| block_on(other.campaign()).unwrap());
        eventually("it is refused", || fleet.iter().any(|server| !support::lock_keys(server).is_empty()));
        block_on(leadership.resign()).unwrap();
        let next = next.join().unwrap();
        let seen = next_leader(&mut observer);
        assert_eq!((seen.epoch, &seen.candidate), (next.epoch(), other.candidate()));
        assert!(seen.value.is_empty());
    });
    support::assert_no_key_is_left(&fleet);
}

#[test]
fn candidates_that_run_lead_one_at_a_time_until_they_retire() {
    let fleet = RedisFleet::start(5).unwrap();
    let candidates: Vec<_> = (0..3).map(|_| candidate(&fleet)).collect();
    let leading = Mutex::new(None);
    let epochs = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (locks, election) in &candidates {
            let (leading, epochs) = (&leading, &epochs);
            scope.spawn(move || {
                let work = |term: redlock::Term| async move {
                    assert_eq!(leading.lock().unwrap().replace(term.epoch()), None, "two lead");
                    epochs.lock().unwrap().push(term.epoch());
                    locks
                        .env()
                        .sleep_until(locks.env().now().saturating_add(Duration::from_millis(50)))
                        .await;
                    *leading.lock().unwrap() = None;
                    ControlFlow::<()>::Continue(())
                };
                block_on(election.run(work)).unwrap();
            });
        }
        eventually("there were ten terms", || epochs.lock().unwrap().len() >= 10);
        candidates.iter().for_each(|(_, election)| election.retire());
    });
    let epochs = epochs.lock().unwrap();
    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?}");
    support::assert_no_key_is_left(&fleet);
}
