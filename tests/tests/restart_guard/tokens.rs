//! Fencing tokens rise although every node has lost its memory, one after the other.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{AcquireRequest, Fence, Raise, RaiseRequest, ReleaseRequest, Reply};
use redlock::testing::servers::{ClockStep, RedisFleet, RedisServer};
use redlock::{FencingToken, Instant, LockName, Locks, OwnerToken, Protections, Ttl};
use redlock_tests::clock_shim;
use redlock_tests::support::{LIMIT, eventually};

use super::{MAX_TTL, are_admitted, builder, incarnation, start, start_with};

const HOUR: Duration = Duration::from_secs(3_600);
/// Counters follow clocks, in microseconds.
const HOUR_OF_TOKENS: u64 = 3_600_000_000;

/// Lets every node lose its memory, each when the others are in good order. Nobody uses the name meanwhile.
fn lose_all(fleet: &RedisFleet, locks: &Locks) {
    for (index, server) in fleet.iter().enumerate() {
        let before = incarnation(locks, index);
        server.restart().unwrap();
        eventually("it comes back with another memory, and all are admitted", || {
            // Another name: whoever asks notices.
            let _ = block_on(locks.lock("any").try_acquire());
            incarnation(locks, index).is_some_and(|now| Some(now) != before) && are_admitted(locks)
        });
    }
}

fn token(locks: &Locks) -> FencingToken {
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    let token = guard.fencing_token().unwrap();
    block_on(guard.release()).unwrap();
    token
}

/// How counters get far ahead of the nodes' clocks.
#[derive(Clone, Copy)]
enum Lead {
    /// Somebody takes so many tokens at once.
    Span(u64),
    /// Somebody raises them that far, as for the token of another node.
    Raise(u64),
}

/// Has it happen on every node, in the name of an owner of its own.
fn get_ahead(locks: &Locks, lead: Lead) {
    let (name, owner) = (LockName::new("a").unwrap(), OwnerToken::from_bytes([7; OwnerToken::BYTES]));
    let retention = Duration::from_secs(600);
    let ttl = Ttl::new(MAX_TTL).unwrap();
    for node in locks.nodes() {
        let soon = Instant::now().saturating_add(Duration::from_secs(10));
        let span = if let Lead::Span(span) = lead { span } else { 1 };
        let mut request = AcquireRequest::new(name.clone(), owner, ttl, soon);
        request.fence = Some(Fence::new(0, span, retention));
        let Reply::Granted(grant) = block_on(Arc::clone(node).acquire(request)).unwrap() else { panic!() };
        if let Lead::Raise(by) = lead {
            let to = Raise::new(grant.counter.unwrap() + by, retention);
            let request = RaiseRequest::new(name.clone(), owner, ttl, soon, to);
            let reply = block_on(Arc::clone(node).raise(request)).unwrap();
            assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
        }
        block_on(Arc::clone(node).release(ReleaseRequest::new(name.clone(), owner, None))).unwrap();
    }
}

fn connect(fleet: &RedisFleet, protections: Protections) -> Locks {
    block_on(builder(fleet).protections(protections).init()).unwrap()
}

/// The tokens before and after all nodes have lost their memory, with counters that were ahead.
fn tokens_after(lead: Lead, protections: Protections) -> [FencingToken; 2] {
    let fleet = start(5);
    let locks = connect(&fleet, protections);
    get_ahead(&locks, lead);
    let before = token(&locks);
    lose_all(&fleet, &locks);
    [before, token(&locks)]
}

#[test]
fn tokens_rise_over_the_loss_of_every_node() {
    let fleet = start(5);
    let locks = connect(&fleet, Protections::default());
    let before = token(&locks);
    lose_all(&fleet, &locks);
    assert!(token(&locks) > before);
}

#[test]
fn counters_far_ahead_are_not_lost_with_the_nodes_that_had_them() {
    for lead in [Lead::Span(HOUR_OF_TOKENS), Lead::Raise(HOUR_OF_TOKENS)] {
        let [before, after] = tokens_after(lead, Protections::default());
        assert!(after > before, "{after} after {before}");
    }
}

#[test]
fn without_the_floor_a_token_comes_again() {
    for lead in [Lead::Span(HOUR_OF_TOKENS), Lead::Raise(HOUR_OF_TOKENS)] {
        let [before, after] = tokens_after(lead, Protections::without("fence_floor").unwrap());
        assert!(after <= before, "{after} after {before}");
    }
}

/// The tokens before and after all nodes have lost their memory, where one node's clock was an hour ahead. It is set back while the
/// node is down, for so long that nobody compares it with what it was.
fn tokens_after_a_clock_ahead(protections: Protections) -> [FencingToken; 2] {
    let fleet = start_with(5, &RedisServer::options().clock_shim(clock_shim()));
    fleet.server(3).step_clock(ClockStep::Forward(HOUR)).unwrap();
    let locks = connect(&fleet, protections);
    // Its vote counts once it has been watched for long enough; then its counter is the highest.
    let ahead = u64::try_from((HOUR / 2).as_micros()).unwrap() + now(fleet.server(0));
    let mut before = token(&locks);
    eventually("the node ahead has its say", || {
        before = token(&locks);
        before.get() > ahead
    });
    fleet.server(3).kill();
    fleet.server(3).step_clock(ClockStep::Back(HOUR)).unwrap();
    let killed = Instant::now();
    eventually("its clock is forgotten", || Instant::now() > killed.saturating_add(2 * MAX_TTL));
    fleet.server(3).restart().unwrap();
    eventually("the node is back", || are_admitted(&locks));
    lose_all(&fleet, &locks);
    [before, token(&locks)]
}

/// The server's time, in microseconds.
fn now(server: &RedisServer) -> u64 {
    let time = server.command(&["TIME"]).unwrap().texts();
    let [seconds, micros] = [0, 1].map(|part: usize| time[part].parse::<u64>().unwrap());
    seconds * 1_000_000 + micros
}

#[test]
fn tokens_of_a_node_whose_clock_was_ahead_are_not_given_again() {
    let [before, after] = tokens_after_a_clock_ahead(Protections::default());
    assert!(after > before, "{after} after {before}");
}

#[test]
fn without_the_floor_a_token_of_a_clock_ahead_comes_again() {
    let [before, after] = tokens_after_a_clock_ahead(Protections::without("fence_floor").unwrap());
    assert!(after <= before, "{after} after {before}");
}

#[test]
fn a_holder_brings_its_token_along_over_the_loss_of_every_node() {
    let fleet = start(3);
    let locks = connect(&fleet, Protections::default());
    let guard = block_on(locks.lock("a").ttl(MAX_TTL).acquire()).unwrap();
    let held = guard.fencing_token().unwrap();
    for server in &fleet {
        server.restart().unwrap();
        eventually("it is given back, or lost", || {
            server.lock_keys().is_ok_and(|keys| keys.iter().any(|key| key == "redlock:a"))
                || !guard.is_valid()
        });
    }
    drop(guard);
    assert!(token(&locks) > held);
}
