//! Each fault, over a table in memory, on virtual time.

use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::backend::memory::MemoryNode;
use crate::id::Ttl;
use crate::node::{Grant, RefusalReason};
use crate::testing::virtual_env::VirtualEnv;

struct Bench {
    sim: VirtualEnv,
    memory: Arc<MemoryNode>,
    node: Arc<FaultyNode>,
}

const A: OwnerToken = OwnerToken::from_bytes([1; OwnerToken::BYTES]);
const B: OwnerToken = OwnerToken::from_bytes([2; OwnerToken::BYTES]);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn name() -> LockName {
    LockName::new("x").unwrap()
}

fn bench() -> Bench {
    let sim = VirtualEnv::new(1);
    let memory = MemoryNode::new("memory", sim.env());
    let node = FaultyNode::new(memory.clone(), sim.env());
    Bench { memory, node, sim }
}

impl Bench {
    fn acquire(&self, owner: OwnerToken) -> NodeFuture<Reply> {
        let deadline = self.sim.now().saturating_add(ms(5_000));
        let ttl = Ttl::new(ms(60_000)).unwrap();
        self.node.clone().acquire(AcquireRequest::new(name(), owner, ttl, deadline))
    }

    fn release(&self, owner: OwnerToken) -> NodeFuture<Released> {
        self.node.clone().release(ReleaseRequest::new(name(), owner, None))
    }

    fn is_held(&self) -> bool {
        self.memory.is_held_by_anyone(&name())
    }

    /// What reached the node, and how many milliseconds after the start.
    fn log(&self) -> Vec<(u128, Op)> {
        let after = |event: Event| (event.at.saturating_since(VirtualEnv::START).as_millis(), event.op);
        self.node.log().into_iter().map(after).collect()
    }

    /// Drives a request for a minute; it must not complete.
    fn is_never_answered<T>(&self, request: &mut NodeFuture<T>) {
        let limit = self.sim.sleep(ms(60_000));
        let answered = self.sim.block_on(async { matches!(select(request, limit).await, Either::Left(_)) });
        assert!(!answered);
    }
}

fn granted() -> Reply {
    Reply::Granted(Grant::default())
}

/// Sends a request without waiting for its answer.
fn send<T>(mut request: NodeFuture<T>) -> NodeFuture<T> {
    assert!((&mut request).now_or_never().is_none(), "it is answered later");
    request
}

#[test]
fn without_faults_requests_pass_at_once() {
    let bench = bench();
    assert_eq!(bench.node.address(), "memory");
    assert_eq!(bench.sim.block_on(bench.acquire(A)).unwrap(), granted());
    assert!(bench.sim.block_on(bench.node.clone().inspect(name())).unwrap().held);
    assert!(bench.sim.block_on(bench.release(A)).unwrap().was_held);
    assert!(bench.sim.block_on(bench.node.clone().probe()).is_ok());
    assert_eq!(bench.log(), [(0, Op::Acquire), (0, Op::Inspect), (0, Op::Release), (0, Op::Probe)]);
    let first = &bench.node.log()[0];
    assert_eq!((first.name.clone(), first.owner), (Some(name()), Some(A)));
    assert_eq!(bench.sim.tasks(), 0);
}

#[test]
fn a_delay_before_holds_up_the_effect_and_a_delay_after_the_reply() {
    let bench = bench();
    bench.node.set(Fault::delay(ms(30), ms(20)));
    let request = send(bench.acquire(A));
    bench.sim.advance(ms(29));
    assert!(!bench.is_held());
    bench.sim.advance(ms(2));
    assert!(bench.is_held());
    assert_eq!(bench.sim.block_on(request).unwrap(), granted());
    assert_eq!(bench.sim.now().saturating_since(VirtualEnv::START), ms(50));
}

#[test]
fn an_unpolled_request_is_not_sent_and_a_dropped_one_takes_effect() {
    let bench = bench();
    bench.node.set(Fault::delay(ms(30), ms(20)));
    drop(bench.acquire(A));
    bench.sim.advance(ms(100));
    assert_eq!(bench.log(), []);
    drop(send(bench.acquire(A)));
    bench.sim.advance(ms(100));
    assert!(bench.is_held());
    assert_eq!(bench.sim.tasks(), 0);
}

#[test]
fn a_later_request_does_not_overtake_an_earlier_one_on_a_connection() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::delay(ms(30), ms(0)));
    let acquire = send(bench.acquire(A));
    assert!(bench.sim.block_on(bench.release(A)).unwrap().was_held);
    assert_eq!(bench.sim.block_on(acquire).unwrap(), granted());
    assert_eq!(bench.log(), [(30, Op::Acquire), (30, Op::Release)]);
}

#[test]
fn a_slow_reply_does_not_hold_up_the_next_request() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::delay(ms(0), ms(500)));
    let acquire = send(bench.acquire(A));
    assert!(bench.sim.block_on(bench.release(A)).unwrap().was_held);
    assert_eq!(bench.sim.now(), VirtualEnv::START);
    assert_eq!(bench.sim.block_on(acquire).unwrap(), granted());
}

#[test]
fn a_lost_request_has_no_effect_and_no_answer() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::drop_request());
    let mut request = bench.acquire(A);
    bench.is_never_answered(&mut request);
    assert_eq!(bench.log(), []);
    assert_eq!(bench.sim.block_on(bench.acquire(B)).unwrap(), granted(), "the next one passes");
}

#[test]
fn a_lost_reply_leaves_the_effect() {
    let bench = bench();
    bench.node.set_for(Op::Acquire, Fault::drop_reply().with_delay(ms(10), ms(10)));
    let mut request = bench.acquire(A);
    bench.is_never_answered(&mut request);
    assert_eq!(bench.log(), [(10, Op::Acquire)]);
    assert!(bench.sim.block_on(bench.release(A)).is_ok(), "other operations pass");
}

#[test]
fn a_stopped_server_runs_what_has_queued_up_when_it_wakes() {
    let bench = bench();
    bench.node.set(Fault::delay(ms(10), ms(10)));
    let earlier = send(bench.acquire(A));
    bench.node.hang();
    let mut release = bench.release(A);
    drop(send(bench.acquire(B)));
    bench.is_never_answered(&mut release);
    assert_eq!(bench.log(), []);
    bench.node.resume();
    assert!(!bench.sim.block_on(release).unwrap().was_held);
    let stale = Reply::Refused(crate::node::Refusal::new(RefusalReason::Stale, None));
    assert_eq!(bench.sim.block_on(earlier).unwrap(), stale, "a minute is past its deadline");
    let order: Vec<_> = bench.node.log().iter().map(|event| (event.op, event.owner)).collect();
    assert_eq!(order, [(Op::Acquire, Some(A)), (Op::Acquire, Some(B)), (Op::Release, Some(A))]);
}

#[test]
fn a_refused_connection_and_a_failure_are_reported_as_what_they_are() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::refuse());
    bench.node.next(Op::Acquire, Fault::fail(NodeErrorKind::ReadOnly, Effect::None));
    bench.node.next(Op::Acquire, Fault::fail_after_effect(NodeErrorKind::Timeout));
    let kinds = || {
        let error = bench.sim.block_on(bench.acquire(A)).unwrap_err();
        (error.kind, error.effect)
    };
    assert_eq!(kinds(), (NodeErrorKind::Unreachable, Effect::None));
    assert_eq!(kinds(), (NodeErrorKind::ReadOnly, Effect::None));
    assert!(!bench.is_held());
    assert_eq!(kinds(), (NodeErrorKind::Timeout, Effect::Unknown));
    assert!(bench.is_held());
}

#[test]
fn a_duplicate_runs_past_a_release() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::duplicate(ms(100)));
    assert_eq!(bench.sim.block_on(bench.acquire(A)).unwrap(), granted());
    assert!(bench.sim.block_on(bench.release(A)).unwrap().was_held);
    bench.sim.advance(ms(101));
    assert!(bench.is_held());
    assert_eq!(bench.log(), [(0, Op::Acquire), (0, Op::Release), (100, Op::Acquire)]);
}

#[test]
fn a_duplicate_with_no_time_between_runs_before_a_release_that_queued_up_behind_it() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::duplicate(ms(0)));
    bench.node.hang();
    let (_acquire, release) = (send(bench.acquire(A)), send(bench.release(A)));
    bench.node.resume();
    assert!(bench.sim.block_on(release).unwrap().was_held);
    bench.sim.advance(ms(1));
    assert!(!bench.is_held());
    assert_eq!(bench.log(), [(0, Op::Acquire), (0, Op::Acquire), (0, Op::Release)]);
}

#[test]
fn what_was_sent_over_a_broken_connection_arrives_and_may_be_overtaken() {
    let bench = bench();
    bench.node.next(Op::Acquire, Fault::delay(ms(50), ms(0)));
    let acquire = send(bench.acquire(A));
    bench.node.break_connection();
    let error = bench.sim.block_on(acquire).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Disconnected, Effect::Unknown));
    assert!(!bench.sim.block_on(bench.release(A)).unwrap().was_held);
    bench.sim.advance(ms(51));
    assert!(bench.is_held());
    assert_eq!(bench.log(), [(0, Op::Release), (50, Op::Acquire)]);
    bench.node.break_connection();
    bench.node.break_connection();
    assert_eq!(bench.node.links().connections(), 0, "connections with nothing to deliver are forgotten");
}

#[test]
fn a_stopped_server_takes_a_bounded_number_of_requests() {
    let bench = bench();
    bench.node.hang();
    let overloaded = (0..100_000).find_map(|_| bench.release(A).now_or_never()).expect("there is a bound");
    let error = overloaded.unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Overloaded, Effect::None));
}

#[test]
fn random_faults_come_by_weight_and_repeat_with_the_seed() {
    let outcomes = |seed| {
        let sim = VirtualEnv::new(seed);
        let node = FaultyNode::new(MemoryNode::new("memory", sim.env()), sim.env());
        node.set_random([(3, Fault::delay(ms(0)..ms(10), ms(0))), (1, Fault::refuse())]);
        (0..400).map(|_| sim.block_on(node.clone().probe()).is_ok()).collect::<Vec<_>>()
    };
    let first = outcomes(3);
    assert_eq!(first, outcomes(3));
    assert_ne!(first, outcomes(4));
    let passed = first.iter().filter(|&&ok| ok).count();
    assert!((250..350).contains(&passed), "{passed} of 400 with three chances in four");
}
