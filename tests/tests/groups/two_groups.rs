//! A lock that is held in two groups while they change.

use std::time::Duration;

use redlock::{AcquireError, ExtendError, LockState, LostReason, ReleaseError};

use crate::world::{Client, Sets, TTL, World};

fn setting(sets: &Sets) -> (World, Client) {
    let world = World::new(7);
    let client = world.client(sets);
    (world, client)
}

/// How many nodes of each group have the name.
fn holders(world: &World, name: &str) -> [usize; 2] {
    let name = redlock::LockName::new(name).unwrap();
    [&world.old, &world.added].map(|nodes| nodes.iter().filter(|node| node.is_held_by_anyone(&name)).count())
}

#[test]
fn a_name_that_moves_is_held_in_both_groups_and_others_in_one() {
    for sets in &Sets::both() {
        let (world, client) = setting(sets);
        let guard = world.sim.block_on(client.changing.lock(&sets.name).acquire()).unwrap();
        world.sim.advance(Duration::from_millis(10));
        assert_eq!(holders(&world, &sets.name), [3, 3]);
        assert_eq!(client.changing.leaves(&sets.name), Some("m"));
        let other = world.client(sets);
        for groups in [&other.old, &other.changing, &other.new] {
            assert!(world.sim.block_on(groups.lock(&sets.name).try_acquire()).unwrap().is_none());
        }
        world.sim.block_on(guard.release()).unwrap();
        world.sim.advance(Duration::from_millis(10));
        assert_eq!(holders(&world, &sets.name), [0, 0]);

        let stays = (0..).map(|n| format!("stay-{n}")).find(|n| client.changing.leaves(n).is_none()).unwrap();
        let guard = world.sim.block_on(client.changing.lock(&stays).acquire()).unwrap();
        world.sim.advance(Duration::from_millis(10));
        assert_eq!(holders(&world, &stays), [3, 0]);
        drop(guard);
        world.sim.advance(Duration::from_millis(10));
        assert_eq!(holders(&world, &stays), [0, 0]);
    }
}

#[test]
fn both_are_renewed_and_the_loss_of_either_is_the_loss_of_the_lock() {
    for sets in &Sets::both() {
        for lost_in in 0..2 {
            let (world, client) = setting(sets);
            let guard = world.sim.block_on(client.changing.lock(&sets.name).acquire()).unwrap();
            world.sim.advance(TTL * 5);
            assert_eq!(guard.state(), LockState::Held);
            assert_eq!(holders(&world, &sets.name), [3, 3]);
            world.sim.block_on(guard.extend()).unwrap();

            let nodes = [&world.old, &world.added][lost_in];
            nodes.iter().take(2).for_each(|node| node.crash_losing_memory());
            assert_eq!(world.sim.block_on(guard.lost()), Some(LostReason::Missing));
            assert!(!guard.is_valid());
            assert_eq!(guard.remaining(), Duration::ZERO);
            assert_eq!(guard.state(), LockState::Lost(LostReason::Missing));
            let error = world.sim.block_on(guard.extend()).unwrap_err();
            assert!(matches!(error, ExtendError::Lost(LostReason::Missing)), "{error}");
            let error = world.sim.block_on(guard.release()).unwrap_err();
            assert!(matches!(error, ReleaseError::NotHeld { .. }), "{error}");
            world.sim.advance(Duration::from_millis(10));
            assert_eq!(holders(&world, &sets.name), [0, 0]);
        }
    }
}

#[test]
fn a_released_lock_ends_for_all_who_watch_it() {
    let sets = &Sets::both()[0];
    let (world, client) = setting(sets);
    let guard = world.sim.block_on(client.changing.lock(&sets.name).acquire()).unwrap();
    let held = guard.held();
    assert!(held.valid_until() > world.sim.now());
    world.sim.block_on(guard.release()).unwrap();
    assert_eq!(world.sim.block_on(held.lost()), None);
    assert_eq!(world.sim.block_on(held.state_changed_from(LockState::Held)), LockState::Released);
    world.sim.block_on(held.at_risk(Duration::ZERO));
}

#[test]
fn who_does_not_get_both_keeps_neither() {
    for sets in &Sets::both() {
        let (world, client) = setting(sets);
        let other = world.client(sets);
        for (groups, expected) in [(&other.old, [3, 0]), (&other.new, [0, 3])] {
            let guard = world.sim.block_on(groups.lock(&sets.name).acquire()).unwrap();
            let lock = client.changing.lock(&sets.name);
            assert!(world.sim.block_on(lock.try_acquire()).unwrap().is_none());

            let started = world.sim.now();
            let limit = Duration::from_millis(400);
            let error = world.sim.block_on(lock.clone().wait_at_most(limit).acquire()).unwrap_err();
            assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
            // Behind the limit there is one look at who has it.
            let took = world.sim.now().saturating_since(started);
            assert!(took >= limit && took < limit + limit / 10, "one limit for both: {took:?}");

            // A future that is dropped while the second group is waited for.
            let env = world.sim.env();
            let soon = env.sleep_until(env.now().saturating_add(limit));
            let waiting = Box::pin(lock.acquire());
            assert!(matches!(
                world.sim.block_on(futures::future::select(soon, waiting)),
                futures::future::Either::Left(_)
            ));
            world.sim.advance(Duration::from_millis(50));
            assert_eq!(holders(&world, &sets.name), expected);
            drop(guard);
            world.sim.advance(Duration::from_millis(50));
        }
    }
}

#[test]
fn what_was_acquired_first_and_lost_while_the_second_was_waited_for_is_acquired_anew() {
    for sets in &Sets::both() {
        let (world, client) = setting(sets);
        let other = world.client(sets);
        // The group that is taken second is the one whose name sorts last.
        let (holder, first) = match sets.added {
            "a" => (&other.old, &world.added),
            _ => (&other.new, &world.old),
        };
        let guard = world.sim.block_on(holder.lock(&sets.name).acquire()).unwrap();
        let lock = client.changing.lock(&sets.name);
        let acquired = world.sim.block_on(async {
            let losing = async {
                let env = world.sim.env();
                let pause = |millis| env.sleep_until(env.now().saturating_add(Duration::from_millis(millis)));
                pause(100).await;
                first.iter().for_each(|node| node.crash_losing_memory());
                pause(TTL.as_millis() as u64).await;
                drop(guard);
            };
            futures::future::join(lock.acquire(), losing).await.0.unwrap()
        });
        world.sim.advance(Duration::from_millis(10));
        assert!(acquired.is_valid());
        assert_eq!(holders(&world, &sets.name), [3, 3]);
    }
}
