//! Clients without a safeguard: the oracle sees it.

use redlock_tests::oracle::{Rule, judge};
use redlock_tests::support::eventually;
use redlock_tests::worker::Habit;

use super::world::World;

#[test]
fn clients_that_release_what_somebody_else_has_make_two_holders() {
    let world = World::start(Some("release_owner_check"));
    // Each of them releases when the lock has expired, and so may be the next one's.
    let crew = world.crew(0..4, 1, Habit::Unrenewed);
    eventually("two clients hold one lock", || {
        let verdict = judge(&world.history(&[&crew]));
        verdict.violations.iter().any(|violation| violation.rule == Rule::MutualExclusion)
    });
}
