//! What goes wrong around a leadership.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use redlock::env::Env;
use redlock::testing::faulty::{Fault, Op};
use redlock::{Election, Protections, Term};

use super::world::{Client, NAME, TTL, World, millis};
use crate::scenarios::Work;

/// A candidate is stopped while it announces its win, for longer than what it has won lasts.
pub(crate) fn handed_out_too_late(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Extend, &Fault::delay(Duration::ZERO, millis(20)));
    let election = client.locks.election(NAME);
    let is_past = client.env.run(async move { election.campaign().await.unwrap().remaining().is_zero() });
    while !client.links[0].log().iter().any(|event| event.op == Op::Extend) {
        world.advance(1);
    }
    client.env.pause_until(world.sim.now().saturating_add(TTL * 2));
    world.sim.block_on(is_past).unwrap()
}

/// A leader that may not lead any more takes its time to come to its end; another one waits.
pub(crate) fn resigned_before_its_work_has_returned(protections: Protections) -> bool {
    let world = World::new(protections);
    let (client, other) = (world.client(), world.client());
    let election = client.locks.election(NAME);
    let works = leads(&world, &client, &election);
    let next = beside(&other, other.locks.election(NAME), works);
    election.set_eligible(false);
    world.sim.block_on(next).unwrap()
}

/// No node answers a leader any more, which goes on all the same; another one waits.
pub(crate) fn worked_on_beside_the_next_leader(protections: Protections) -> bool {
    let world = World::new(protections);
    let (client, other) = (world.client(), world.client());
    let works = leads(&world, &client, &client.locks.election(NAME));
    let next = beside(&other, other.locks.election(NAME), works);
    client.links.iter().for_each(|link| link.hang());
    world.sim.block_on(next).unwrap()
}

/// A leader dies that has asked for a delay, so that what it has begun comes to its end; another one waits.
pub(crate) fn taken_over_at_once(protections: Protections) -> bool {
    const DELAY: Duration = Duration::from_secs(5);
    let world = World::new(protections);
    let (client, other) = (world.client(), world.client());
    let election = client.locks.election(NAME).takeover_delay(DELAY);
    let campaign = client.env.run(async move {
        let leadership = election.campaign().await.unwrap();
        let term = leadership.term();
        // Until it dies.
        std::mem::forget(leadership);
        term
    });
    let term = world.sim.block_on(campaign).unwrap();
    client.env.crash();
    let election = other.locks.election(NAME);
    let next = other.env.run(async move { election.campaign().await.unwrap().since() });
    let next = world.sim.block_on(next).unwrap();
    next < term.valid_until().saturating_add(DELAY)
}

/// Leads with work that hears nothing for three TTLs; returns whether the work is still there.
fn leads(world: &World, client: &Client, election: &Election) -> Arc<AtomicBool> {
    let works = Arc::new(AtomicBool::new(false));
    let (env, flag, election) = (Arc::clone(&client.env), Arc::clone(&works), election.clone());
    drop(client.env.run(async move {
        let work = |_: Term| {
            let (env, work) = (Arc::clone(&env), Work::begins(&flag));
            async move {
                env.sleep_until(env.now().saturating_add(TTL * 3)).await;
                drop(work);
                ControlFlow::Break(())
            }
        };
        election.run(work).await.unwrap()
    }));
    world.advance(100);
    assert!(works.load(Ordering::SeqCst), "it must lead");
    works
}

/// Lets another one campaign; says whether the first one's work was still there when it led.
fn beside(client: &Client, election: Election, works: Arc<AtomicBool>) -> BoxFuture<'static, Option<bool>> {
    client.env.run(async move {
        let _leadership = election.campaign().await.unwrap();
        works.load(Ordering::SeqCst)
    })
}
