//! A machine sleeps while it holds a lock, on virtual time: its tasks stand still, the others go on.
//!
//! What it believes when it wakes hangs on its clock. `CLOCK_BOOTTIME` counts the sleep, `CLOCK_MONOTONIC` does not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{Instant, LockGuard, Locks, LostReason, RunError};

const TTL: Duration = Duration::from_secs(10);
const MILLI: Duration = Duration::from_millis(1);
const NANO: Duration = Duration::from_nanos(1);

/// What a machine's clock makes of a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    CountsSleep,
    StopsInSleep,
}
use Clock::{CountsSleep, StopsInSleep};

struct World {
    sim: VirtualEnv,
    nodes: Vec<Arc<MemoryNode>>,
}

struct Machine {
    env: Arc<ClientEnv>,
    locks: Locks,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        let sim = VirtualEnv::new(7);
        let nodes = (0..3).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        Self { sim, nodes }
    }

    fn machine(&self, clock: Clock) -> Machine {
        self.machine_behind(clock, &Fault::none())
    }

    /// A machine whose requests and replies meet `fault`.
    fn machine_behind(&self, clock: Clock, fault: &Fault) -> Machine {
        let env = self.sim.client(ClientClock::default());
        let mut builder = Locks::builder().env(Arc::clone(&env) as Arc<dyn Env>).ttl(TTL);
        if clock == StopsInSleep {
            // The guard would see that all nodes' clocks are ahead.
            builder = builder.restart_guard(false);
        }
        for node in &self.nodes {
            let link = FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, self.sim.env());
            link.set(fault.clone());
            builder = builder.node(env.reach(link));
        }
        let locks = self.sim.block_on(builder.build()).unwrap();
        Machine { env, locks, clock }
    }

    fn try_acquire(&self, machine: &Machine) -> Option<LockGuard> {
        self.sim.block_on(machine.locks.lock("a").try_acquire()).unwrap()
    }

    /// Sends a machine to sleep from now on.
    fn send_to_sleep(&self, machine: &Machine, length: Duration) {
        let wakes = self.sim.now().saturating_add(length);
        machine.env.pause_until(wakes);
        if machine.clock == StopsInSleep {
            machine.env.stop_clock_until(wakes);
        }
    }
}

#[test]
fn at_the_first_look_after_a_sleep_is_valid_is_exact() {
    let world = World::new();
    let validity = {
        let guard = world.try_acquire(&world.machine(CountsSleep)).unwrap();
        guard.remaining()
    };
    let around_the_end = [validity - MILLI, validity - NANO, validity, validity + NANO, validity + MILLI];
    let others = (0..8).map(|part| part * validity / 4);
    for sleep in around_the_end.into_iter().chain(others) {
        let world = World::new();
        let (sleeper, other) = (world.machine(CountsSleep), world.machine(CountsSleep));
        let guard = world.try_acquire(&sleeper).unwrap();
        let valid_until = guard.valid_until();
        // The first look comes before any task has run; those go on a nanosecond later.
        world.send_to_sleep(&sleeper, sleep + NANO);
        world.sim.advance(sleep);
        assert!(sleeper.env.is_paused());
        assert_eq!(guard.is_valid(), sleep < validity, "after {sleep:?} of {validity:?}");
        assert_eq!(guard.valid_until(), valid_until);
        assert_eq!(guard.remaining(), validity.saturating_sub(sleep));
        let others = world.try_acquire(&other);
        assert!(others.is_none() || !guard.is_valid(), "two holders after {sleep:?}");

        // The tasks change nothing about it, except that they give the lock up a moment before its end.
        world.sim.advance(2 * NANO);
        assert!(!sleeper.env.is_paused());
        assert_eq!(guard.is_valid(), sleep + MILLI < validity, "after {sleep:?} of {validity:?}");
    }
}

#[test]
fn a_sleep_within_the_validity_does_no_harm() {
    let world = World::new();
    let sleeper = world.machine(CountsSleep);
    let guard = world.try_acquire(&sleeper).unwrap();
    for _ in 0..20 {
        // Longer than to the next renewal, which comes late then.
        world.send_to_sleep(&sleeper, TTL / 2);
        world.sim.advance(TTL / 2);
        assert!(guard.is_valid());
        world.sim.advance(MILLI);
    }
    assert!(world.try_acquire(&world.machine(CountsSleep)).is_none());
}

/// A holder sleeps for longer than its validity; another takes the lock. Whether both believe in theirs afterwards.
fn two_holders_after_a_sleep(clock: Clock) -> bool {
    let world = World::new();
    let (sleeper, other) = (world.machine(clock), world.machine(CountsSleep));
    let guard = world.try_acquire(&sleeper).unwrap();
    world.send_to_sleep(&sleeper, 2 * TTL);
    world.sim.advance(2 * TTL);
    let others = world.try_acquire(&other).unwrap();
    guard.is_valid() && others.is_valid()
}

#[test]
fn a_holder_that_overslept_believes_in_its_lock_only_if_its_clock_stopped() {
    assert!(!two_holders_after_a_sleep(CountsSleep));
    assert!(two_holders_after_a_sleep(StopsInSleep), "this is what the suspend-aware clock is for");
}

/// A machine falls asleep when the nodes have granted and their replies are on the way; another takes the lock
/// meanwhile. Whether the sleeper is handed the lock all the same.
fn handed_a_lock_that_was_overslept(clock: Clock) -> bool {
    let world = World::new();
    let sleeper = world.machine_behind(clock, &Fault::delay(5 * MILLI, 5 * MILLI));
    let other = world.machine(CountsSleep);
    let lock = sleeper.locks.lock("a");
    let acquired = sleeper.env.run(async move { lock.try_acquire().await });
    world.sim.advance(7 * MILLI);
    world.send_to_sleep(&sleeper, 2 * TTL);
    world.sim.advance(TTL + TTL / 2);
    let others = world.try_acquire(&other).unwrap();
    let acquired = world.sim.block_on(acquired).unwrap();
    let is_handed_out = matches!(&acquired, Ok(Some(guard)) if guard.is_valid());
    is_handed_out && others.is_valid()
}

#[test]
fn a_lock_is_not_handed_out_after_its_validity_was_overslept() {
    assert!(!handed_a_lock_that_was_overslept(CountsSleep));
    assert!(handed_a_lock_that_was_overslept(StopsInSleep));
}

/// Work under a lock that takes a step every 100 ms, on a machine that oversleeps: how it ended, at what true time, and
/// the steps that it took after it woke.
fn work_over_a_sleep(clock: Clock) -> (Option<LostReason>, Duration, usize) {
    let world = World::new();
    let sleeper = world.machine(clock);
    let steps = Arc::new(Mutex::new(Vec::<Instant>::new()));
    let (notes, true_clock, env) = (Arc::clone(&steps), world.sim.env(), Arc::clone(&sleeper.env));
    let lock = sleeper.locks.lock("a");
    let ended_at = world.sim.env();
    let work = sleeper.env.run(async move {
        let result = lock
            .run(|_| async move {
                for _ in 0..1_000 {
                    notes.lock().unwrap().push(true_clock.now());
                    env.sleep_until(env.now().saturating_add(100 * MILLI)).await;
                }
            })
            .await;
        (result, ended_at.now())
    });
    world.sim.advance(Duration::from_millis(250));
    assert_eq!(steps.lock().unwrap().len(), 3);
    world.send_to_sleep(&sleeper, 3 * TTL);
    let wakes = world.sim.now().saturating_add(3 * TTL);
    world.sim.advance(2 * TTL);
    let _others = world.try_acquire(&world.machine(CountsSleep)).unwrap();
    let (result, at) = world.sim.block_on(work).unwrap();
    let lost = match result {
        Err(RunError::Lost(reason)) => Some(reason),
        _ => None,
    };
    let late = steps.lock().unwrap().iter().filter(|&&step| step >= wakes).count();
    (lost, at.saturating_since(wakes), late)
}

#[test]
fn work_under_a_lock_takes_no_step_after_its_validity_was_overslept() {
    // A timer that came due in the sleep rings when the machine wakes: the loss is told then, before any work goes on.
    let (lost, after_waking, late_steps) = work_over_a_sleep(CountsSleep);
    assert_eq!((lost, after_waking, late_steps), (Some(LostReason::Expired), Duration::ZERO, 0));

    let (_, _, late_steps) = work_over_a_sleep(StopsInSleep);
    assert!(late_steps > 0, "this is what the suspend-aware clock is for");
}
