//! Long-held locks on nodes that lose their memory one after the other.

use futures::executor::block_on;
use redlock_tests::rivals::builder_of;
use redlock_tests::support::eventually;

use super::{RENEWED_TTL, start};

#[test]
fn a_lock_survives_ten_losses_one_after_the_other() {
    let fleet = start(3);
    let builder = || builder_of(fleet.urls(), RENEWED_TTL);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let token = guard.fencing_token();
    for loss in 0..10 {
        let server = fleet.server(loss % 3);
        server.kill();
        server.restart().unwrap();
        eventually("the lock is back there", || server.lock_keys().is_ok_and(|keys| keys.len() == 1));
        assert!(guard.is_valid(), "after {loss} losses");
        assert!(!matches!(block_on(other.lock("a").try_acquire()), Ok(Some(_))));
    }
    block_on(guard.release()).unwrap();
    let next = block_on(other.lock("a").acquire()).unwrap();
    assert!(next.fencing_token() > token);
}
