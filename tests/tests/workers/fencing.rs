//! A client that is stopped between its read and its write, and goes on when the lock has passed to somebody else.

use redlock_tests::history::{ClientEvent, Event, History, Write};
use redlock_tests::oracle::Updates;
use redlock_tests::support::eventually;
use redlock_tests::worker::Habit;

use super::world::World;

/// How the updates of a client ended: of the fenced set, and of the other one.
fn updates(history: &History, of: usize) -> Vec<(Write, Write)> {
    let update = |event: &Event| match event {
        Event::Client { client, what: ClientEvent::Added { fenced, unfenced, .. }, .. } if *client == of => {
            Some((*fenced, *unfenced))
        }
        _ => None,
    };
    history.events.iter().filter_map(update).collect()
}

#[test]
fn a_client_that_is_stopped_before_its_write_overwrites_an_update_only_where_tokens_are_not_checked() {
    let world = World::start();
    let first = world.crew([0], 1, Habit::Careless);
    eventually("the first client has read both sets", || world.resource.reads() == 2);
    first.pause(0).unwrap();
    let second = world.crew([1], 1, Habit::Careless);
    eventually("the second client has updated both sets", || {
        updates(&world.history(&[&first, &second]), 1).contains(&(Write::Done, Write::Done))
    });
    first.resume(0).unwrap();
    eventually("the first client has written, too", || {
        !updates(&world.history(&[&first, &second]), 0).is_empty()
    });
    assert_eq!(updates(&world.history(&[&first, &second]), 0)[0], (Write::Refused, Write::Done));
    let verdict = world.end(&[&first, &second]);
    println!("{:#?}", verdict.figures);
    assert!(verdict.is_good(), "{verdict:#?}");
    let Updates { refused, lost, .. } = verdict.figures.fenced;
    assert!(refused > 0 && lost == 0, "{verdict:#?}");
    assert!(verdict.figures.unfenced.lost > 0, "{verdict:#?}");
}
