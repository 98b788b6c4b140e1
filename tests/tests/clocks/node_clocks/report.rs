//! What the error of an acquisition says of a clock that is wrong. The events are in `tests/observability`.

use futures::executor::block_on;
use redlock_tests::support::eventually;

use super::{TTL, connect, start, step_forward, wait_for_baselines};

#[test]
fn a_vote_that_does_not_count_says_why() {
    let fleet = start(3);
    let locks = connect(&fleet);
    wait_for_baselines(TTL);
    fleet.server(2).kill();
    let address = fleet.server(1).address();
    step_forward(fleet.server(1));
    eventually("the vote says so", || match block_on(locks.lock("a").try_acquire()) {
        Ok(guard) => {
            assert!(guard.is_none(), "two nodes are left, and one of them cannot be relied on");
            false
        }
        Err(refused) => {
            let text = refused.to_string();
            text.contains(&format!("{address}: its clock has moved and is 60.0s ahead of what it was"))
        }
    });
}
