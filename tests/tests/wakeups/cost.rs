//! What a waiter costs a server.

use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{LONG, builder, eventually};

use crate::watched::{KEY, calls, client, eventually_watched, info, occupy, waiter};

#[test]
fn a_waiter_costs_every_server_two_commands_a_second_at_most() {
    let fleet = RedisFleet::start(5).unwrap();
    fleet.iter().for_each(|server| occupy(server, LONG));
    // With the usual interval, which would mean a hundred rounds a second.
    let locks = block_on(builder(&fleet).build()).unwrap();
    let waiter = waiter(&locks);
    eventually_watched(&fleet);

    let commands = |server| info(server, "stats", "total_commands_processed");
    let before: Vec<_> = fleet.iter().map(commands).collect();
    let started = Instant::now();
    // What is measured is a rate.
    thread::sleep(Duration::from_secs(10));
    let after: Vec<_> = fleet.iter().map(commands).collect();
    let seconds = started.elapsed().as_secs_f64();
    for (before, after) in before.iter().zip(&after) {
        // Scripts' own commands count; the one that asks for the number counts too.
        let commands = after - before - 1;
        assert!(commands > 0, "nobody looks any more");
        assert!(commands as f64 <= 2.0 * seconds, "{commands} in {seconds:.1} s");
    }
    fleet.iter().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    drop(waiter.join().unwrap());
}

#[test]
fn a_renewal_by_the_holder_costs_a_look_and_no_round() {
    let fleet = RedisFleet::start(3).unwrap();
    let holder = block_on(builder(&fleet).build()).unwrap();
    let held = block_on(holder.lock("a").ttl(Duration::from_millis(300)).acquire()).unwrap();
    let locks = client(&fleet);
    let waiter = waiter(&locks);
    eventually_watched(&fleet);
    // Who came late takes the first renewal for a release, perhaps; from then on the TTL is known.
    for server in &fleet {
        eventually("it was renewed", || calls(server, "pexpire") >= 3);
        server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    }
    let told = fleet.iter().filter(|server| {
        eventually("it was renewed several times", || calls(server, "evalsha") >= 10);
        // Each renewal asks for the TTL once, and so does the waiter when it is told. No script may run between two of these.
        let (renewals, looks) = loop {
            let (scripts, renewals, looks) =
                (calls(server, "evalsha"), calls(server, "pexpire"), calls(server, "pttl"));
            if calls(server, "evalsha") == scripts {
                assert_eq!(scripts, renewals, "a script that is not a renewal: the waiter asked");
                break (renewals, looks);
            }
        };
        assert!(looks <= 2 * renewals + 5, "{looks} looks, {renewals} renewals");
        looks > renewals
    });
    // One node by itself may have been taken for free; it is watched again with the next round.
    assert!(told.count() >= 2);
    block_on(held.release()).unwrap();
    drop(waiter.join().unwrap());
}
