//! Each clause of the contract of `Node`, on a clock that the test sets.

#[cfg(feature = "testing")]
mod guard;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::env::RandomError;

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn pass(&self, duration: Duration) {
        self.0.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Env for Clock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall_micros(&self) -> u64 {
        self.now().as_nanos() / 1_000
    }

    /// Looks at the clock when it is polled; wakes nobody.
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let now = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |_| match now.load(Ordering::Relaxed) >= at.as_nanos() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }))
    }

    fn fill_random(&self, _bytes: &mut [u8]) -> Result<(), RandomError> {
        unreachable!("the table draws nothing")
    }

    fn spawn(&self, _task: BoxFuture<'static, ()>) {
        unreachable!("the table spawns nothing")
    }
}

struct Bench {
    clock: Arc<Clock>,
    node: Arc<MemoryNode>,
}

const TTL: Duration = Duration::from_secs(10);
const A: OwnerToken = OwnerToken::from_bytes([1; OwnerToken::BYTES]);
const B: OwnerToken = OwnerToken::from_bytes([2; OwnerToken::BYTES]);

fn bench_with(protections: Protections) -> Bench {
    let clock = Arc::new(Clock(Arc::new(AtomicU64::new(1_000_000_000_000))));
    Bench { node: MemoryNode::start("memory".into(), clock.clone(), protections), clock }
}

fn bench() -> Bench {
    bench_with(Default::default())
}

fn name(text: &str) -> LockName {
    LockName::new(text).unwrap()
}

/// The answer, which must come on the first poll.
fn at_once<T>(future: NodeFuture<T>) -> T {
    future.now_or_never().expect("it completes on the first poll").expect("it does not fail")
}

impl Bench {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn in_time(&self) -> Instant {
        self.now().saturating_add(Duration::from_secs(1))
    }

    fn acquire(&self, owner: OwnerToken) -> Reply {
        self.acquire_for(owner, TTL)
    }

    fn acquire_for(&self, owner: OwnerToken, ttl: Duration) -> Reply {
        let ttl = Ttl::new(ttl).unwrap();
        at_once(self.node.clone().acquire(AcquireRequest::new(name("x"), owner, ttl, self.in_time())))
    }

    fn extend_for(&self, owner: OwnerToken, ttl: Duration) -> Reply {
        let ttl = Ttl::new(ttl).unwrap();
        at_once(self.node.clone().extend(ExtendRequest::new(name("x"), owner, ttl, self.in_time())))
    }

    fn release(&self, owner: OwnerToken, unsettled: Option<Instant>) -> Released {
        at_once(self.node.clone().release(ReleaseRequest::new(name("x"), owner, unsettled)))
    }

    fn inspect(&self) -> Inspection {
        at_once(self.node.clone().inspect(name("x")))
    }
}

fn granted() -> Reply {
    Reply::Granted(Grant::default())
}

/// By A.
fn held(remaining: Duration) -> Reply {
    Reply::Refused(Refusal::new(RefusalReason::Held, Some(remaining)).of_owner((&A).into()))
}

fn refusal(reason: RefusalReason) -> Reply {
    Reply::Refused(Refusal::new(reason, None))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_name_has_one_owner_at_a_time_and_the_refusal_says_for_how_long() {
    let bench = bench();
    assert_eq!(bench.acquire(A), granted());
    bench.clock.pass(SECOND);
    assert_eq!(bench.acquire(B), held(TTL - SECOND));
    assert_eq!(bench.inspect(), Inspection::new(true, Some(TTL - SECOND)).of_owner((&A).into(), None));
}

#[test]
fn a_lock_expires_when_its_ttl_has_passed_and_not_a_nanosecond_earlier() {
    let bench = bench();
    bench.acquire(A);
    bench.clock.pass(TTL - Duration::from_nanos(1));
    assert_eq!(bench.acquire(B), held(Duration::from_nanos(1)));
    bench.clock.pass(Duration::from_nanos(1));
    assert_eq!(bench.inspect(), Inspection::new(false, None));
    assert!(!bench.release(A, None).was_held);
    assert_eq!(bench.acquire(B), granted());
}

#[test]
fn an_owner_that_asks_again_is_granted_again_with_a_fresh_ttl() {
    let bench = bench();
    bench.acquire(A);
    bench.clock.pass(SECOND);
    assert_eq!(bench.acquire(A), granted());
    assert_eq!(bench.inspect().remaining, Some(TTL));
    assert_eq!(bench.extend_for(A, 3 * TTL), granted());
    assert_eq!(bench.acquire(A), granted());
    assert_eq!(bench.inspect().remaining, Some(3 * TTL), "a repetition takes nothing back");
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let bench = bench();
    let ttl = Ttl::new(TTL).unwrap();
    drop(bench.node.clone().acquire(AcquireRequest::new(name("x"), A, ttl, bench.in_time())));
    assert!(!bench.inspect().held);
}

#[test]
fn an_acquire_or_extend_after_its_deadline_is_refused_and_changes_nothing() {
    let bench = bench();
    let ttl = Ttl::new(TTL).unwrap();
    let (now, past) = (bench.now(), bench.now().saturating_sub(Duration::from_nanos(1)));
    let acquire = |at| at_once(bench.node.clone().acquire(AcquireRequest::new(name("x"), A, ttl, at)));
    let extend = |at| at_once(bench.node.clone().extend(ExtendRequest::new(name("x"), A, ttl, at)));
    assert_eq!(acquire(past), refusal(RefusalReason::Stale));
    assert!(!bench.inspect().held);
    assert_eq!(acquire(now), granted(), "the deadline itself is in time");
    bench.clock.pass(SECOND);
    assert_eq!(extend(now), refusal(RefusalReason::Stale));
    assert_eq!(bench.inspect().remaining, Some(TTL - SECOND));
}

#[test]
fn an_owner_extends_what_it_has_and_nothing_else() {
    let bench = bench();
    assert_eq!(bench.extend_for(A, TTL), refusal(RefusalReason::Missing));
    bench.acquire(A);
    bench.clock.pass(SECOND);
    assert_eq!(bench.extend_for(B, TTL), held(TTL - SECOND));
    assert_eq!(bench.inspect().remaining, Some(TTL - SECOND));
    assert_eq!(bench.extend_for(A, TTL), granted());
    assert_eq!(bench.inspect().remaining, Some(TTL));
    bench.clock.pass(TTL);
    assert_eq!(bench.extend_for(A, TTL), refusal(RefusalReason::Missing));
}

#[test]
fn an_extension_never_shortens_what_the_owner_has() {
    let bench = bench();
    bench.acquire(A);
    assert_eq!(bench.extend_for(A, SECOND), granted());
    assert_eq!(bench.inspect().remaining, Some(TTL));
}

#[test]
fn an_owner_releases_what_it_has_and_nothing_else() {
    let bench = bench();
    assert_eq!(bench.release(A, None), Released::new(false, true));
    bench.acquire(A);
    assert_eq!(bench.release(B, None), Released::new(false, true));
    assert!(bench.inspect().held);
    assert_eq!(bench.release(A, None), Released::new(true, true));
    assert!(!bench.inspect().held);
    assert_eq!(bench.release(A, None), Released::new(false, true), "again, it changes nothing");
}

#[test]
fn unanswered_requests_are_settled_once_their_deadline_has_passed() {
    let bench = bench();
    let deadline = bench.now();
    assert_eq!(bench.release(A, Some(deadline)), Released::new(false, false), "one could still be run now");
    bench.clock.pass(Duration::from_nanos(1));
    assert_eq!(bench.release(A, Some(deadline)), Released::new(false, true));
}

#[test]
fn a_million_names_that_expire_do_not_fill_the_memory() {
    let bench = bench();
    let ttl = Ttl::new(Ttl::MIN).unwrap();
    for number in 0..1_000_000_u32 {
        let request = AcquireRequest::new(name(&number.to_string()), A, ttl, bench.in_time());
        assert_eq!(bench.node.acquire_now(request), granted());
        bench.clock.pass(Duration::from_micros(10));
    }
    // A thousand are held at any time.
    let table = bench.node.lock();
    assert!(table.entries.len() <= 2_048, "{} entries", table.entries.len());
    assert!(table.entries.capacity() <= 8_192, "room for {}", table.entries.capacity());
}

#[test]
fn names_are_independent_of_each_other() {
    let bench = bench();
    bench.acquire(A);
    let other = AcquireRequest::new(name("y"), B, Ttl::new(TTL).unwrap(), bench.in_time());
    assert_eq!(at_once(bench.node.clone().acquire(other)), granted());
    bench.release(A, None);
    assert!(at_once(bench.node.clone().inspect(name("y"))).held);
}

#[test]
fn it_says_who_it_is_without_its_table() {
    let bench = bench();
    assert_eq!(bench.node.address(), "memory");
    let ceiling = Some(bench.now().as_nanos() / 1_000 + 1_000_000);
    assert_eq!(at_once(bench.node.clone().probe()), Identity { ceiling, ..Identity::default() });
    bench.acquire(A);
    assert_eq!(format!("{:?}", bench.node), "MemoryNode { address: \"memory\", .. }");
}

#[cfg(feature = "testing")]
mod switches {
    use super::*;

    fn without(switch: &str) -> Bench {
        bench_with(Protections::without(switch).expect("there is such a switch"))
    }

    #[test]
    fn without_the_deadline_a_stale_acquire_is_granted() {
        let bench = without("stale_deadline");
        let past = bench.now().saturating_sub(SECOND);
        let request = AcquireRequest::new(name("x"), A, Ttl::new(TTL).unwrap(), past);
        assert_eq!(at_once(bench.node.clone().acquire(request)), granted());
    }

    #[test]
    fn without_the_owner_checks_strangers_extend_and_release() {
        let bench = without("extend_owner_check");
        bench.acquire(A);
        assert_eq!(bench.extend_for(B, 2 * TTL), granted());
        assert!(!bench.release(B, None).was_held, "the other check is still there");
        let bench = without("release_owner_check");
        bench.acquire(A);
        assert_eq!(bench.extend_for(B, TTL), held(TTL));
        assert!(bench.release(B, None).was_held);
        assert!(!bench.node.is_held_by_anyone(&name("x")));
    }

    #[test]
    fn without_never_shorten_an_extension_can_take_time_away() {
        let bench = without("never_shorten");
        bench.acquire(A);
        bench.extend_for(A, SECOND);
        assert_eq!(bench.inspect().remaining, Some(SECOND));
    }

    #[test]
    fn a_crash_forgets_every_lock() {
        let bench = bench();
        bench.acquire(A);
        assert_eq!(bench.node.len(), 1);
        bench.node.crash_losing_memory();
        assert!(bench.node.is_empty());
        assert_eq!(bench.acquire(B), granted());
    }
}

#[test]
fn a_watch_tells_of_a_release_and_of_the_end_of_the_ttl_and_of_nothing_else() {
    let bench = bench();
    let watch = || Arc::clone(&bench.node).watch(name("n")).now_or_never().unwrap().unwrap();
    let is_told = |watch: &mut Watch| watch.now_or_never().is_some_and(|told| told.is_ok());
    assert!(is_told(&mut watch()), "it is free");

    bench.node.acquire_now(AcquireRequest::new(name("n"), A, Ttl::new(TTL).unwrap(), bench.clock.now()));
    let (mut one, mut same) = (watch(), watch());
    assert!(!is_told(&mut one) && !is_told(&mut same));
    bench.clock.pass(TTL / 2);
    let ttl = Ttl::new(TTL).unwrap();
    bench.node.extend_now(&ExtendRequest::new(name("n"), A, ttl, bench.clock.now()));
    bench.clock.pass(TTL / 2);
    assert!(!is_told(&mut one), "it was extended");
    assert!(!bench.node.release_now(&ReleaseRequest::new(name("n"), B, None)).was_held);
    assert!(!is_told(&mut one), "somebody else's release");
    bench.node.release_now(&ReleaseRequest::new(name("n"), A, None));
    assert!(is_told(&mut one) && is_told(&mut same));

    bench.node.acquire_now(AcquireRequest::new(name("n"), B, ttl, bench.clock.now()));
    let mut watch = watch();
    assert!(!is_told(&mut watch));
    bench.clock.pass(TTL);
    assert!(is_told(&mut watch));
}
