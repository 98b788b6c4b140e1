//! Campaigns and what comes of them.

use futures::FutureExt as _;
use redlock::testing::faulty::{Fault, Op};
use redlock::{
    CampaignError, ExtendError, Health, LeadershipState, Lock, LostReason, ProclaimError, ReleaseError,
    StopReason,
};

use crate::world::{MS, NAME, SECOND, TTL, World};

#[test]
fn one_leads_at_a_time_and_every_later_epoch_is_greater() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let mut leadership = world.campaign(&one);
    assert_eq!(leadership.state(), LeadershipState::Leading);
    assert!(world.sim.block_on(other.election.try_campaign()).unwrap().is_none());
    let mut epochs = vec![leadership.epoch()];
    for process in [&other, &one, &other] {
        let waiting = process.election.campaign();
        let resigning = async {
            world.sim.sleep(SECOND).await;
            leadership.resign().await.unwrap();
        };
        let (next, ()) = world.sim.block_on(futures::future::join(waiting, resigning));
        assert_eq!(leadership.state(), LeadershipState::Resigned);
        leadership = next.unwrap();
        epochs.push(leadership.epoch());
    }
    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?}");
}

#[test]
fn the_next_leader_begins_within_a_few_round_trips_of_a_resignation() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let mut leadership = world.campaign(&one);
    let waiting = async {
        let next = other.election.campaign().await.unwrap();
        (next, world.sim.now())
    };
    let resigning = async {
        world.sim.sleep(SECOND).await;
        let at = world.sim.now();
        leadership.resign().await.unwrap();
        at
    };
    let ((_next, began), resigned) = world.sim.block_on(futures::future::join(waiting, resigning));
    assert!(began.saturating_since(resigned) <= 20 * MS, "{:?}", began.saturating_since(resigned));
}

#[test]
fn candidates_of_one_process_take_turns_at_the_nodes_and_not_behind_their_back() {
    let world = World::new();
    let process = world.process();
    let second = process.locks.election(NAME);
    assert_ne!(process.election.candidate(), second.candidate());
    let mut leadership = world.campaign(&process);
    let waiting = second.campaign();
    let resigning = async {
        world.sim.sleep(SECOND).await;
        leadership.resign().await.unwrap();
    };
    let (next, ()) = world.sim.block_on(futures::future::join(waiting, resigning));
    let next = next.unwrap();
    assert!(next.epoch() > leadership.epoch());
    let leader = world.sim.block_on(second.leader()).unwrap().unwrap();
    assert_eq!((&leader.candidate, leader.epoch), (second.candidate(), next.epoch()));
}

#[test]
fn what_an_ordinary_holder_of_this_process_leaves_is_taken_at_the_nodes() {
    let world = World::new();
    let process = world.process();
    let guard = world.sim.block_on(process.locks.lock(NAME).acquire()).unwrap();
    let releasing = async {
        world.sim.sleep(SECOND).await;
        guard.release().await.unwrap();
    };
    let (leadership, ()) = world.sim.block_on(futures::future::join(process.election.campaign(), releasing));
    let leader = world.sim.block_on(process.election.leader()).unwrap().unwrap();
    assert_eq!(leader.epoch, leadership.unwrap().epoch());
}

#[test]
fn a_killed_leader_is_followed_within_its_ttl() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let leadership = world.campaign(&one);
    let epoch = leadership.epoch();
    world.sim.advance(10 * SECOND);
    one.env.crash();
    std::mem::forget(leadership);
    let died = world.sim.now();
    let next = world.campaign(&other);
    assert!(next.epoch() > epoch);
    assert!(world.sim.now().saturating_since(died) <= TTL + 200 * MS);
}

#[test]
fn a_leader_that_is_cut_off_has_stopped_before_the_next_one_begins() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let leadership = world.campaign(&one);
    let term = leadership.term();
    one.cut_off();
    let lost = async { (term.lost().await, world.sim.now()) };
    let waiting = async { (other.election.campaign().await.unwrap(), world.sim.now()) };
    let ((reason, stopped), (next, began)) = world.sim.block_on(futures::future::join(lost, waiting));
    assert_eq!(reason, Some(LostReason::Expired));
    assert!(stopped < began && stopped <= term.valid_until());
    assert!(next.epoch() > term.epoch());
    assert_eq!(term.state(), LeadershipState::Lost(LostReason::Expired));
    assert!(term.remaining().is_zero());
    assert!(matches!(world.sim.block_on(term.verify()), Err(ExtendError::Lost(_))));
}

#[test]
fn a_leader_whose_nodes_hang_is_suspect_and_told_to_stop_in_time() {
    let world = World::new();
    let process = world.process();
    let leadership = world.campaign(&process);
    process.links.iter().take(3).for_each(|link| link.hang());
    let suspect = world.sim.block_on(leadership.state_changed_from(LeadershipState::Leading));
    assert!(matches!(suspect, LeadershipState::Suspect { .. }), "{suspect:?}");
    assert_eq!(world.sim.block_on(leadership.stop_requested()), StopReason::AtRisk);
    let left = leadership.remaining();
    assert!(left <= TTL / 4 && left > TTL / 5, "{left:?}");
    assert!(process.election.health().is_ok(), "the nodes are no fault of this process");
    process.links.iter().take(3).for_each(|link| link.resume());
    world.sim.block_on(leadership.verify()).unwrap();
    assert_eq!(leadership.state(), LeadershipState::Leading);
}

/// The nodes hang behind the grant, so that the leader's announcement takes longer than its validity.
fn phantom_win(process: &crate::world::Process, world: &World) -> bool {
    process.links.iter().for_each(|link| link.set_for(Op::Extend, Fault::drop_request()));
    let campaign = process.election.try_campaign();
    let won = world.sim.block_on(campaign).unwrap();
    won.is_some_and(|leadership| leadership.state() == LeadershipState::Lost(LostReason::Expired))
}

#[test]
fn a_campaign_that_is_delayed_past_its_validity_is_no_win() {
    let slow = |safeguard: Option<&str>| {
        let world = World::new();
        let set = |builder: redlock::LocksBuilder| {
            let builder = builder.ttl(100 * MS).node_timeout(100 * MS);
            match safeguard {
                Some(name) => builder.protections(redlock::Protections::without(name).unwrap()),
                None => builder,
            }
        };
        let process = world.process_with(set, |election| election);
        phantom_win(&process, &world)
    };
    assert!(!slow(None));
    assert!(slow(Some("campaign_recheck")), "the test shows nothing");
}

#[test]
fn a_process_that_stands_still_between_grant_and_announcement_wins_nothing() {
    let world = World::new();
    let process = world.process();
    let election = process.election.clone();
    let campaign = process.env.run(async move { election.try_campaign().await });
    // The grants are there, and the announcement is on its way.
    world.sim.advance(3 * MS);
    assert_eq!(world.holders(), 5);
    process.env.pause_until(world.sim.now().saturating_add(2 * TTL));
    let won = world.sim.block_on(campaign).unwrap().unwrap();
    assert!(won.is_none());
}

#[test]
fn a_dropped_campaign_leaves_nothing() {
    let world = World::new();
    let process = world.process();
    for millis in 0..12 {
        let campaign = process.election.campaign();
        let time = world.sim.sleep(MS * millis / 2);
        drop(world.sim.block_on(futures::future::select(Box::pin(campaign), time)));
        world.sim.advance(TTL / 100);
        assert_eq!(world.holders(), 0, "{millis}");
        assert_eq!(process.election.health(), Health::Standby);
    }
}

#[test]
fn a_resignation_that_nobody_confirms_can_be_asked_for_again() {
    let world = World::new();
    let process = world.process();
    let mut leadership = world.campaign(&process);
    world.sim.advance(MS * 10);
    process.cut_off();
    let refused = world.sim.block_on(leadership.resign()).unwrap_err();
    assert!(matches!(refused, ReleaseError::Unconfirmed { .. }), "{refused}");
    assert_eq!(leadership.state(), LeadershipState::Resigned);
    assert_eq!(process.election.health(), Health::Standby);
    process.reconnect();
    world.sim.block_on(leadership.resign()).unwrap();
    assert_eq!(world.holders(), 0);
    world.sim.block_on(leadership.resign()).unwrap();
}

#[test]
fn a_resignation_of_what_was_lost_says_so_every_time() {
    let world = World::new();
    let process = world.process();
    let mut leadership = world.campaign(&process);
    process.cut_off();
    world.sim.block_on(leadership.lost());
    for _ in 0..2 {
        let refused = world.sim.block_on(leadership.resign()).unwrap_err();
        assert!(matches!(refused, ReleaseError::NotHeld { .. }), "{refused}");
    }
}

#[test]
fn a_candidate_that_is_not_eligible_waits_and_a_leader_that_is_not_is_told() {
    let world = World::new();
    let process = world.process();
    let election = &process.election;
    election.set_eligible(false);
    assert!(!election.is_eligible());
    assert!(world.sim.block_on(election.try_campaign()).unwrap().is_none());
    let mut campaign = Box::pin(election.campaign());
    assert!((&mut campaign).now_or_never().is_none());
    let wait = world.sim.sleep(10 * SECOND);
    let futures::future::Either::Right(((), campaign)) =
        world.sim.block_on(futures::future::select(campaign, wait))
    else {
        panic!("it won");
    };
    election.set_eligible(true);
    let leadership = world.sim.block_on(campaign).unwrap();
    election.clone().set_eligible(false);
    assert_eq!(world.sim.block_on(leadership.stop_requested()), StopReason::Ineligible);
    assert_eq!(leadership.state(), LeadershipState::Leading, "it is up to the leader to resign");
    election.retire();
    election.set_eligible(true);
    assert_eq!(world.sim.block_on(leadership.stop_requested()), StopReason::Retired);
    drop(leadership);
    assert!(matches!(world.sim.block_on(election.campaign()), Err(CampaignError::Retired)));
}

#[test]
fn a_campaigner_that_becomes_ineligible_while_it_waits_does_not_win() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let mut leadership = world.campaign(&one);
    let mut campaign = Box::pin(other.election.campaign());
    assert!((&mut campaign).now_or_never().is_none());
    world.sim.advance(SECOND);
    other.election.set_eligible(false);
    world.sim.block_on(leadership.resign()).unwrap();
    let wait = world.sim.sleep(10 * SECOND);
    assert!(matches!(
        world.sim.block_on(futures::future::select(campaign, wait)),
        futures::future::Either::Right(_)
    ));
    assert_eq!(world.holders(), 0);
}

#[test]
fn without_fencing_there_are_no_epochs_and_no_election() {
    let world = World::new();
    let process = world.process_with(|builder| builder.fencing(false), |election| election);
    assert!(matches!(world.sim.block_on(process.election.campaign()), Err(CampaignError::NoFencing)));
    world.sim.advance(TTL / 10);
    assert_eq!(world.holders(), 0);
}

#[test]
fn a_bad_name_is_reported_by_whatever_needs_it() {
    let world = World::new();
    let process = world.process();
    let election = process.locks.election("");
    assert!(matches!(world.sim.block_on(election.campaign()), Err(CampaignError::Acquire(_))));
    assert!(world.sim.block_on(election.leader()).is_err());
    assert!(election.observe().is_err());
}

#[test]
fn a_value_that_is_too_long_is_refused_and_the_longest_is_kept_whole() {
    let world = World::new();
    let process = world.process();
    let leadership = world.campaign(&process);
    let refused = world.sim.block_on(leadership.proclaim("x".repeat(513))).unwrap_err();
    assert!(matches!(refused, ProclaimError::TooLong { bytes: 513 }), "{refused}");
    let value = "é".repeat(256);
    world.sim.block_on(leadership.proclaim(&value)).unwrap();
    assert_eq!(world.sim.block_on(process.election.leader()).unwrap().unwrap().value, value);
}

#[test]
fn health_fails_only_while_somebody_holds_on_to_a_leadership_that_has_ended() {
    let world = World::new();
    let process = world.process();
    assert_eq!(process.election.health(), Health::Standby);
    let leadership = world.campaign(&process);
    for _ in 0..50 {
        world.sim.advance(TTL / 7);
        assert!(matches!(process.election.health(), Health::Leading { .. }));
    }
    process.cut_off();
    world.sim.block_on(leadership.lost());
    world.sim.advance(SECOND);
    let health = process.election.health();
    assert!(matches!(health, Health::Overdue { since } if since > SECOND / 2), "{health:?}");
    assert!(!health.is_ok());
    drop(leadership);
    assert!(process.election.health().is_ok());
}

#[test]
fn health_fails_when_renewal_stands_still_and_nothing_says_so() {
    let world = World::new();
    let process = world.process();
    let leadership = world.campaign(&process);
    world.sim.advance(SECOND);
    // Its tasks stand still, and the scheduler of renewals is one of them.
    process.env.pause_until(redlock::Instant::from_nanos(u64::MAX));
    world.sim.advance(TTL - 3 * SECOND / 2);
    assert_eq!(leadership.state(), LeadershipState::Leading);
    let health = process.election.health();
    assert!(matches!(health, Health::RenewalWedged { .. }) && !health.is_ok(), "{health:?}");
    process.env.resume();
    world.sim.advance(100 * MS);
    assert!(process.election.health().is_ok());
}

#[test]
fn locks_of_several_names_are_no_candidates_for_each_other() {
    let world = World::new();
    let process = world.process();
    let elections = ["a", "b"].map(|name| process.locks.election(name));
    let leaderships = elections.each_ref().map(|election| world.sim.block_on(election.campaign()).unwrap());
    assert_eq!(leaderships.each_ref().map(|one| one.name().to_string()), ["a", "b"]);
    let both = Lock::acquire_all(["c", "d"].map(|name| process.locks.lock(name)));
    assert_eq!(world.sim.block_on(both).unwrap().len(), 2);
}
