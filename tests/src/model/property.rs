//! What must always hold, and what must be possible, so that the model is not vacuous.

use stateright::Property;

use super::Protocol;
use super::sets::Stage;
use super::state::{Broken, Memory, Phase, State, What};

/// One holder at most is inside its validity, as the holders see it.
pub const ONE_HOLDER: &str = "one holder at most is valid";
/// Each token that is handed out is above all that were handed out before.
pub const TOKENS_RISE: &str = "tokens rise";
/// A lock whose validity has ended is not valid again.
pub const LOST_STAYS_LOST: &str = "what is lost stays lost";
/// Where a release was answered after the deadlines of all that its owner has sent, no lock of that owner appears any more.
pub const SETTLED_STAYS_EMPTY: &str = "a settled node stays empty";

/// Somebody holds the lock.
pub const HELD: &str = "a lock is held";
/// Several clients have votes, and none a quorum.
pub const SPLIT: &str = "votes are split";
/// The votes differ, and nodes are asked to raise their counters.
pub const RAISED: &str = "a raise round occurs";
/// A hold is handed on in its process.
pub const HANDED_OFF: &str = "a lock is handed off";
/// A hold goes on beyond its first validity.
pub const EXTENDED: &str = "a lock is extended";
/// An extension asks a node that has not voted to take the lock.
pub const HEALED: &str = "a node that never voted is asked to take the lock";
/// A node in quarantine has the lock of a holder, who is valid.
pub const RESTORED: &str = "a node that has forgotten is given the lock back";
/// A node does not grant what it would grant if it were not in quarantine.
pub const REFUSED: &str = "a quarantine refuses";
/// Nodes vote again after their quarantine.
pub const ADMITTED: &str = "a lock is held when nodes that have forgotten are admitted";

/// A client of the set before holds the lock when the next set is open.
pub const BESIDE: &str = "a lock is held by a client of the set before while the next one is open";
/// A client of the last set holds the lock.
pub const CHANGED: &str = "a lock is held by a client of the last set";

type Properties = Vec<Property<Protocol>>;

/// The properties that have a sense within the bound.
pub(super) fn properties(model: &Protocol) -> Properties {
    let bound = &model.bound;
    let (always, sometimes) = (Property::<Protocol>::always, Property::<Protocol>::sometimes);
    let mut all: Properties = vec![
        always(ONE_HOLDER, |_, state| state.valid_holds().count() <= 1),
        always(SETTLED_STAYS_EMPTY, |_, state| state.broken != Some(Broken::Ghost)),
        sometimes(HELD, |_, state| state.valid_holds().count() > 0),
        sometimes(SPLIT, |_, state| is_split(state)),
    ];
    if bound.extensions > 0 {
        all.push(always(LOST_STAYS_LOST, |_, state| state.broken != Some(Broken::Revived)));
        all.push(sometimes(EXTENDED, |_, state| {
            state.valid_holds().any(|hold| hold.extensions > 0 && hold.extending.is_none())
        }));
        all.push(sometimes(HEALED, |_, state| is_healed(state)));
    }
    if bound.span > 0 {
        all.push(always(TOKENS_RISE, |_, state| state.broken != Some(Broken::TokenOrder)));
        all.push(sometimes(RAISED, |_, state| {
            state.flying.iter().any(|request| matches!(request.what, What::Raise { .. }))
        }));
    }
    if bound.span > 1 {
        all.push(sometimes(HANDED_OFF, |model, state| {
            let first = |hold: &super::state::Holding| hold.top + 1 - model.bound.span;
            state.valid_holds().any(|hold| hold.token > first(hold))
        }));
    }
    if bound.changes > 0 {
        all.push(sometimes(BESIDE, |_, state| {
            let to = state.operator.to;
            let is_before = |client: &super::state::Client| client.set + 1 == to.number;
            to.stage == Stage::Open && state.valid_clients().any(is_before)
        }));
        all.push(sometimes(CHANGED, |model, state| {
            state.valid_clients().any(|client| client.set == model.bound.changes)
        }));
    }
    if bound.flushes > 0 {
        if bound.extensions > 0 {
            all.push(sometimes(RESTORED, |_, state| is_restored(state)));
        }
        all.push(sometimes(REFUSED, |_, state| is_refused(state)));
        all.push(sometimes(ADMITTED, |_, state| {
            let are_in_order = state.nodes.iter().all(|node| node.memory == Memory::Admitted);
            state.flushes == 0 && are_in_order && state.valid_holds().count() > 0
        }));
    }
    all
}

fn is_split(state: &State) -> bool {
    let mut with_votes = 0;
    for client in &state.clients {
        if let Phase::Asking(asking) = &client.phase {
            let votes = asking.votes.iter().flatten().count();
            with_votes += usize::from(votes > 0 && votes < client.quorum());
        }
    }
    with_votes > 1
}

fn is_healed(state: &State) -> bool {
    let of_a_restore = |request: &super::state::Request| {
        matches!(request.what, What::Extend { restore: true, .. })
            && state.nodes[request.node].memory == Memory::Admitted
    };
    state.flying.iter().any(of_a_restore)
}

fn is_restored(state: &State) -> bool {
    state.nodes.iter().any(|node| {
        let is_new = matches!(node.memory, Memory::Quarantined { .. });
        is_new && node.key.is_some_and(|key| state.valid_holds().any(|hold| hold.owner == key.owner))
    })
}

fn is_refused(state: &State) -> bool {
    state.flying.iter().any(|request| {
        let node = &state.nodes[request.node];
        let is_new = matches!(node.memory, Memory::Quarantined { .. });
        is_new
            && node.key.is_none()
            && matches!(request.what, What::Acquire { deadline } if state.now <= deadline)
    })
}
