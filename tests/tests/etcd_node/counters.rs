//! Fencing counters: they rise, whatever the clients' clocks show and whoever is restarted, and do not stay for ever.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use redlock::backend::etcd::EtcdConfig;
use redlock::env::{Env, RandomError};
use redlock::node::{Fence, Node, NodeErrorKind, Raise, RaiseRequest, RefusalReason};
use redlock::testing::real_env;
use redlock::testing::servers::EtcdEnsemble;
use redlock::{FencingToken, Instant, Protections, Ttl};

use crate::{Bench, RETENTION, acquisition, granted, name, owner, refused, soon};

/// A machine whose wall clock is off by so many seconds.
#[derive(Debug)]
struct Off(Arc<dyn Env>, i64);

impl Env for Off {
    fn now(&self) -> Instant {
        self.0.now()
    }
    fn wall_micros(&self) -> u64 {
        self.0.wall_micros().saturating_add_signed(self.1 * 1_000_000)
    }
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        self.0.sleep_until(at)
    }
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill_random(bytes)
    }
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }
}

fn off_by(ensemble: &EtcdEnsemble, seconds: i64) -> Bench {
    let env = Arc::new(Off(real_env().unwrap(), seconds));
    Bench::start(EtcdConfig::from_url(&ensemble.url()).unwrap(), env, Protections::default())
}

fn ceiling(bench: &Bench) -> u64 {
    block_on(bench.node().probe()).unwrap().ceiling.unwrap()
}

/// How long the counter of a lock will be kept, in seconds.
fn kept(ensemble: &EtcdEnsemble, lock: &str) -> u64 {
    let key = format!("#redlock:aux:redlock:{lock}");
    let lease = ensemble.lease_of(&key).unwrap().unwrap();
    ensemble.lease_lasts(lease).unwrap().unwrap()
}

fn raise(bench: &Bench, lock: &str, number: u8, to: u64) -> Option<u64> {
    let ttl = Ttl::new(Duration::from_secs(60)).unwrap();
    let request = RaiseRequest::new(name(lock), owner(number), ttl, soon(), Raise::new(to, RETENTION));
    granted(block_on(bench.node().raise(request)))
}

#[test]
fn counters_rise_whatever_the_clocks_show_and_whoever_is_restarted() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let bench = Bench::of(&ensemble);
    assert_eq!(ceiling(&bench), 0, "there is no counter yet");

    // It follows the client's clock, and leads by the span.
    let now = real_env().unwrap().wall_micros();
    let first = granted(bench.fenced("a", 1, 5)).unwrap();
    assert!(first.abs_diff(now) < 60_000_000, "{first} at {now}");
    assert!(ceiling(&bench) >= first);
    assert!(kept(&ensemble, "a") >= 660, "TTL and retention");
    // Not again for the same owner; never down; up by a raise, alone or with an extension.
    assert_eq!(granted(bench.fenced("a", 1, 5)), Some(first));
    assert_eq!(granted(bench.raised("a", 1, first - 1)), Some(first));
    assert_eq!(granted(bench.raised("a", 1, first)), Some(first));
    assert_eq!(granted(bench.raised("a", 1, first + 10)), Some(first + 10));
    assert_eq!(raise(&bench, "a", 1, first + 20), Some(first + 20));
    assert_eq!(raise(&bench, "a", 1, 1), Some(first + 20));
    assert_eq!(bench.inspect("a").counter, Some(first + 20));
    refused(bench.raised("a", 2, first + 30), RefusalReason::Held);
    refused(bench.raised("nobody's", 2, first + 30), RefusalReason::Missing);
    assert_eq!(bench.inspect("nobody's").counter, None);
    bench.release("a", 1).unwrap();

    // The next holder's is greater, by the span at least, though its clock is behind by an hour.
    let behind = off_by(&ensemble, -3_600);
    let second = granted(behind.fenced("a", 2, 7)).unwrap();
    assert!(second >= first + 27, "{second} after {first}");
    behind.release("a", 2).unwrap();
    // One that is ahead by an hour takes it there, and it is kept until others have come there too.
    let ahead = off_by(&ensemble, 3_600);
    let third = granted(ahead.fenced("a", 3, 1)).unwrap();
    assert!(third > second + 3_000_000_000);
    assert!(ceiling(&bench) >= third);
    ahead.release("a", 3).unwrap();
    let fourth = granted(bench.fenced("a", 4, 1)).unwrap();
    assert_eq!(fourth, third + 1);
    assert!(kept(&ensemble, "a") >= 3_600 + 660 - 60, "{}", kept(&ensemble, "a"));
    // A renewal that knows a lower token does not let it go sooner.
    assert_eq!(granted(bench.raised("a", 4, first)), Some(fourth));
    assert!(kept(&ensemble, "a") >= 3_600 + 660 - 60, "{}", kept(&ensemble, "a"));
    bench.release("a", 4).unwrap();

    // Nothing of that is lost with the process, and none of it was needed by another name.
    ensemble.member(0).kill();
    ensemble.member(0).restart().unwrap();
    let fifth = crate::eventually_granted(&bench, "a", 5).unwrap();
    assert!(fifth > fourth);
    assert!(ceiling(&bench) >= fifth);
    let other = granted(bench.fenced("b", 1, 1)).unwrap();
    assert!(other < third, "each name has a counter of its own");

    // At its end, or in disorder, nothing is granted.
    let odd = "#redlock:aux:redlock:odd";
    ensemble.put(odd, &format!("{:016}", FencingToken::MAX)).unwrap();
    refused(bench.fenced("odd", 1, 1), RefusalReason::Exhausted);
    ensemble.put(odd, "9999999999999999999").unwrap();
    assert_eq!(bench.fenced("odd", 1, 1).unwrap_err().kind, NodeErrorKind::WrongType);
    assert!(!ensemble.keys().unwrap().contains(&"redlock:odd".to_owned()));
    // Counters share leases: they do not cost one each.
    let before = ensemble.leases().unwrap().len();
    for lock in 0..20 {
        let mut request = acquisition(&format!("many-{lock}"), 1, 1_000);
        request.fence = Some(Fence::new(0, 1, RETENTION));
        granted(block_on(bench.node().acquire(request)));
        bench.release(&format!("many-{lock}"), 1).unwrap();
    }
    redlock_tests::support::eventually("no lease is left but that of the counters", || {
        ensemble.leases().unwrap().len() <= before + 1
    });
}
