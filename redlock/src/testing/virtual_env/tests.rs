//! The simulation itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::oneshot;
use futures::future::{join3, pending};

use super::*;
use crate::backend::memory::MemoryNode;
use crate::id::{LockName, OwnerToken, Ttl};
use crate::node::{AcquireRequest, ReleaseRequest, Reply};

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A list that tasks write to.
type Notes<T> = Arc<Mutex<Vec<T>>>;

fn noted<T: Clone>(notes: &Notes<T>) -> Vec<T> {
    notes.lock().unwrap().clone()
}

#[test]
fn an_hour_passes_without_waiting() {
    let sim = VirtualEnv::new(1);
    sim.block_on(sim.sleep(3_600 * SECOND));
    assert_eq!(sim.now(), VirtualEnv::START.saturating_add(3_600 * SECOND));
    sim.advance(ms(1));
    assert_eq!(sim.now().saturating_since(VirtualEnv::START), 3_600 * SECOND + ms(1));
}

#[test]
fn timers_fire_in_the_order_of_time_and_then_of_making() {
    let sim = VirtualEnv::new(1);
    let notes = Notes::default();
    let note = |delay, what| {
        let (sleep, notes) = (sim.sleep(delay), notes.clone());
        sim.env().spawn(Box::pin(async move {
            sleep.await;
            notes.lock().unwrap().push(what);
        }));
    };
    note(ms(2), "second");
    note(ms(3), "third");
    note(ms(3), "fourth");
    note(ms(1), "first");
    assert_eq!(sim.tasks(), 4);
    sim.advance(ms(4));
    assert_eq!(noted(&notes), ["first", "second", "third", "fourth"]);
    assert_eq!(sim.tasks(), 0);
}

/// Three clients that draw random numbers and sleep for random times; what they did, in order.
fn trace(seed: u64) -> Vec<(Instant, usize, u64)> {
    let sim = VirtualEnv::new(seed);
    let notes = Notes::default();
    let walk = |client: usize| {
        let env = sim.client(ClientClock::with_rate(1_000 * client as i32));
        let (world, notes) = (sim.env(), notes.clone());
        env.clone().run(async move {
            for _ in 0..50 {
                let number = crate::env::jitter(&*env);
                notes.lock().unwrap().push((world.now(), client, number));
                env.sleep_until(env.now().saturating_add(ms(number % 7))).await;
            }
        })
    };
    sim.block_on(join3(walk(0), walk(1), walk(2)));
    noted(&notes)
}

#[test]
fn one_seed_always_gives_one_trace_and_another_seed_another() {
    let recorded = trace(7);
    assert_eq!(recorded.len(), 150);
    for _ in 0..5 {
        assert_eq!(trace(7), recorded);
    }
    assert_ne!(trace(8), recorded);
}

#[test]
#[should_panic(expected = "deadlock at 1000000s: the main future is pending, no timer is set")]
fn a_deadlock_is_reported() {
    VirtualEnv::new(1).block_on(pending::<()>());
}

#[test]
#[should_panic(expected = "livelock")]
fn tasks_that_wake_each_other_for_ever_are_reported() {
    VirtualEnv::new(1).block_on(std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    }));
}

#[test]
#[should_panic(expected = "driven from within itself")]
fn a_simulation_is_not_driven_from_within_itself() {
    let sim = VirtualEnv::new(1);
    sim.block_on(async { sim.advance(SECOND) });
}

#[test]
fn a_sleep_until_the_end_of_time_is_no_reason_to_go_on() {
    let sim = VirtualEnv::new(1);
    let sleep = sim.env().sleep_until(Instant::from_nanos(u64::MAX));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.block_on(sleep)));
    assert!(result.is_err());
    sim.advance(SECOND);
}

#[test]
fn a_clients_clock_has_a_rate_and_an_offset_of_its_own() {
    let sim = VirtualEnv::new(1);
    let fast = sim.client(ClientClock { rate_ppm: 5_000, offset: 10 * SECOND });
    let slow = sim.client(ClientClock::with_rate(-5_000));
    assert_eq!(fast.now(), VirtualEnv::START.saturating_add(10 * SECOND));
    sim.advance(100 * SECOND);
    assert_eq!(fast.now(), VirtualEnv::START.saturating_add(ms(110_500)));
    assert_eq!(slow.now(), VirtualEnv::START.saturating_add(ms(99_500)));
    let (sleep, start) = (slow.sleep_until(slow.now().saturating_add(SECOND)), sim.now());
    sim.block_on(sleep);
    assert_eq!(sim.now().saturating_since(start), Duration::from_nanos(1_005_025_126));
}

#[test]
fn a_sleep_ends_at_the_first_moment_at_which_its_clock_has_come_to_it() {
    for rate_ppm in [-900_000, -333_333, -1, 0, 1, 7, 333_333, 5_000_000] {
        let clock = ClientClock { rate_ppm, offset: Duration::from_nanos(12_345) };
        for nanos in [0, 1, 2, 3, 999, 1_000_001, 86_400_000_000_007] {
            let local = clock.start().saturating_add(Duration::from_nanos(nanos));
            let at = clock.true_time(local);
            assert!(clock.local(at) >= local, "{clock:?} {local:?}");
            assert!(clock.local(at.saturating_sub(Duration::from_nanos(1))) < local, "{clock:?} {local:?}");
        }
    }
}

#[test]
fn a_paused_client_does_nothing_until_the_pause_ends_while_time_goes_on() {
    let sim = VirtualEnv::new(1);
    let client = sim.client(ClientClock::default());
    let beats = Arc::new(AtomicUsize::new(0));
    let (env, counter) = (client.clone(), beats.clone());
    drop(client.run(async move {
        for beat in 1..=10 {
            env.sleep_until(VirtualEnv::START.saturating_add(beat * SECOND)).await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }));
    sim.advance(ms(2_500));
    assert_eq!(beats.load(Ordering::Relaxed), 2);
    client.pause_until(VirtualEnv::START.saturating_add(ms(6_500)));
    assert!(client.is_paused());
    sim.advance(ms(3_999));
    assert_eq!(beats.load(Ordering::Relaxed), 2);
    sim.advance(ms(1));
    assert!(!client.is_paused());
    sim.advance(Duration::ZERO);
    assert_eq!(beats.load(Ordering::Relaxed), 6, "it catches up at once");
    client.pause_until(Instant::from_nanos(u64::MAX));
    sim.advance(100 * SECOND);
    client.resume();
    sim.advance(Duration::ZERO);
    assert_eq!(beats.load(Ordering::Relaxed), 10);
}

#[test]
fn a_clock_that_was_stopped_goes_on_where_it_stood() {
    let sim = VirtualEnv::new(1);
    let client = sim.client(ClientClock::with_rate(1_000_000));
    let begun = client.now();
    let shown = || client.now().saturating_since(begun);
    let sleep = client.sleep_until(begun.saturating_add(6 * SECOND));
    sim.advance(SECOND);
    assert_eq!(shown(), 2 * SECOND);

    let start = sim.now();
    client.stop_clock_until(start.saturating_add(4 * SECOND));
    sim.advance(4 * SECOND);
    assert_eq!(shown(), 2 * SECOND);
    client.stop_clock_until(start.saturating_add(5 * SECOND));
    client.stop_clock_until(start);
    sim.advance(SECOND);
    assert_eq!(shown(), 2 * SECOND, "it stands until the later end");
    sim.block_on(sleep);
    assert_eq!(sim.now().saturating_since(start), 7 * SECOND, "a sleep from before the stop ends later");
    assert_eq!(shown(), 6 * SECOND);

    client.stop_clock_until(sim.now().saturating_add(SECOND));
    sim.advance(2 * SECOND);
    assert_eq!(shown(), 8 * SECOND);
    for second in 0..=8 {
        let local = begun.saturating_add(second * SECOND);
        let at = client.true_time(local);
        assert_eq!(client.local(at), local);
        assert!(client.local(at.saturating_sub(Duration::from_nanos(1))) < local);
    }
}

#[test]
fn a_longer_pause_replaces_a_shorter_one() {
    let sim = VirtualEnv::new(1);
    let client = sim.client(ClientClock::default());
    client.pause_until(VirtualEnv::START.saturating_add(SECOND));
    let done = client.run(async {});
    sim.advance(ms(1));
    client.pause_until(VirtualEnv::START.saturating_add(2 * SECOND));
    assert_eq!(sim.block_on(done), Some(()));
    assert_eq!(sim.now(), VirtualEnv::START.saturating_add(2 * SECOND));
}

/// Notes that it was dropped, and spawns a task of its client's then, as a guard does.
struct Dropped(Arc<ClientEnv>, Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        let counter = self.1.clone();
        self.0.spawn(Box::pin(async move {
            counter.fetch_add(100, Ordering::Relaxed);
        }));
    }
}

#[test]
fn a_crash_drops_a_clients_tasks_and_nobody_elses() {
    let sim = VirtualEnv::new(1);
    let (doomed, other) = (sim.client(ClientClock::default()), sim.client(ClientClock::default()));
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Dropped(doomed.clone(), drops.clone());
    let waiting = doomed.run(async move {
        let _held = held;
        pending::<()>().await;
    });
    let survivor = other.run(sim.sleep(2 * SECOND));
    sim.advance(SECOND);
    doomed.crash();
    assert_eq!(sim.tasks(), 1);
    assert_eq!(sim.block_on(waiting), None);
    assert_eq!(sim.block_on(survivor), Some(()));
    assert_eq!(sim.block_on(doomed.run(async {})), None, "a dead client starts nothing");
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_client_can_crash_from_within_its_own_task() {
    let sim = VirtualEnv::new(1);
    let client = sim.client(ClientClock::default());
    let env = client.clone();
    let result = client.run(async move {
        env.crash();
        pending::<()>().await;
    });
    assert_eq!(sim.block_on(result), None);
    assert_eq!(sim.tasks(), 0);
}

#[test]
fn the_end_of_a_simulation_drops_its_tasks() {
    let sim = VirtualEnv::new(1);
    let client = sim.client(ClientClock::default());
    let drops = Arc::new(AtomicUsize::new(0));
    let held = Dropped(client.clone(), drops.clone());
    let task = client.run(async move {
        let _held = held;
        pending::<()>().await;
    });
    sim.advance(SECOND);
    drop(sim);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    drop(task);
}

#[test]
fn a_dropped_sleep_leaves_no_timer_behind() {
    let sim = VirtualEnv::new(1);
    let (sender, receiver) = oneshot::channel::<()>();
    let sleep = sim.sleep(SECOND);
    sim.env().spawn(Box::pin(async move {
        futures::future::select(sleep, receiver).await;
    }));
    sim.advance(ms(1));
    sender.send(()).unwrap();
    sim.advance(ms(1));
    assert_eq!(sim.tasks(), 0);
    let stuck = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.block_on(pending::<()>())));
    assert!(stuck.is_err());
    assert_eq!(sim.now(), VirtualEnv::START.saturating_add(ms(2)), "no timer was left to jump to");
}

#[test]
fn a_clients_deadlines_reach_a_node_in_the_nodes_own_time() {
    let sim = VirtualEnv::new(1);
    let clock = ClientClock { rate_ppm: 5_000, offset: 500 * SECOND };
    let client = sim.client(clock);
    let memory = MemoryNode::new("memory", sim.env());
    let node = client.reach(memory);
    sim.advance(100 * SECOND);
    // Its answers show the node's clock.
    sim.block_on(node.clone().probe()).unwrap();
    let name = LockName::new("x").unwrap();
    let owner = OwnerToken::from_bytes([1; OwnerToken::BYTES]);
    let ask = |deadline| {
        let request = AcquireRequest::new(name.clone(), owner, Ttl::new(SECOND).unwrap(), deadline);
        sim.block_on(node.clone().acquire(request)).unwrap()
    };
    let now = client.now();
    assert!(matches!(ask(now.saturating_sub(ms(1))), Reply::Refused(_)));
    let deadline = now.saturating_add(ms(1));
    assert!(matches!(ask(deadline), Reply::Granted(_)));
    let release = || {
        let request = ReleaseRequest::new(name.clone(), owner, Some(deadline));
        sim.block_on(node.clone().release(request)).unwrap()
    };
    assert!(!release().settled);
    sim.advance(ms(2));
    assert!(release().settled);
}
