//! The protocol as a model whose every state is visited.
//!
//! A few clients want one name on three nodes. Within a [`Bound`] every order of events is tried: requests are late, overtake
//! each other or are lost, replies are lost after their effect, clients stand still between their steps, give up and release
//! late, nodes forget everything. What must hold in every state, and what must be possible in some, is in `property.rs`. With a
//! safeguard switched off ([`SWITCHES`], by the names of [`Protections`]) a counterexample comes up, a shortest one.
//!
//! The rules are written down once more here, by hand: those of the library are private, and driven by an async driver. So this
//! shows that the *protocol* is right, and not that the library follows it. That is what the simulation, which runs the real
//! driver, and the tests on real servers are for.
//!
//! What is simplified, and so not shown:
//! - Time comes in ticks that are the same for all. Nodes' clocks are as fast as the drift allows; one tick is the drift. Clocks
//!   that are set, and the guard over them, are left out: so are hints and `fence_clamp`. Counters only count.
//! - Counters never expire.
//! - Deadlines are exact: the client's estimate of a node's time is not modelled.
//! - A node is judged and marked by whoever sees it, in one step. Incarnations are left out: what was sent to an earlier memory is
//!   carried out by a later one if its rules allow it, which only adds behaviour. A restart is the same as a flush here.
//! - With tokens, a majority does not forget at once without a renewal between: there the order rests on clocks. Without tokens
//!   any nodes may forget at any time. The ceilings of the others are read when the quarantine is over; **read before, they would
//!   miss the token of a round that counts a vote of the lost memory**, and tokens would repeat.
//! - `fresh_owner` off means one token for all rounds of a client, and not only for those of one acquisition.
//! - A release goes to each node once, and arrives at any time or never. Whether all that is left on nodes is released in the end
//!   (`release_unknown`, `adopt_stragglers`) is about liveness, and not modelled; nor is `lost_on_majority`, which ends a hold
//!   earlier than its validity. `fence_once` saves tokens and a raise round; without it tokens rise all the same.
//! - A hand-over is one step: what a former holder's view says (`handoff_hold`), how much of the validity is left for the next
//!   (`handoff_validity`) and how often it happens (`handoff_bound`) are rules inside of one process, and not of the protocol.
//! - `restore_new_only` matters when a key is deleted by itself, which the protocol's assumptions exclude.
//! - The node set changes by removals, where nothing is forgotten meanwhile: how a node joins is what `memory` and `counters` are
//!   about. The operator is one, goes from node to node in their order, and may not reach some. That a marker says how many nodes
//!   its set has is left out, which only adds behaviour: a client of set 0 may count votes of set 2 without `node_set_epoch`.

mod bound;
mod node;
mod property;
mod sets;
mod state;
mod step;
mod symmetry;
mod tell;

use std::fmt;
use std::time::{Duration, Instant};

use redlock::Protections;
use stateright::{Checker, HasDiscoveries, Model, Property};

pub use bound::{BOUNDS, Bound};
pub use property::*;

use state::State;
use step::Step;

/// The model that is checked: a bound, and the safeguards that are on.
#[derive(Debug, Clone)]
struct Protocol {
    bound: Bound,
    on: Protections,
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::begin(&self.bound)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        state.steps(&self.bound, &self.on, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(state.after(step, &self.bound, &self.on))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::properties(self)
    }
}

/// What came of a check.
#[derive(Debug, Clone)]
pub struct Report {
    /// The bound within which every state was visited, unless a violation ended the search.
    pub bound: Bound,
    /// The safeguard that was off.
    pub without: Option<String>,
    /// Steps that were tried.
    pub steps: usize,
    /// States that were found, up to the names of nodes and clients.
    pub states: usize,
    /// The most steps to a state.
    pub depth: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// What must not happen and did, by the fewest steps.
    pub violated: Option<Violation>,
    /// What must be possible and was found.
    pub reached: Vec<&'static str>,
    /// What must be possible and was not found. The search ends with a violation, so that this tells nothing then.
    pub missed: Vec<&'static str>,
}

/// How something came about that must not happen.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What does not hold.
    pub property: &'static str,
    /// Who did what and when, a line a step.
    pub steps: Vec<String>,
}

/// A safeguard that the model does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model has no safeguard {name:?}; it has {}", names())]
pub struct UnknownSwitch {
    /// What was asked for.
    pub name: String,
}

fn names() -> String {
    SWITCHES.iter().map(|switch| switch.name).collect::<Vec<_>>().join(", ")
}

/// A safeguard that can be switched off in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// As in [`Protections`].
    pub name: &'static str,
    /// A bound within which it is missed.
    pub bound: &'static str,
    /// What is found without it.
    pub harm: Harm,
}

/// What happens without a safeguard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// This is violated.
    Violates(&'static str),
    /// This cannot be reached.
    Misses(&'static str),
}

impl Harm {
    /// Whether a check without the safeguard came to it.
    pub fn is_shown_by(&self, report: &Report) -> bool {
        match self {
            Self::Violates(property) => {
                report.violated.as_ref().is_some_and(|found| found.property == *property)
            }
            Self::Misses(property) => report.violated.is_none() && report.missed.contains(property),
        }
    }
}

impl Report {
    /// Whether nothing can happen that must not, and everything that must be possible is.
    pub fn is_good(&self) -> bool {
        self.violated.is_none() && self.missed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, states, steps, depth, elapsed, .. } = self;
        write!(f, "{:<18} {states} states, {steps} steps, depth {depth}, {elapsed:.1?}: ", bound.name)?;
        match &self.violated {
            Some(violation) => {
                write!(f, "BAD: {}", violation.property)?;
                violation.steps.iter().try_for_each(|step| write!(f, "\n    {step}"))
            }
            None if self.missed.is_empty() => f.write_str("good"),
            None => write!(f, "BAD: never reached: {}", self.missed.join(", ")),
        }
    }
}

/// The safeguards that the model has.
pub const SWITCHES: &[Switch] = &[
    violating("validity_check", "expiry", TOKENS_RISE),
    violating("drift_allowance", "expiry", ONE_HOLDER),
    violating("release_owner_check", "contention", ONE_HOLDER),
    violating("fence_quorum", "contention", TOKENS_RISE),
    violating("fresh_owner", "rounds", ONE_HOLDER),
    violating("stale_deadline", "expiry", SETTLED_STAYS_EMPTY),
    violating("extend_owner_check", "renewal", ONE_HOLDER),
    violating("never_shorten", "shorter", ONE_HOLDER),
    violating("extend_in_time", "renewal", LOST_STAYS_LOST),
    violating("marker_check", "memory", ONE_HOLDER),
    violating("quarantine", "memory", ONE_HOLDER),
    violating("quarantine_from_marker", "memory", ONE_HOLDER),
    Switch { name: "restore", bound: "memory", harm: Harm::Misses(RESTORED) },
    violating("fence_floor", "counters", TOKENS_RISE),
    violating("fence_extend", "renewed", TOKENS_RISE),
    violating("handoff_token", "handoff", TOKENS_RISE),
    violating("fence_top", "heirlooms", TOKENS_RISE),
    violating("node_set_epoch", "sets", ONE_HOLDER),
    violating("node_set_wait", "sets", ONE_HOLDER),
    violating("node_set_floor", "sets-with-tokens", TOKENS_RISE),
];

const fn violating(name: &'static str, bound: &'static str, property: &'static str) -> Switch {
    Switch { name, bound, harm: Harm::Violates(property) }
}

/// Visits every state within a bound, or as many as it takes to find a violation.
///
/// # Errors
/// [`UnknownSwitch`] for a safeguard that is not in [`SWITCHES`].
pub fn check(bound: Bound, without: Option<&str>) -> Result<Report, UnknownSwitch> {
    let on = match without {
        None => Protections::default(),
        Some(name) => SWITCHES
            .iter()
            .find(|switch| switch.name == name)
            .and_then(|switch| Protections::without(switch.name))
            .ok_or_else(|| UnknownSwitch { name: name.to_owned() })?,
    };
    let model = Protocol { bound, on };
    let began = Instant::now();
    // One thread: the first violation that is found is then one with the fewest steps, and every run is the same.
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let elapsed = began.elapsed();

    let mut report = Report {
        bound,
        without: without.map(str::to_owned),
        steps: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        elapsed,
        violated: None,
        reached: Vec::new(),
        missed: Vec::new(),
    };
    let mut found = checker.discoveries();
    for property in checker.model().properties() {
        let path = found.remove(property.name);
        match (property.expectation, path) {
            (stateright::Expectation::Sometimes, Some(_)) => report.reached.push(property.name),
            (stateright::Expectation::Sometimes, None) => report.missed.push(property.name),
            (_, None) => {}
            (_, Some(path)) => {
                let steps = tell::tell(checker.model(), &path);
                let shorter = report.violated.as_ref().is_none_or(|other| steps.len() < other.steps.len());
                if shorter {
                    report.violated = Some(Violation { property: property.name, steps });
                }
            }
        }
    }
    Ok(report)
}
