//! Histories of a lock that works, at random: always good. With one holder too many: always found.

use proptest::prelude::*;
use redlock_tests::history::ClientEvent;
use redlock_tests::oracle::Rule;

use super::forge::Forge;

const NAMES: usize = 2;
const CLIENTS_OF_A_NAME: usize = 3;
/// It works by the rules in no history but those that are made bad.
const INTRUDER: usize = NAMES * CLIENTS_OF_A_NAME;
const TTL: u64 = 100;

/// How a hold ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Released,
    /// It is not renewed; its client may be stopped by then, and hears of it late.
    Expires {
        stopped: bool,
    },
    /// The nodes have lost it; its client hears of it so much later.
    Vanishes {
        late: u64,
    },
    Killed,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    name: usize,
    client: usize,
    /// Since the lock was free.
    gap: u64,
    /// How often it looks at its lock; it is renewed each time.
    looks: u64,
    /// Between two looks.
    pace: u64,
    end: End,
}

/// When somebody holds it, or is promised it.
#[derive(Debug, Clone, Copy)]
struct Taken {
    name: usize,
    from: u64,
    to: u64,
}

fn turn() -> impl Strategy<Value = Turn> {
    let end = prop_oneof![
        Just(End::Released),
        any::<bool>().prop_map(|stopped| End::Expires { stopped }),
        (0..50u64).prop_map(|late| End::Vanishes { late }),
        Just(End::Killed),
    ];
    (0..NAMES, 0..CLIENTS_OF_A_NAME, 0..30u64, 0..6u64, 1..60u64, end)
        .prop_map(|(name, client, gap, looks, pace, end)| Turn { name, client, gap, looks, pace, end })
}

/// What a correct lock makes of these turns, and when it is taken.
fn play(turns: &[Turn]) -> (Forge, Vec<Taken>) {
    let mut forge = Forge::new(INTRUDER + 1);
    let (mut free, mut busy) = ([1; NAMES], [1; INTRUDER]);
    let mut taken = Vec::new();
    for (hold, turn) in (0..).zip(turns) {
        let client = turn.name * CLIENTS_OF_A_NAME + turn.client;
        let name = format!("name-{}", turn.name);
        // The client may be stopped still when the lock is free.
        let from = free[turn.name].max(busy[client]) + turn.gap;
        forge.acquires_name(&name, from, client, hold, 10 + hold, from + TTL);
        for at in (1..=turn.looks).map(|look| from + look * turn.pace) {
            forge.holds(at, client, hold, at + TTL);
        }
        let last = from + turn.looks * turn.pace;
        let valid_until = last + TTL;
        let (until, next, busy_until) = match turn.end {
            End::Released => {
                forge.releases(last, client, hold);
                (last, last + 1, last + 1)
            }
            End::Expires { stopped: false } => {
                forge.loses(valid_until - 1, client, hold, "Expired", valid_until);
                forge.releases(valid_until, client, hold);
                (valid_until - 1, valid_until - 1, valid_until + 1)
            }
            End::Expires { stopped: true } => {
                let resumed = valid_until + 3 * TTL;
                forge.is_starved(last + 1, resumed, client);
                forge.loses(resumed, client, hold, "Expired", valid_until);
                forge.releases(resumed, client, hold);
                (valid_until - 1, valid_until - 1, resumed + 1)
            }
            End::Vanishes { late } => {
                forge.loses(last + 1 + late, client, hold, "Missing", valid_until);
                forge.releases(last + 1 + late, client, hold);
                (last, last + 1, last + 2 + late)
            }
            End::Killed => {
                forge.starts(last + 1, client);
                (valid_until - 1, valid_until - 1, last + 2)
            }
        };
        free[turn.name] = next;
        busy[client] = busy_until;
        taken.push(Taken { name: turn.name, from, to: until });
    }
    (forge, taken)
}

proptest! {
    #[test]
    fn a_lock_that_works_is_always_good(turns in prop::collection::vec(turn(), 0..40)) {
        let verdict = play(&turns).0.verdict();
        prop_assert!(verdict.is_good(), "{verdict:#?}");
        prop_assert_eq!(verdict.figures.acquired, turns.len());
    }

    #[test]
    fn one_holder_too_many_is_always_found(
        turns in prop::collection::vec(turn(), 1..40),
        which in any::<prop::sample::Index>(),
        when in 0.0..1.0f64,
    ) {
        let (mut forge, taken) = play(&turns);
        let taken: Vec<_> = taken.into_iter().filter(|taken| taken.from < taken.to).collect();
        prop_assume!(!taken.is_empty());
        let taken = which.get(&taken);
        let at = taken.from + ((taken.to - taken.from) as f64 * when) as u64;
        forge.acquires_name(&format!("name-{}", taken.name), at, INTRUDER, 0, 5000, at + TTL);
        forge.client(at, INTRUDER, ClientEvent::Releases { hold: 0 });
        let violations = forge.verdict().violations;
        let found = violations
            .iter()
            .any(|one| one.rule == Rule::MutualExclusion && one.holds.contains(&(INTRUDER, 0)));
        prop_assert!(found, "at {at} in {taken:?}: {violations:#?}");
    }

    #[test]
    fn a_token_that_does_not_rise_is_always_found(
        turns in prop::collection::vec(turn(), 2..40),
        which in any::<prop::sample::Index>(),
    ) {
        let (mut forge, _) = play(&turns);
        let hold = 1 + which.index(turns.len() - 1) as u64;
        // Two holds before the last one of all come from the same name if there are enough.
        let name = turns[usize::try_from(hold).unwrap()].name;
        prop_assume!(turns[..usize::try_from(hold).unwrap()].iter().any(|turn| turn.name == name));
        for event in &mut forge.events {
            let redlock_tests::history::Event::Client { what, .. } = event else { continue };
            if let ClientEvent::Acquired { hold: this, token, .. } = what
                && *this == hold
            {
                *token = Some(0);
            }
        }
        let violations = forge.verdict().violations;
        prop_assert!(violations.iter().any(|one| one.rule == Rule::TokenOrder), "{violations:#?}");
    }
}
