//! A client asks for locks while a majority stands still, and is killed: nobody is left who could release anything.

use futures::executor::block_on;
use futures::future::join_all;
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{Instant, LockGuard, Locks};
use redlock_tests::support::{ASK_PATIENCE, HolderProcess, LIMIT, builder, eventually, lock_keys};

use crate::stopped::scripts_run;

/// Locks that one client asks for. A server reads no more than 16 KiB from a connection before it answers, and an answer to
/// a dead client ends the connection.
const LOCKS: usize = 20;
const CLIENTS: usize = 5;
const STOPS: usize = 5;
/// A majority of five.
const STOPPED: usize = 3;

/// What was seen over all stops.
#[derive(Debug, Default)]
struct Seen {
    /// Scripts that stopped servers ran after their client had died: some requests alone, the others in a batch.
    ran: u64,
    /// Keys that these servers had afterwards.
    ghosts: usize,
    /// Locks that somebody else did not get at the first attempt.
    refused: usize,
}

fn die_while_servers_stand_still(stops: usize, without: Option<&str>) -> Seen {
    let fleet = RedisFleet::start(5).unwrap();
    let mut seen = Seen::default();
    for _ in 0..stops {
        once(&fleet, without, &mut seen);
    }
    seen
}

fn once(fleet: &RedisFleet, without: Option<&str>, seen: &mut Seen) {
    let servers: Vec<_> = fleet.iter().collect();
    let (stopped, running) = servers.split_at(STOPPED);
    // It has one attempt, on a machine that may be busy.
    let other = block_on(builder(fleet).node_timeout(LIMIT).build()).unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| client(fleet, number, without)).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.line(), "connected"));
    let ran = || stopped.iter().map(|server| scripts_run(server)).sum::<u64>();
    let before = ran();

    stopped.iter().for_each(|server| server.pause().unwrap());
    clients.iter_mut().for_each(|client| client.say("go"));
    clients.iter_mut().for_each(|client| assert_eq!(client.line(), "asking"));
    // The stopped servers are asked before the others.
    eventually("the other servers have all keys", || {
        running.iter().all(|server| lock_keys(server).len() == CLIENTS * LOCKS)
    });
    let deadline = Instant::now().saturating_add(ASK_PATIENCE);
    clients.iter_mut().for_each(HolderProcess::kill);
    block_on(real_env().unwrap().sleep_until(deadline));

    stopped.iter().for_each(|server| server.resume().unwrap());
    // A server notices the end of a connection behind all that came over it. Left are the other's and the one that looks.
    eventually("no connection of the dead is left", || {
        let clients = |server: &RedisServer| {
            server.command(&["CLIENT", "LIST"]).unwrap().text().unwrap().lines().count()
        };
        stopped.iter().all(|server| clients(server) <= 2)
    });
    seen.ran += ran() - before;
    seen.ghosts += stopped.iter().map(|server| lock_keys(server).len()).sum::<usize>();
    // Two servers keep what was granted in time; the majority is free.
    seen.refused += try_all(&other).into_iter().filter(Option::is_none).count();
    block_on(other.shutdown(LIMIT));
    fleet.iter().for_each(|server| drop(server.command(&["FLUSHALL"]).unwrap()));
}

fn client(fleet: &RedisFleet, number: usize, without: Option<&str>) -> HolderProcess {
    let (locks, prefix) = (LOCKS.to_string(), number.to_string());
    let mut arguments = vec!["ask", &locks, &prefix];
    if let Some(name) = without {
        arguments.extend(["--without", name]);
    }
    HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &arguments, fleet)
}

/// One attempt for each lock that the clients asked for.
fn try_all(locks: &Locks) -> Vec<Option<LockGuard>> {
    let names = (0..CLIENTS).flat_map(|client| (0..LOCKS).map(move |number| format!("{client}-{number}")));
    let attempts = names.map(|name| {
        let lock = locks.lock(name);
        async move { lock.try_acquire().await.unwrap() }
    });
    block_on(join_all(attempts))
}

#[test]
fn a_client_that_died_gets_no_lock_from_servers_that_go_on_after_it() {
    let seen = die_while_servers_stand_still(STOPS, None);
    assert!(seen.ran >= 100, "too few scripts were run late: {seen:?}");
    assert_eq!((seen.ghosts, seen.refused), (0, 0), "{seen:?}");
}

#[test]
fn without_deadlines_a_client_that_died_keeps_everybody_out() {
    let seen = die_while_servers_stand_still(1, Some("stale_deadline"));
    assert!(seen.ghosts > 0 && seen.refused > 0, "{seen:?}");
}
