//! Servers that cannot tell, or do so no longer: waiters poll, and are told again when it is possible again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::RedisFleet;
use redlock::{LockName, Locks};
use redlock_tests::support::{LONG, builder, connect, eventually};

use crate::watched::{KEY, calls, client, eventually_watched, info, listeners, occupy, waiter};

/// A client of the ACL user `locker`.
fn as_locker(fleet: &RedisFleet) -> Locks {
    let locks = fleet.iter().fold(Locks::builder().restart_guard(false).ttl(LONG), |locks, server| {
        let config = RedisConfig::from_url(&server.url()).unwrap().username("locker").password("pw");
        locks.redis(config)
    });
    block_on(locks.node_timeout(Duration::from_millis(500)).build()).unwrap()
}

fn set_user(fleet: &RedisFleet, rights: &[&str]) {
    for server in fleet {
        let user = ["ACL", "SETUSER", "locker"].iter().chain(rights).copied().collect::<Vec<_>>();
        server.command(&user).unwrap();
    }
}

#[test]
fn without_the_right_to_be_told_a_waiter_polls_and_is_told_once_it_has_it() {
    let fleet = RedisFleet::start(3).unwrap();
    let documented = [
        "on",
        ">pw",
        "~redlock:*",
        "~#redlock:*",
        "-@all",
        "+info",
        "+script|load",
        "+evalsha",
        "+time",
        "+set",
        "+get",
        "+del",
        "+pttl",
        "+pexpire",
    ];
    set_user(&fleet, &documented);
    let locks = as_locker(&fleet);
    fleet.iter().for_each(|server| occupy(server, LONG));
    let first = waiter(&locks);
    eventually("it polls", || fleet.iter().all(|server| calls(server, "evalsha") > 20));
    fleet.iter().for_each(|server| assert_eq!(listeners(server), 0));
    fleet.iter().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    block_on(first.join().unwrap().release()).unwrap();
    fleet.iter().for_each(|server| occupy(server, LONG));
    // What a user may do is looked at anew with a new connection.
    set_user(&fleet, &["+client|tracking"]);
    fleet.iter().for_each(|server| drop(server.command(&["CLIENT", "KILL", "USER", "locker"]).unwrap()));
    let second = waiter(&locks);
    // That is enough: where a quorum tells, the others are not asked again soon.
    eventually("a quorum tells", || fleet.iter().filter(|server| listeners(server) == 1).count() >= 2);
    fleet.iter().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    drop(second.join().unwrap());
}

#[test]
fn a_server_that_does_not_let_us_be_told_is_left_alone_with_connections() {
    let fleet = RedisFleet::start(1).unwrap();
    let server = fleet.server(0);
    set_user(&fleet, &["on", ">pw", "~*", "+@all", "-client"]);
    let locks = as_locker(&fleet);
    let connections = || info(server, "stats", "total_connections_received");
    let watch = || block_on(Arc::clone(&locks.nodes()[0]).watch(LockName::new("a").unwrap()));
    let before = connections();
    assert!(watch().is_err());
    // Where a server is down, there are many attempts in that time.
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert!(watch().is_err());
        std::thread::yield_now();
    }
    // The one that was refused, and the one that asks for the number.
    assert!(connections() - before <= 2);
}

#[test]
fn a_minority_that_hangs_does_not_keep_a_waiter_from_being_told() {
    let fleet = RedisFleet::start(5).unwrap();
    fleet.iter().for_each(|server| occupy(server, LONG));
    let locks = client(&fleet);
    fleet.server(0).pause().unwrap();
    fleet.server(1).pause().unwrap();
    let waiter = waiter(&locks);
    let up = || fleet.iter().skip(2);
    eventually_watched(up());
    up().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    let guard = waiter.join().unwrap();
    assert!(guard.is_valid());
    [0, 1].iter().for_each(|&index| fleet.server(index).resume().unwrap());
}

#[test]
fn a_server_that_hung_and_goes_on_tells_again() {
    let fleet = RedisFleet::start(1).unwrap();
    let server = fleet.server(0);
    occupy(server, LONG);
    let locks = connect(&fleet);
    let waiter = waiter(&locks);
    eventually_watched(&fleet);
    server.pause().unwrap();
    let watch = || Arc::clone(&locks.nodes()[0]).watch(LockName::new("b").unwrap());
    eventually("the connection is given up", || block_on(watch()).is_err());
    server.resume().unwrap();
    server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    eventually_watched(&fleet);
    eventually("the connection that was given up has gone", || listeners(server) == 1);
    server.command(&["DEL", KEY]).unwrap();
    drop(waiter.join().unwrap());
}

#[test]
fn a_server_that_was_restarted_tells_again() {
    let fleet = RedisFleet::start(1).unwrap();
    let server = fleet.server(0);
    occupy(server, LONG);
    let locks = connect(&fleet);
    let waiter_before = waiter(&locks);
    eventually_watched(&fleet);
    server.restart().unwrap();
    // It has forgotten the lock.
    let guard = waiter_before.join().unwrap();
    block_on(guard.release()).unwrap();
    occupy(server, LONG);
    let waiter_after = waiter(&locks);
    eventually_watched(&fleet);
    server.command(&["DEL", KEY]).unwrap();
    drop(waiter_after.join().unwrap());
}

#[test]
fn a_connection_that_the_server_closes_is_made_anew() {
    let fleet = RedisFleet::start(3).unwrap();
    fleet.iter().for_each(|server| occupy(server, LONG));
    let locks = block_on(builder(&fleet).build()).unwrap();
    let waiter = waiter(&locks);
    eventually_watched(&fleet);
    for server in &fleet {
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
        server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    }
    eventually_watched(&fleet);
    fleet.iter().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    drop(waiter.join().unwrap());
}
