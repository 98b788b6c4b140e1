//! Releases that queued up at a server that stands still.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{AcquireRequest, Node, ReleaseRequest, Reply};
use redlock::testing::real_env;
use redlock::{Instant, Protections, Ttl};
use redlock_tests::support::{LONG, lock_keys};

use crate::Line;
use crate::stopped::{Stopped, name, owner};

/// As many as are sent one by one, whatever else is in flight.
const LOCKS: u32 = 3;

/// Releases locks of a server that stands still; says what is left of them when it has gone on.
fn left_after_a_late_release(line: Line) -> Vec<String> {
    let stopped = Stopped::start(&real_env().unwrap(), Protections::default());
    stopped.connect();
    for number in 0..LOCKS {
        let deadline = Instant::now().saturating_add(Duration::from_secs(10));
        let request = AcquireRequest::new(name(number), owner(number), Ttl::new(LONG).unwrap(), deadline);
        let reply = block_on(Arc::clone(&stopped.node).acquire(request)).unwrap();
        assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
    }
    assert_eq!(lock_keys(&stopped.server).len(), LOCKS as usize);
    stopped.ask_in_vain(line, |_| {
        let release = |number| ReleaseRequest::new(name(number), owner(number), None);
        (0..LOCKS).map(|number| Arc::clone(&stopped.node).release(release(number))).collect()
    });
    lock_keys(&stopped.server)
}

#[test]
fn a_release_counts_however_late_it_is_run() {
    assert_eq!(left_after_a_late_release(Line::Kept), [""; 0]);
}

#[test]
fn a_release_counts_also_over_a_connection_that_was_given_up() {
    assert_eq!(left_after_a_late_release(Line::GivenUp), [""; 0]);
}
