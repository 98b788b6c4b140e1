//! The tasks of a process hand a lock to each other, and the oracle has nothing to say against it.

use redlock_tests::history::{ClientEvent, Event, History};
use redlock_tests::support::eventually;
use redlock_tests::worker::{Crew, Habit, Options};

use super::world::{World, program};

/// How often a client has got a lock with the token next to the one before: the nodes give tokens of their time.
fn handed_over(history: &History) -> usize {
    let token = |event: &Event| match event {
        Event::Client { what: ClientEvent::Acquired { token, .. }, .. } => *token,
        _ => None,
    };
    let tokens: Vec<u64> = history.events.iter().filter_map(token).collect();
    tokens.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count()
}

#[test]
fn tasks_of_two_processes_hand_a_lock_on_and_every_rule_holds() {
    let world = World::start();
    let options = |client| Options { tasks: 4, ..world.options(client, 1, Habit::Mixed) };
    let crew = Crew::start(program(), vec![options(0), options(1)]).unwrap();
    eventually("locks are handed over", || handed_over(&world.history(&[&crew])) >= 2);
    let verdict = world.end(&[&crew]);
    println!("{:#?}", verdict.figures);
    assert!(verdict.is_good(), "{verdict:#?}");
}
