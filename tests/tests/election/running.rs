//! `run`: campaigns again and again, and never leaves work behind.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use redlock::testing::faulty::Fault;
use redlock::{CampaignError, Instant, StopReason, Term};

use crate::world::{MS, Process, SECOND, TTL, World};

/// What happened to the work of a leader, and when.
#[derive(Default)]
struct Diary(Mutex<Vec<(&'static str, Instant)>>);

impl Diary {
    fn note(&self, what: &'static str, at: Instant) {
        self.0.lock().unwrap().push((what, at));
    }

    fn at(&self, what: &str) -> Option<Instant> {
        self.0.lock().unwrap().iter().find(|(noted, _)| *noted == what).map(|(_, at)| *at)
    }
}

/// Notes when it is dropped.
struct Ended<'a>(&'a Diary, &'a World);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.note("ended", self.1.sim.now());
    }
}

/// Work that takes so long to stop after it was told to.
async fn stops_after(
    term: Term,
    world: &World,
    diary: &Diary,
    patience: std::time::Duration,
) -> ControlFlow<()> {
    diary.note("began", world.sim.now());
    let _ended = Ended(diary, world);
    let reason = term.stop_requested().await;
    diary.note("told", world.sim.now());
    world.sim.sleep(patience).await;
    if matches!(reason, StopReason::Retired) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn run<'a>(
    process: &'a Process,
    world: &'a World,
    diary: &'a Diary,
    patience: std::time::Duration,
) -> impl Future<Output = Result<Option<()>, CampaignError>> + 'a {
    process.election.run(move |term| stops_after(term, world, diary, patience))
}

#[test]
fn what_the_work_breaks_with_is_returned_and_the_leadership_is_resigned() {
    let world = World::new();
    let process = world.process();
    let terms = AtomicUsize::new(0);
    let value = world.sim.block_on(process.election.run(|term| {
        let terms = &terms;
        async move {
            assert!(!term.remaining().is_zero());
            match terms.fetch_add(1, Ordering::SeqCst) {
                0..3 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(term.epoch()),
            }
        }
    }));
    assert!(value.unwrap().is_some());
    assert_eq!(terms.load(Ordering::SeqCst), 4);
    assert_eq!(world.holders(), 0);
}

#[test]
fn a_leader_that_continues_leaves_the_others_their_turn() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let turns = Mutex::new(Vec::new());
    let work = |who: &'static str| {
        let turns = &turns;
        let sim = &world.sim;
        move |_: Term| async move {
            turns.lock().unwrap().push(who);
            sim.sleep(10 * MS).await;
            ControlFlow::<()>::Continue(())
        }
    };
    let both = futures::future::select(
        Box::pin(one.election.run(work("one"))),
        Box::pin(other.election.run(work("other"))),
    );
    drop(world.sim.block_on(futures::future::select(both, world.sim.sleep(2 * SECOND))));
    let turns = turns.lock().unwrap();
    for who in ["one", "other"] {
        let theirs = turns.iter().filter(|turn| **turn == who).count();
        assert!(theirs >= turns.len() / 4 && turns.len() >= 20, "{turns:?}");
    }
}

#[test]
fn a_step_down_keeps_the_leadership_until_the_work_has_returned() {
    let patience = 3 * TTL;
    let overlaps = |process: fn(&World) -> Process| {
        let world = World::new();
        let (one, other) = (process(&world), world.process());
        let (diary, next) = (Diary::default(), Mutex::new(None));
        let running = run(&one, &world, &diary, patience);
        let following = async {
            while diary.at("began").is_none() {
                world.sim.sleep(MS).await;
            }
            one.election.set_eligible(false);
            let leadership = other.election.campaign().await.unwrap();
            *next.lock().unwrap() = Some((leadership, world.sim.now()));
        };
        let both = futures::future::select(Box::pin(running), Box::pin(following));
        drop(world.sim.block_on(both));
        let began = next.lock().unwrap().as_ref().unwrap().1;
        let ended = diary.at("ended");
        ended.is_none_or(|ended| ended >= began)
    };
    assert!(!overlaps(World::process));
    assert!(overlaps(|world| world.process_without("await_work")), "the test shows nothing");
}

#[test]
fn a_leader_that_is_cut_off_is_told_to_stop_and_its_work_is_dropped_before_its_validity_ends() {
    let overlaps = |process: fn(&World) -> Process| {
        let world = World::new();
        let (one, other) = (process(&world), world.process());
        let (diary, valid_until) = (Diary::default(), Mutex::new(None));
        // It is asked to stop and never does.
        let running = one.election.run(|term| {
            *valid_until.lock().unwrap() = Some(term.clone());
            stops_after(term, &world, &diary, 100 * TTL)
        });
        let following = async {
            while diary.at("began").is_none() {
                world.sim.sleep(MS).await;
            }
            one.cut_off();
            let leadership = other.election.campaign().await.unwrap();
            let began = world.sim.now();
            drop(leadership);
            began
        };
        let futures::future::Either::Right((began, running)) =
            world.sim.block_on(futures::future::select(Box::pin(running), Box::pin(following)))
        else {
            panic!("run has returned");
        };
        let ended = diary.at("ended");
        assert!(diary.at("told").is_some_and(|told| told < began));
        if let Some(ended) = ended {
            let term = valid_until.lock().unwrap().clone().unwrap();
            assert!(ended < term.valid_until(), "{ended:?}");
        }
        drop(running);
        ended.is_none_or(|ended| ended >= began)
    };
    assert!(!overlaps(World::process));
    assert!(overlaps(|world| world.process_without("stop_in_time")), "the test shows nothing");
}

#[test]
fn a_grace_ends_work_that_ignores_a_step_down() {
    let world = World::new();
    let process = world.process_with(|builder| builder, |election| election.grace(2 * SECOND));
    let diary = Diary::default();
    let running = run(&process, &world, &diary, 100 * TTL);
    let retiring = async {
        world.sim.sleep(10 * SECOND).await;
        process.election.retire();
        let at = world.sim.now();
        while diary.at("ended").is_none() {
            world.sim.sleep(MS).await;
        }
        at
    };
    let (value, at) = world.sim.block_on(futures::future::join(running, retiring));
    assert_eq!(value.unwrap(), None, "the work never said a word");
    let took = diary.at("ended").unwrap().saturating_since(at);
    assert!(took >= 2 * SECOND && took < 2 * SECOND + 10 * MS, "{took:?}");
}

#[test]
fn who_retires_while_it_waits_returns_at_once() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let _leadership = world.campaign(&one);
    let running = other.election.run(|_| async { ControlFlow::<()>::Continue(()) });
    let retiring = async {
        world.sim.sleep(SECOND).await;
        other.election.retire();
    };
    let (value, ()) = world.sim.block_on(futures::future::join(running, retiring));
    assert_eq!(value.unwrap(), None);
}

#[test]
fn a_run_survives_the_loss_of_a_quorum_and_leads_again() {
    let world = World::new();
    let process = world.process_with(|builder| builder.wait_at_most(SECOND), |election| election);
    let diary = Diary::default();
    let epochs = Arc::new(Mutex::new(Vec::new()));
    let running = process.election.run(|term| {
        epochs.lock().unwrap().push(term.epoch());
        stops_after(term, &world, &diary, MS)
    });
    let disturbing = async {
        for _ in 0..3 {
            world.sim.sleep(3 * TTL).await;
            process.links.iter().take(3).for_each(|link| link.set(Fault::drop_request()));
            world.sim.sleep(3 * TTL).await;
            process.reconnect();
        }
        world.sim.sleep(3 * TTL).await;
        process.election.retire();
    };
    let (value, ()) = world.sim.block_on(futures::future::join(running, disturbing));
    assert_eq!(value.unwrap(), Some(()));
    let epochs = epochs.lock().unwrap();
    assert!(epochs.len() >= 4 && epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

#[test]
fn a_wrong_request_ends_a_run_at_once() {
    let world = World::new();
    let process = world.process_with(|builder| builder, |election| election.ttl(3600 * SECOND));
    let ran = AtomicBool::new(false);
    let result = world.sim.block_on(process.election.run(|_| {
        ran.store(true, Ordering::SeqCst);
        async { ControlFlow::<()>::Continue(()) }
    }));
    assert!(matches!(result, Err(CampaignError::Acquire(_))));
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn a_dropped_run_drops_its_work_first_and_resigns() {
    let world = World::new();
    let process = world.process();
    let diary = Diary::default();
    let running = run(&process, &world, &diary, SECOND);
    drop(world.sim.block_on(futures::future::select(Box::pin(running), world.sim.sleep(SECOND))));
    assert!(diary.at("ended").is_some());
    world.sim.advance(10 * MS);
    assert_eq!(world.holders(), 0);
}
