//! What a way costs. `cargo nextest run -p redlock-tests --test network --run-ignored only --no-capture latency` measures it.

use std::time::{Duration, Instant};

use redlock_tests::network::Network;

use super::Raw;
use redlock::testing::servers::RedisServer;

/// The median and the 99th percentile of so many round trips.
fn measure(address: &str) -> (Duration, Duration) {
    const COUNT: usize = 20_000;
    let mut client = Raw::to(address);
    let mut took: Vec<_> = (0..COUNT)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(client.ask(&["PING"]), "+PONG");
            started.elapsed()
        })
        .collect();
    took.sort_unstable();
    (took[COUNT / 2], took[COUNT * 99 / 100])
}

#[test]
#[ignore = "it measures, and shows nothing that could fail"]
fn latency() {
    let server = RedisServer::start().unwrap();
    let addresses = vec![server.address(); 9];
    let network = Network::start(&addresses, 8).unwrap();
    for round in 0..3 {
        let (direct, by_way) = (measure(&server.address()), measure(&network.way(0, 0).reached_at()));
        println!("round {round}: direct {direct:?}, by way {by_way:?} (median, 99th percentile)");
    }
}
