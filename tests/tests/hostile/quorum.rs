//! A fleet some of whose servers are hostile.

use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, Locks};
use redlock_tests::hostile::{Deed, HostileServer};
use redlock_tests::support::{assert_no_key_is_left, eventually};

use crate::catalogue::{lies, silences};
use crate::{assert_no_panic, count_panics, ends, environment};

const NODES: usize = 5;
/// Short: what a server says of a request that it has run all the same ("not done", "not here") leaves a key until it expires.
const TTL: Duration = Duration::from_secs(10);

/// Five real servers, the first of them behind hostile ones.
struct Besieged {
    fleet: RedisFleet,
    hostile: Vec<HostileServer>,
    locks: Locks,
}

impl Besieged {
    /// Honest servers have to answer within `patience`; a hostile majority is waited for as long.
    fn start(hostile: usize, patience: Duration) -> Self {
        count_panics();
        let fleet = RedisFleet::start(NODES).unwrap();
        let hostile: Vec<_> = fleet.iter().take(hostile).map(HostileServer::before).collect();
        let urls = hostile.iter().map(HostileServer::url).chain(fleet.urls().into_iter().skip(hostile.len()));
        let builder = Locks::builder().restart_guard(false).ttl(TTL).node_timeout(patience);
        let builder = urls.fold(builder, |builder, url| builder.redis(RedisConfig::from_url(&url).unwrap()));
        let locks = block_on(builder.build()).unwrap();
        Self { fleet, hostile, locks }
    }

    fn all(&self, deed: &Deed) {
        for server in &self.hostile {
            server.on("EVALSHA", deed.clone());
        }
    }

    /// Ends everything: nothing may be left.
    fn end(self) {
        let env = environment();
        for server in &self.hostile {
            server.be_honest();
        }
        ends(&env, "shutting down", self.locks.shutdown(Duration::from_secs(20)));
        assert_no_key_is_left(&self.fleet);
        drop(self.locks);
        eventually("no connection is left", || self.hostile.iter().all(|server| server.connections() == 0));
        assert_no_panic();
    }
}

fn deeds() -> Vec<Deed> {
    let cuts = [0, 3, 10, 20].map(Deed::CutAfter);
    lies().into_iter().map(Deed::Replace).chain(silences()).chain(cuts).collect()
}

#[test]
fn a_hostile_minority_keeps_nobody_from_a_lock() {
    let besieged = Besieged::start(2, Duration::from_secs(2));
    let env = environment();
    for deed in deeds() {
        besieged.all(&deed);
        let lock = besieged.locks.lock("a").wait_at_most(Duration::from_secs(20));
        let guard = ends(&env, "acquiring", lock.acquire());
        let guard = guard.unwrap_or_else(|error| panic!("{}: {error}", brief(&deed)));
        assert!(guard.is_valid());
        ends(&env, "extending", guard.extend()).unwrap_or_else(|error| panic!("{}: {error}", brief(&deed)));
        ends(&env, "releasing", guard.release()).unwrap_or_else(|error| panic!("{}: {error}", brief(&deed)));
    }
    besieged.end();
}

#[test]
fn a_hostile_majority_grants_nothing_by_what_is_no_grant() {
    let besieged = Besieged::start(3, Duration::from_millis(200));
    let env = environment();
    for deed in deeds().into_iter().filter(|deed| !matches!(deed, Deed::Late(_))) {
        besieged.all(&deed);
        let lock = besieged.locks.lock("a").wait_at_most(Duration::from_millis(60));
        let result = ends(&env, "acquiring", lock.acquire());
        let refused = matches!(&result, Err(AcquireError::Busy { .. } | AcquireError::Unavailable { .. }));
        assert!(refused, "{}: {result:?}", brief(&deed));
    }
    besieged.end();
}

#[test]
fn a_hostile_majority_does_not_keep_a_program_from_its_end() {
    let besieged = Besieged::start(3, Duration::from_millis(200));
    let env = environment();
    let guard = block_on(besieged.locks.lock("a").acquire()).unwrap();
    besieged.all(&Deed::SilentAfter(0));
    let until = guard.valid_until();
    assert!(ends(&env, "extending", guard.extend()).is_err());
    assert_eq!(guard.valid_until(), until, "a try that failed prolongs nothing");
    assert!(ends(&env, "releasing", guard.release()).is_err(), "nobody has confirmed it");
    let report = ends(&env, "shutting down", besieged.locks.shutdown(Duration::from_millis(100)));
    assert!(report.unsettled > 0, "{report:?}");
    besieged.end();
}

fn brief(deed: &Deed) -> String {
    format!("{deed:?}").chars().take(200).collect()
}
