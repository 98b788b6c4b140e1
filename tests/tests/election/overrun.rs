//! Work that does not end with its leadership.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use redlock::LostReason;

use crate::world::{MS, Process, SECOND, TTL, World};

type Overruns = Arc<Mutex<Vec<(u64, LostReason, redlock::Instant)>>>;

fn watched(world: &World) -> (Process, Overruns) {
    let overruns = Overruns::default();
    let (noted, clock) = (Arc::clone(&overruns), world.sim.env());
    let process = world.process_with(
        |builder| builder,
        |election| {
            election.on_overrun(move |overrun| {
                let epoch = overrun.epoch.get();
                noted.lock().unwrap().push((epoch, overrun.reason, clock.now()));
            })
        },
    );
    (process, overruns)
}

#[test]
fn a_leadership_that_somebody_holds_on_to_overruns_at_the_end_of_its_validity() {
    let world = World::new();
    let (process, overruns) = watched(&world);
    let leadership = world.campaign(&process);
    process.cut_off();
    world.sim.advance(2 * TTL);
    let noted = overruns.lock().unwrap().clone();
    let [(epoch, LostReason::Expired, at)] = noted[..] else { panic!("{noted:?}") };
    assert_eq!(epoch, leadership.epoch().get());
    // At the end, and before any other can lead.
    assert!(at.saturating_since(leadership.valid_until()) < MS, "{at:?}");
}

#[test]
fn what_ends_in_time_does_not_overrun() {
    let world = World::new();
    let (process, overruns) = watched(&world);
    // Dropped by `run`, in time.
    let running = process.election.run(|_| std::future::pending::<ControlFlow<()>>());
    let cutting = async {
        world.sim.sleep(SECOND).await;
        process.cut_off();
        world.sim.sleep(2 * TTL).await;
        process.reconnect();
        world.sim.sleep(2 * TTL).await;
    };
    drop(world.sim.block_on(futures::future::select(Box::pin(running), Box::pin(cutting))));
    // Resigned by whoever campaigned.
    world.sim.advance(SECOND);
    let mut leadership = world.campaign(&process);
    process.cut_off();
    world.sim.block_on(leadership.stop_requested());
    let _ = world.sim.block_on(leadership.resign());
    world.sim.advance(2 * TTL);
    assert!(overruns.lock().unwrap().is_empty());
}

#[test]
fn a_sudden_loss_overruns_soon_and_does_not_wait_for_the_validity_to_end() {
    let world = World::new();
    let (process, overruns) = watched(&world);
    let leadership = world.campaign(&process);
    world.sim.advance(SECOND);
    world.nodes.iter().for_each(|node| node.crash_losing_memory());
    world.sim.block_on(leadership.lost());
    let lost = world.sim.now();
    world.sim.advance(SECOND / 2);
    let noted = overruns.lock().unwrap().clone();
    let [(_, LostReason::Missing, at)] = noted[..] else { panic!("{noted:?}") };
    assert!(at.saturating_since(lost) <= 100 * MS && at < leadership.valid_until());
}
