//! When each fault strikes what: drawn from a seed, within what the library promises to withstand.

use std::time::Duration;

use super::FaultKind;
use super::draw::Draw;
use super::limits::Limits;
use super::strike::Strike;
use crate::fleet::Servers;
use crate::network::Protocol;

/// More faults than that are not drawn, however long the run is.
const MOST: usize = 2_000;

/// How often a place is drawn for a fault that is not the first of its kind.
const TRIES: usize = 8;

/// How many places are tried for the first of a kind.
const PLACES: u32 = 400;

/// What a schedule is to keep to.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The same seed makes the same schedule.
    pub seed: u64,
    /// What may happen.
    pub kinds: Vec<FaultKind>,
    /// How many nodes there are.
    pub nodes: usize,
    /// What they are.
    pub store: Store,
    /// How many clients there are.
    pub clients: usize,
    /// How long the run lasts; every fault has ended a moment before.
    pub length: Duration,
    /// The TTL of the locks.
    pub ttl: Duration,
    /// The longest TTL, which quarantines last.
    pub max_ttl: Duration,
}

/// What nodes are, as far as faults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// What they are to the locks.
    pub servers: Servers,
    /// What clients and nodes speak, as far as it is understood.
    pub protocol: Protocol,
    /// In what they count TTLs, if not exactly: what is meant to outlast a lock takes a little longer then.
    pub granularity: Duration,
}

impl Store {
    /// Independent servers of Redis.
    pub const REDIS: Self =
        Self { servers: Servers::Nodes, protocol: Protocol::Resp, granularity: Duration::ZERO };
}

/// When each fault strikes what, in the order of their beginnings.
///
/// - Each kind strikes at least once, if there is room for it: [`left_out`] tells.
/// - Nothing strikes what another fault has in its hands: no dead node is killed, no way cut twice.
/// - A majority of nodes is there to vote, but for short spans now and then with longer ones between them. A node is not there
///   while it is down, stopped or cut off, in quarantine since it has forgotten, or until its clock is trusted again; a member of a
///   store, until the others have taken it in again.
/// - In any span of the longest TTL and a margin, the clocks of fewer than a quorum are moved, be it at once or slowly:
///   nothing is promised for a quorum of clocks that goes wrong together.
/// - Any number of nodes may forget at once; where clocks are moved too, only so many that the others know all tokens. Where
///   neither memories nor clocks can be relied on, no order of tokens is promised.
/// - One client at least is neither stopped nor cut off, if there are several.
pub fn schedule(plan: &Plan) -> Vec<Strike> {
    if plan.length.is_zero() {
        return Vec::new();
    }
    let limits = Limits::new(plan);
    let mut draw = Draw::new(plan);
    let mut strikes = Vec::new();
    let mut kinds = plan.kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.retain(|&kind| limits.allow(kind));
    kinds.sort_by_key(|&kind| limits.needs_room(kind));
    for &kind in &kinds {
        place_first(kind, &limits, &mut draw, &mut strikes);
    }
    let wanted = wanted(plan);
    let mut drawn = strikes.len();
    while drawn < wanted && !kinds.is_empty() {
        draw.shuffle(&mut kinds);
        for &kind in &kinds {
            place(kind, &limits, &mut draw, &mut strikes);
        }
        drawn += kinds.len();
    }
    strikes.sort_by_key(|strike| strike.after);
    strikes.into_iter().zip(0..).map(|(strike, id)| Strike { id, ..strike }).collect()
}

/// The kinds of a plan that its schedule has no room for: there are too few nodes or clients, or it is too short.
pub fn left_out(plan: &Plan, strikes: &[Strike]) -> Vec<FaultKind> {
    let is_missing = |kind: &&FaultKind| strikes.iter().all(|strike| strike.kind != **kind);
    plan.kinds.iter().filter(is_missing).copied().collect()
}

/// How many faults are drawn; not all find a place.
fn wanted(plan: &Plan) -> usize {
    let apart = (plan.ttl / 2).clamp(Duration::from_millis(200), Duration::from_secs(2));
    let wanted = plan.length.as_millis() / apart.as_millis();
    usize::try_from(wanted).unwrap_or(MOST).min(MOST)
}

/// Anywhere; if that fails, wherever there is room.
fn place_first(kind: FaultKind, limits: &Limits<'_>, draw: &mut Draw<'_>, strikes: &mut Vec<Strike>) {
    for _ in 0..TRIES {
        let strike = draw.strike(kind, limits);
        if limits.admit(std::slice::from_ref(&strike), strikes, false) {
            return strikes.push(strike);
        }
    }
    for place in 0..PLACES {
        let mut strike = draw.strike(kind, limits);
        let room =
            limits.last().saturating_sub(limits.first()).saturating_sub(strike.lasts.unwrap_or_default());
        strike.after = limits.first() + room * place / PLACES;
        if limits.admit(std::slice::from_ref(&strike), strikes, true) {
            return strikes.push(strike);
        }
    }
}

fn place(kind: FaultKind, limits: &Limits<'_>, draw: &mut Draw<'_>, strikes: &mut Vec<Strike>) {
    let is_bold = draw.is_bold();
    for _ in 0..TRIES {
        let drawn = match is_bold {
            true => draw.burst(kind, limits),
            false => vec![draw.strike(kind, limits)],
        };
        if limits.admit(&drawn, strikes, is_bold) {
            return strikes.extend(drawn);
        }
    }
}
