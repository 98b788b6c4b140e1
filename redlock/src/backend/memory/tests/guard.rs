//! A table with a marker.

use super::*;
use crate::node::{Charter, Fence, Mark, Marker};

const LASTS: Duration = Duration::from_secs(30);
const FLOOR: u64 = 7_000_000_000_000;

fn charter() -> Charter {
    Charter::new(5, 0, 3, 2, LASTS)
}

fn guarded() -> Bench {
    let clock = Arc::new(Clock(Arc::new(AtomicU64::new(1_000_000_000_000))));
    Bench { node: MemoryNode::guarded("memory", clock.clone(), Protections::default()), clock }
}

impl Bench {
    fn mark(&self, mark: Mark) -> Standing {
        at_once(self.node.clone().mark(MarkRequest::new(charter(), mark)))
    }

    fn quarantine(&self, incarnation: u64) {
        self.mark(Mark::Quarantine { incarnation: Incarnation::new(incarnation), lasts: LASTS });
    }

    fn init(&self) {
        self.mark(Mark::Init { incarnation: Incarnation::new(1), floor: 0 });
    }

    fn marker(&self) -> Option<Marker> {
        match self.node.standing() {
            Standing::Marked(marker) => Some(marker),
            _ => None,
        }
    }

    fn extend_with(&self, restore: bool) -> Reply {
        let mut request = ExtendRequest::new(name("x"), A, Ttl::new(TTL).unwrap(), self.in_time());
        request.restore = restore;
        at_once(self.node.clone().extend(request))
    }

    fn counter(&self) -> u64 {
        let mut request = AcquireRequest::new(name("y"), B, Ttl::new(TTL).unwrap(), self.in_time());
        request.fence = Some(Fence::new(0, 1, SECOND));
        match at_once(self.node.clone().acquire(request)) {
            Reply::Granted(grant) => grant.counter.unwrap(),
            Reply::Refused(refusal) => panic!("{refusal:?}"),
        }
    }
}

fn quarantined(remaining: Option<Duration>) -> Reply {
    Reply::Refused(Refusal::new(RefusalReason::Quarantined, remaining))
}

fn is_granted(reply: &Reply) -> bool {
    matches!(reply, Reply::Granted(_))
}

#[test]
fn without_a_marker_it_gives_nothing_and_takes_back_everything() {
    let bench = guarded();
    bench.init();
    assert!(is_granted(&bench.acquire(A)));
    bench.node.flush();
    assert_eq!(bench.node.standing(), Standing::Unmarked(None));
    assert_eq!(bench.acquire(A), quarantined(None));
    assert_eq!(bench.extend_with(true), quarantined(None));
    assert!(!bench.release(A, None).was_held);
}

#[test]
fn in_quarantine_it_gives_nothing_new_and_serves_those_who_hold() {
    let bench = guarded();
    bench.quarantine(1);
    assert_eq!(bench.acquire(A), quarantined(Some(LASTS)));
    bench.clock.pass(LASTS * 2);
    assert_eq!(bench.acquire(A), quarantined(Some(Duration::ZERO)), "somebody must end it");
    assert!(!is_granted(&bench.extend_with(false)));
    assert!(is_granted(&bench.extend_with(true)));
    assert!(is_granted(&bench.extend_with(false)));
    assert!(bench.release(A, None).was_held);
}

#[test]
fn a_quarantine_ends_by_its_own_clock_and_not_before() {
    let bench = guarded();
    bench.quarantine(1);
    bench.clock.pass(LASTS - SECOND);
    let admit = Mark::Admit { floor: FLOOR };
    bench.mark(admit);
    assert_eq!(bench.marker().unwrap().floor, None);
    bench.clock.pass(SECOND);
    bench.mark(admit);
    assert_eq!(bench.marker().unwrap().floor, Some(FLOOR));
    assert!(bench.counter() > FLOOR);
}

#[test]
fn its_counters_begin_above_the_highest_floor_it_was_told() {
    let bench = guarded();
    bench.init();
    bench.mark(Mark::Raise { floor: FLOOR });
    bench.mark(Mark::Raise { floor: FLOOR / 2 });
    assert_eq!(bench.counter(), FLOOR + 1);
    assert_eq!(at_once(bench.node.clone().probe()).ceiling, Some(FLOOR + 1));
    bench.mark(Mark::Init { incarnation: Incarnation::new(9), floor: 0 });
    assert_eq!(bench.marker().unwrap().floor, Some(FLOOR));
    assert_eq!(bench.marker().unwrap().incarnation, Incarnation::new(1), "its memory is the same");
}

#[test]
fn a_crash_and_a_flush_take_the_marker_along_and_the_clock_stays_as_it_was_set() {
    for lose in [MemoryNode::crash_losing_memory, MemoryNode::flush] {
        let bench = guarded();
        bench.init();
        bench.node.step_clock(5_000_000);
        bench.acquire(A);
        lose(&bench.node);
        assert_eq!((bench.marker(), bench.node.incarnation()), (None, None));
        assert!(bench.node.is_empty());
        let reading = bench.node.clock().unwrap();
        assert_eq!((reading.least, reading.most), (5_000_000, 5_000_000));
        bench.quarantine(2);
        let ends = (bench.now().as_nanos() / 1_000) + 5_000_000 + LASTS.as_micros() as u64;
        assert_eq!(bench.marker().unwrap().until, ends);
    }
}

#[test]
fn locks_expire_by_a_clock_that_was_set() {
    let bench = guarded();
    bench.init();
    bench.acquire(A);
    bench.node.step_clock(10_000_001);
    assert!(!bench.node.is_held_by_anyone(&name("x")));
    bench.node.step_clock(-10_000_001);
    assert!(bench.node.is_held_by_anyone(&name("x")), "nobody has looked at it meanwhile");
}

#[test]
fn only_a_node_in_quarantine_joins_another_fleet() {
    let bench = guarded();
    bench.quarantine(1);
    let other = Charter { fleet: 9, ..charter() };
    let join = || at_once(bench.node.clone().mark(MarkRequest::new(other, Mark::Join)));
    join();
    assert_eq!(bench.marker().unwrap().charter, other);
    bench.init();
    join();
    assert_eq!(bench.marker().unwrap().charter, charter());
}
