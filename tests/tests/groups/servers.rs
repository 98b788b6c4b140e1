//! Groups of real servers.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, LockGroups, Locks};
use redlock_tests::support::{assert_no_key_is_left, connect};
use tokio::runtime;
use tokio::sync::Barrier;

use crate::ledger::Ledger;

struct Fleets {
    one: RedisFleet,
    two: RedisFleet,
}

impl Fleets {
    fn start() -> Self {
        Self { one: RedisFleet::start(3).unwrap(), two: RedisFleet::start(3).unwrap() }
    }

    fn connect(&self) -> [Locks; 2] {
        [connect(&self.one), connect(&self.two)]
    }
}

/// A name in this group.
fn name_in(groups: &LockGroups, group: &str) -> String {
    (0..).map(|number| format!("name-{number}")).find(|name| groups.group_of(name) == group).unwrap()
}

#[test]
fn a_group_that_is_down_keeps_its_own_names_from_being_locked_and_no_others() {
    let fleets = Fleets::start();
    let [one, two] = fleets.connect();
    let groups = LockGroups::new([("one", one), ("two", two)]).unwrap();
    let (up, down) = (name_in(&groups, "one"), name_in(&groups, "two"));
    for server in fleets.two.iter().take(2) {
        server.kill();
    }
    let error = block_on(groups.lock(&down).try_acquire()).unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error}");
    let guard = block_on(groups.lock(&up).acquire()).unwrap();
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleets.one);
}

/// Adds 1 so many times under the lock.
async fn turns(groups: &LockGroups, name: &str, turns: u32, ledger: &Ledger) {
    for _ in 0..turns {
        let guard = groups.lock(name).acquire().await.unwrap();
        ledger.add_one(&guard.held(), tokio::task::yield_now()).await;
        guard.release().await.unwrap();
    }
}

#[test]
fn groups_of_real_servers_change_under_contention_and_no_update_is_lost() {
    const CLIENTS: usize = 4;
    let fleets = Fleets::start();
    let ledger = Arc::new(Ledger::default());
    // All have left the first phase before anybody enters the last one.
    let gate = Arc::new(Barrier::new(CLIENTS));
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let [one, two] = fleets.connect();
            let (ledger, gate) = (Arc::clone(&ledger), Arc::clone(&gate));
            runtime.spawn(async move {
                let old = LockGroups::new([("one", one.clone())]).unwrap();
                let new = LockGroups::new([("one", one), ("two", two)]).unwrap();
                let changing = LockGroups::changing(&old, &new).unwrap();
                let name = name_in(&new, "two");
                // Half of them enter a phase while the other half is still in the one before.
                let (few, many) = if number % 2 == 0 { (5, 20) } else { (20, 5) };
                turns(&old, &name, few, &ledger).await;
                turns(&changing, &name, many, &ledger).await;
                gate.wait().await;
                turns(&changing, &name, few, &ledger).await;
                turns(&new, &name, many, &ledger).await;
            })
        })
        .collect();
    for client in clients {
        runtime.block_on(client).unwrap();
    }
    ledger.assert_exact();
    assert_no_key_is_left(&fleets.one);
    assert_no_key_is_left(&fleets.two);
}
