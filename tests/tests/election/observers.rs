//! Who leads, and what those see who watch.

use std::time::Duration;

use futures::StreamExt;
use redlock::testing::faulty::Fault;
use redlock::{LeaderError, Observation, Observer};

use crate::world::{MS, NAME, SECOND, TTL, World};

fn next(world: &World, observer: &mut Observer) -> Observation {
    world.sim.block_on(observer.next())
}

/// Nothing is observed for so long.
fn quiet(world: &World, observer: &mut Observer, time: Duration) {
    let observing = Box::pin(observer.next());
    if let futures::future::Either::Left((seen, _)) =
        world.sim.block_on(futures::future::select(observing, world.sim.sleep(time)))
    {
        panic!("{seen:?}");
    }
}

#[test]
fn an_observer_sees_leaders_values_and_the_time_between() {
    let world = World::new();
    let (one, other, third) = (world.process(), world.process(), world.process());
    let mut observer = third.election.observe().unwrap();
    assert!(matches!(next(&world, &mut observer), Observation::NoLeader));
    quiet(&world, &mut observer, 10 * SECOND);

    let mut leadership = world.campaign(&one);
    let Observation::Leader(seen) = next(&world, &mut observer) else { panic!("no leader") };
    assert_eq!((&seen.candidate, seen.epoch), (one.election.candidate(), leadership.epoch()));
    assert_eq!(seen.holder.pid, Some(std::process::id()));
    assert_eq!(world.sim.block_on(third.election.leader()).unwrap(), Some(seen.clone()));

    world.sim.block_on(leadership.proclaim("http://one")).unwrap();
    let Observation::Leader(seen) = next(&world, &mut observer) else { panic!("no leader") };
    assert_eq!((seen.value.as_str(), seen.epoch), ("http://one", leadership.epoch()));
    assert!(seen.to_string().ends_with("http://one"), "{seen}");
    quiet(&world, &mut observer, 10 * SECOND);

    world.sim.block_on(leadership.resign()).unwrap();
    let resigned = world.sim.now();
    assert!(matches!(next(&world, &mut observer), Observation::NoLeader));
    assert!(world.sim.now().saturating_since(resigned) < 50 * MS, "a node told");
    assert_eq!(world.sim.block_on(third.election.leader()).unwrap(), None);

    let second = world.campaign(&other);
    let Observation::Leader(seen) = next(&world, &mut observer) else { panic!("no leader") };
    assert_eq!((seen.epoch, seen.value.as_str()), (second.epoch(), ""));
    assert!(second.epoch() > leadership.epoch());
}

#[test]
fn a_killed_leader_is_named_until_its_lock_ends_and_then_nobody_is() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    std::mem::forget(world.campaign(&one));
    let mut observer = other.election.observe().unwrap();
    assert!(matches!(next(&world, &mut observer), Observation::Leader(_)));
    one.env.crash();
    let died = world.sim.now();
    assert!(matches!(next(&world, &mut observer), Observation::NoLeader));
    let after = world.sim.now().saturating_since(died);
    assert!(after <= TTL + SECOND / 2, "{after:?}");
}

#[test]
fn an_observer_that_is_cut_off_says_so_and_names_nobody() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let leadership = world.campaign(&one);
    let mut observer = other.election.observe().unwrap();
    assert!(matches!(next(&world, &mut observer), Observation::Leader(_)));
    other.links.iter().take(2).for_each(|link| link.set(Fault::drop_request()));
    quiet(&world, &mut observer, 10 * SECOND);

    other.cut_off();
    let Observation::Disconnected(said) = next(&world, &mut observer) else { panic!("connected") };
    assert!(said.to_string().contains("node-0"), "{said}");
    assert!(matches!(world.sim.block_on(other.election.leader()), Err(LeaderError::Disconnected(_))));
    quiet(&world, &mut observer, 10 * SECOND);

    other.reconnect();
    let Observation::Leader(seen) = next(&world, &mut observer) else { panic!("no leader") };
    assert_eq!(seen.epoch, leadership.epoch());
}

#[test]
fn a_minority_that_shows_a_leader_of_the_past_is_not_believed() {
    let world = World::new();
    let (one, other, third) = (world.process(), world.process(), world.process());
    // The first leader's lock stays on two nodes that nobody reaches while it resigns.
    let mut leadership = world.campaign(&one);
    world.sim.advance(10 * MS);
    one.links.iter().take(2).for_each(|link| link.set(Fault::drop_request()));
    world.sim.block_on(leadership.resign()).unwrap();
    let second = world.campaign(&other);
    let mut observer = third.election.observe().unwrap();
    let Observation::Leader(seen) = next(&world, &mut observer) else { panic!("no leader") };
    assert_eq!(seen.epoch, second.epoch());
    // Two nodes with the former leader, one with the present one: that is nothing to go by.
    third.links.iter().skip(3).for_each(|link| link.set(Fault::drop_request()));
    let Observation::Disconnected(_) = next(&world, &mut observer) else { panic!("it was believed") };
}

#[test]
fn a_node_that_hangs_is_not_waited_for_where_its_answer_changes_nothing() {
    let world = World::new();
    let patient = || world.process_with(|builder| builder.node_timeout(TTL), |election| election);
    let (one, other) = (world.process(), patient());
    let hang = |nodes| other.links.iter().take(nodes).for_each(|link| link.set(Fault::drop_request()));
    // What a look takes: a round trip, and a few more where it falls into a change.
    let in_time = |since| assert!(world.sim.now().saturating_since(since) < 50 * MS);
    hang(2);
    let since = world.sim.now();
    assert_eq!(world.sim.block_on(other.election.leader()).unwrap(), None);
    in_time(since);
    let mut leadership = world.campaign(&one);
    let mut observer = other.election.observe().unwrap();
    let since = world.sim.now();
    assert_eq!(world.sim.block_on(other.election.leader()).unwrap().unwrap().epoch, leadership.epoch());
    assert!(matches!(next(&world, &mut observer), Observation::Leader(_)));
    in_time(since);
    let view = world.sim.block_on(other.locks.look(NAME)).unwrap();
    assert!(view.holder().is_some_and(|holding| holding.votes == 3) && view.nodes[0].answer.is_err());
    world.sim.block_on(leadership.resign()).unwrap();
    let since = world.sim.now();
    assert!(matches!(next(&world, &mut observer), Observation::NoLeader));
    in_time(since);
    // One too many: what they do not say decides.
    hang(3);
    assert!(matches!(world.sim.block_on(other.election.leader()), Err(LeaderError::Disconnected(_))));
    assert!(world.sim.now().saturating_since(since) >= TTL);
}

#[test]
fn what_a_leader_proclaims_does_not_go_back_with_the_nodes_that_answer_first() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let leadership = world.campaign(&one);
    world.sim.block_on(leadership.proclaim("first")).unwrap();
    world.sim.advance(10 * MS);
    // The second value reaches one node alone.
    one.links.iter().skip(1).for_each(|link| link.set(Fault::drop_request()));
    assert!(world.sim.block_on(leadership.proclaim("second")).is_err());
    let late = |node: usize| {
        other.reconnect();
        other.links[node].set(Fault::delay(20 * MS, 20 * MS));
    };
    late(4);
    let mut observer = other.election.observe().unwrap();
    let value = |seen| match seen {
        Observation::Leader(leader) => leader.value,
        seen => panic!("{seen:?}"),
    };
    while value(next(&world, &mut observer)) != "second" {}
    late(0);
    quiet(&world, &mut observer, SECOND);
    drop(leadership);
}

#[test]
fn who_holds_the_lock_without_leading_is_no_leader() {
    let world = World::new();
    let (one, other) = (world.process(), world.process());
    let _guard =
        world.sim.block_on(one.locks.lock(NAME).description("leads me epoch rev").acquire()).unwrap();
    assert_eq!(world.sim.block_on(other.election.leader()).unwrap(), None);
    let mut observer = other.election.observe().unwrap();
    assert!(matches!(next(&world, &mut observer), Observation::NoLeader));
}

#[test]
fn epochs_never_go_back_and_no_two_leaders_share_one_whatever_happens() {
    let world = World::new();
    let candidates: Vec<_> = (0..3).map(|_| world.process()).collect();
    let watcher = world.process();
    let epochs = std::sync::Mutex::new(std::collections::BTreeMap::new());
    let running: Vec<_> = candidates
        .iter()
        .map(|process| {
            let (epochs, sim) = (&epochs, &world.sim);
            Box::pin(process.election.run(move |term| async move {
                let before = epochs.lock().unwrap().insert(term.epoch(), term.candidate().clone());
                assert!(before.is_none());
                let time = sim.sleep(SECOND / 3);
                futures::future::select(Box::pin(term.stop_requested()), time).await;
                std::ops::ControlFlow::<()>::Continue(())
            }))
        })
        .collect();
    let disturbing = async {
        for round in 0..40 {
            let process = &candidates[round % 3];
            process.links.iter().take(round % 5 + 1).for_each(|link| link.set(Fault::drop_request()));
            world.sim.sleep(2 * TTL).await;
            process.reconnect();
        }
    };
    let observing = async {
        let mut observer = watcher.election.observe().unwrap();
        let (mut seen, mut highest) = (0, None);
        loop {
            if let Some(Observation::Leader(leader)) = StreamExt::next(&mut observer).await {
                assert!(Some(leader.epoch) >= highest, "{leader:?} after {highest:?}");
                highest = Some(leader.epoch);
                assert_eq!(epochs.lock().unwrap().get(&leader.epoch), Some(&leader.candidate));
                seen += 1;
                if seen > 200 {
                    return;
                }
            }
        }
    };
    let all = futures::future::select(futures::future::select_all(running), Box::pin(disturbing));
    let all = futures::future::select(all, Box::pin(observing));
    drop(world.sim.block_on(all));
    assert!(epochs.lock().unwrap().len() > 50);
}
