//! What people hear of a clock that is wrong: which node's, and by how much.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use futures::executor::block_on;
use redlock_tests::support::eventually;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{TTL, connect, start, step_back, step_forward, wait_for_baselines};

/// Gathers what the library tells; all tests of the process share it.
struct Gathered;

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Subscriber for Gathered {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("redlock") && *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(text.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| tracing::subscriber::set_global_default(Gathered).unwrap());
}

fn was_told(parts: &[&str]) -> bool {
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.iter().any(|text| parts.iter().all(|part| text.contains(part)))
}

#[test]
fn an_event_names_the_node_and_by_how_much_its_clock_has_moved() {
    listen();
    let fleet = start(3);
    let _locks = connect(&fleet);
    wait_for_baselines(TTL);
    step_forward(fleet.server(1));
    let address = fleet.server(1).address();
    eventually("it is told", || was_told(&[&address, "clock has moved", "60.0s ahead"]));
    step_back(fleet.server(2));
    let address = fleet.server(2).address();
    eventually("it is told", || was_told(&[&address, "clock has moved", "60.0s short"]));
    assert!(!was_told(&[&fleet.server(0).address(), "clock"]), "the third is in good order");
}

#[test]
fn an_event_says_that_all_locks_are_given_up_when_a_quorum_jumps() {
    listen();
    let fleet = start(3);
    let _locks = connect(&fleet);
    wait_for_baselines(TTL);
    fleet.iter().for_each(step_forward);
    eventually("it is told", || was_told(&["clocks of a quorum", "all locks are given up"]));
}

#[test]
fn a_vote_that_does_not_count_says_why() {
    let fleet = start(3);
    let locks = connect(&fleet);
    wait_for_baselines(TTL);
    fleet.server(2).kill();
    let address = fleet.server(1).address();
    step_forward(fleet.server(1));
    eventually("the vote says so", || match block_on(locks.lock("a").try_acquire()) {
        Ok(guard) => {
            assert!(guard.is_none(), "two nodes are left, and one of them cannot be relied on");
            false
        }
        Err(refused) => {
            let text = refused.to_string();
            text.contains(&format!("{address}: its clock has moved and is 60.0s ahead of what it was"))
        }
    });
}
