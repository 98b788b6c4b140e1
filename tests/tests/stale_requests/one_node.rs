//! One node is asked while its server stands still, given up at the deadline, and goes on a moment later.

use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{AcquireRequest, ExtendRequest, Fence, Node, NodeFuture, Raise, RaiseRequest, Reply};
use redlock::testing::real_env;
use redlock::{Instant, Protections, Ttl};

use crate::Line;
use crate::stopped::{Stopped, key, name, owner};

/// How many requests every test sends in vain.
const TRIES: u32 = 500;
/// As many servers share them.
const SERVERS: u32 = 4;

/// What a node is asked that must not happen late.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Acquire,
    Extend,
    Raise,
}

/// How a test spreads its tries.
impl Line {
    /// How many requests are sent while a server stands still once. A connection is given up only after a second.
    fn tries_each_stop(self) -> u32 {
        match self {
            Self::Kept => 1,
            Self::GivenUp => 25,
        }
    }
}

/// Asks in vain; returns how many of the requests took effect nevertheless.
fn late_effects(tries: u32, ask: Ask, line: Line, protections: Protections) -> usize {
    let env = real_env().unwrap();
    let share = tries / SERVERS;
    thread::scope(|scope| {
        let servers: Vec<_> = (0..SERVERS)
            .map(|server| {
                let env = &env;
                scope.spawn(move || {
                    let stopped = Stopped::start(env, protections);
                    let numbers = server * share..(server + 1) * share;
                    let stops = numbers.step_by(line.tries_each_stop() as usize);
                    stops
                        .map(|first| once(&stopped, ask, line, first..first + line.tries_each_stop()))
                        .sum::<usize>()
                })
            })
            .collect();
        servers
            .into_iter()
            .map(|server| server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .sum::<usize>()
    })
}

/// One stop of the server.
fn once(stopped: &Stopped, ask: Ask, line: Line, numbers: Range<u32>) -> usize {
    stopped.connect();
    numbers.clone().for_each(|number| prepare(stopped, ask, number));
    stopped.ask_in_vain(line, |deadline| {
        numbers.clone().map(|number| request(stopped, ask, number, deadline)).collect()
    });
    let late = numbers.filter(|&number| took_effect(stopped, ask, number)).count();
    stopped.server.command(&["FLUSHALL"]).unwrap();
    late
}

const MINUTE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(600);
/// Far beyond where a minute's hold begins to count.
const RAISED: u64 = 1 << 52;

fn ttl(of: Duration) -> Ttl {
    Ttl::new(of).unwrap()
}

/// Those that are to be extended or raised hold the lock for a minute already.
fn prepare(stopped: &Stopped, ask: Ask, number: u32) {
    if matches!(ask, Ask::Acquire) {
        return;
    }
    let deadline = Instant::now().saturating_add(MINUTE);
    let mut request = AcquireRequest::new(name(number), owner(number), ttl(MINUTE), deadline);
    request.fence = Some(Fence::new(0, 1, RETENTION));
    let reply = block_on(Arc::clone(&stopped.node).acquire(request)).unwrap();
    assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
}

fn request(stopped: &Stopped, ask: Ask, number: u32, deadline: Instant) -> NodeFuture<Reply> {
    let (node, name, owner) = (Arc::clone(&stopped.node), name(number), owner(number));
    // Every other one without fencing.
    let fenced = number.is_multiple_of(2);
    let raise = Raise::new(RAISED, RETENTION);
    match ask {
        Ask::Acquire => {
            let mut request = AcquireRequest::new(name, owner, ttl(MINUTE), deadline);
            request.fence = fenced.then(|| Fence::new(0, 1, RETENTION));
            node.acquire(request)
        }
        Ask::Extend => {
            let mut request = ExtendRequest::new(name, owner, ttl(10 * MINUTE), deadline);
            request.fence = fenced.then_some(raise);
            node.extend(request)
        }
        Ask::Raise => node.raise(RaiseRequest::new(name, owner, ttl(MINUTE), deadline, raise)),
    }
}

/// Whether the server shows a trace of the request.
fn took_effect(stopped: &Stopped, ask: Ask, number: u32) -> bool {
    let lock = key(number);
    let counter = format!("#redlock:aux:{{{lock}}}");
    let server = &stopped.server;
    let integer = |command: &[&str]| server.command(command).unwrap().integer().unwrap();
    let is_raised = || server.command(&["GET", &counter]).unwrap().text() == Some(&RAISED.to_string());
    match ask {
        Ask::Acquire => integer(&["EXISTS", &lock, &counter]) > 0,
        Ask::Extend => integer(&["PTTL", &lock]) > MINUTE.as_millis() as i64 || is_raised(),
        Ask::Raise => is_raised(),
    }
}

fn none_takes_effect(ask: Ask, line: Line) {
    assert_eq!(late_effects(TRIES, ask, line, Protections::default()), 0, "of {TRIES}");
}

fn without_deadlines_some_take_effect(ask: Ask, line: Line) {
    // A tenth will do: nearly every one of them does.
    let late = late_effects(TRIES / 5, ask, line, Protections::without("stale_deadline").unwrap());
    assert!(late > 0, "none of {}", TRIES / 5);
}

#[test]
fn a_stopped_server_hands_out_no_ghost_lock_when_it_goes_on() {
    none_takes_effect(Ask::Acquire, Line::Kept);
}

#[test]
fn a_stopped_server_hands_out_no_ghost_lock_over_a_connection_that_was_given_up() {
    none_takes_effect(Ask::Acquire, Line::GivenUp);
}

#[test]
fn without_deadlines_a_stopped_server_hands_out_ghost_locks() {
    without_deadlines_some_take_effect(Ask::Acquire, Line::Kept);
}

#[test]
fn without_deadlines_a_stopped_server_hands_out_ghost_locks_over_a_connection_that_was_given_up() {
    without_deadlines_some_take_effect(Ask::Acquire, Line::GivenUp);
}

#[test]
fn a_stopped_server_extends_nothing_when_it_goes_on() {
    none_takes_effect(Ask::Extend, Line::Kept);
}

#[test]
fn a_stopped_server_extends_nothing_over_a_connection_that_was_given_up() {
    none_takes_effect(Ask::Extend, Line::GivenUp);
}

#[test]
fn without_deadlines_a_stopped_server_extends_what_its_holder_has_given_up() {
    without_deadlines_some_take_effect(Ask::Extend, Line::Kept);
    without_deadlines_some_take_effect(Ask::Extend, Line::GivenUp);
}

#[test]
fn a_stopped_server_raises_no_fencing_counter_when_it_goes_on() {
    none_takes_effect(Ask::Raise, Line::Kept);
}

#[test]
fn without_deadlines_a_stopped_server_raises_fencing_counters_when_it_goes_on() {
    without_deadlines_some_take_effect(Ask::Raise, Line::Kept);
}
