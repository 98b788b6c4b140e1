//! Nodes whose clocks are set or slewed while locks are held: what they expire too early, nobody else gets.

mod fresh;
mod quorum;
mod report;
mod single;
mod storm;
mod tokens;

use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::node::{Marker, Standing};
use redlock::testing::servers::{ClockStep, RedisFleet, RedisServer};
use redlock::{Locks, LocksBuilder};
use redlock_tests::clock_shim;
use redlock_tests::rivals::builder_of;

const MINUTE: Duration = Duration::from_secs(60);
/// 8 %, as much as chrony slews at most.
const SLEW: i32 = 80_000;
/// Short, since clocks are watched for as long.
const TTL: Duration = Duration::from_secs(1);

fn start(count: usize) -> RedisFleet {
    RedisFleet::start_with(count, &RedisServer::options().clock_shim(clock_shim())).unwrap()
}

fn builder(fleet: &RedisFleet) -> LocksBuilder {
    builder_of(fleet.urls(), TTL)
}

fn connect(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).init()).unwrap()
}

fn step_forward(server: &RedisServer) {
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
}

fn step_back(server: &RedisServer) {
    server.step_clock(ClockStep::Back(MINUTE)).unwrap();
}

/// As if the node had not voted when the lock was acquired.
fn take_away(server: &RedisServer) {
    server.command(&["DEL", "redlock:a"]).unwrap();
}

/// Until every client that is there has watched the clocks for as long as a lock can be held.
fn wait_for_baselines(longest: Duration) {
    let started = Instant::now();
    while started.elapsed() < longest + longest / 4 {
        thread::sleep(Duration::from_millis(10));
    }
}

fn marker(locks: &Locks, node: usize) -> Option<Marker> {
    match locks.nodes()[node].standing() {
        Standing::Marked(marker) => Some(marker),
        _ => None,
    }
}

fn is_admitted(locks: &Locks, node: usize) -> bool {
    marker(locks, node).is_some_and(|marker| marker.floor.is_some())
}

/// The server's time, in microseconds.
fn time_of(server: &RedisServer) -> u64 {
    let time = server.command(&["TIME"]).unwrap().texts();
    let [seconds, micros] = [0, 1].map(|part: usize| time[part].parse::<u64>().unwrap());
    seconds * 1_000_000 + micros
}
