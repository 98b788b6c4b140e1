//! How far the model goes: every state within a bound is visited.

use redlock::Protections;

use super::state::Time;

/// How many of everything there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// What it is called.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// Small enough for every run of the tests, built without optimization.
    pub small: bool,
    /// Clients that want the lock.
    pub clients: u8,
    /// Rounds of acquire that each of them may begin.
    pub rounds: u8,
    /// Extensions that each hold may begin.
    pub extensions: u8,
    /// Whether extensions of a shorter TTL are among them.
    pub short: bool,
    /// How many tokens a grant takes; 0: no fencing.
    pub span: u8,
    /// How many times a node may be told to forget everything.
    pub flushes: u8,
    /// How many nodes are removed from the set, one after the other.
    pub changes: u8,
    /// The last moment.
    pub horizon: Time,
    /// How long a node keeps a key, by everybody's clock: the TTL less the drift, because nodes' clocks are as fast as they may be.
    pub ttl: Time,
    /// How long after it was sent an acquire may still be carried out.
    pub node_timeout: Time,
}

impl Bound {
    /// The bound of this name.
    pub fn named(name: &str) -> Option<Self> {
        BOUNDS.iter().find(|bound| bound.name == name).copied()
    }

    /// How long a node keeps a key.
    pub(super) fn life(&self, short: bool) -> Time {
        if short { 1 } else { self.ttl }
    }

    /// How long a holder is valid, from when it asked.
    pub(super) fn validity(&self, on: &Protections) -> Time {
        self.prolonged(false, on)
    }

    /// The same of an extension.
    pub(super) fn prolonged(&self, short: bool, on: &Protections) -> Time {
        // The drift is one tick.
        if on.drift_allowance { self.life(short) } else { self.life(short) + 1 }
    }

    /// How long a node that has forgotten grants nothing, by everybody's clock: `maxExpiration` and its drift, by a fast one.
    pub(super) fn quarantine(&self) -> Time {
        self.ttl
    }
}

const BASE: Bound = Bound {
    name: "",
    about: "",
    small: true,
    clients: 2,
    rounds: 1,
    extensions: 0,
    short: false,
    span: 0,
    flushes: 0,
    changes: 0,
    horizon: 2,
    ttl: 2,
    node_timeout: 1,
};

const LARGE: Bound = Bound { small: false, ..BASE };

/// With a TTL of one tick, for what takes a quarantine.
const BRIEF: Bound = Bound { ttl: 1, horizon: 1, node_timeout: 0, ..BASE };

/// All bounds, the small ones first.
pub const BOUNDS: &[Bound] = &[
    Bound {
        name: "contention",
        about: "three clients at one moment, with tokens",
        clients: 3,
        span: 1,
        horizon: 0,
        ..BASE
    },
    Bound { name: "expiry", about: "two clients and the end of validity, with tokens", span: 1, ..BASE },
    Bound {
        name: "handoff",
        about: "two clients at one moment, with spans of tokens",
        span: 2,
        horizon: 0,
        ..BASE
    },
    Bound {
        name: "renewal",
        about: "an extension a hold, also to nodes that never voted",
        extensions: 1,
        ..BASE
    },
    Bound { name: "memory", about: "a node forgets at any time", extensions: 1, flushes: 1, ..BRIEF },
    Bound { name: "counters", about: "a node forgets, with tokens", span: 1, flushes: 1, ..BRIEF },
    Bound { name: "sets", about: "two of three nodes are removed, one after the other", changes: 2, ..BRIEF },
    Bound { name: "rounds", about: "two clients, two rounds each", rounds: 2, horizon: 0, ..LARGE },
    Bound {
        name: "shorter",
        about: "extensions of a shorter TTL",
        extensions: 1,
        short: true,
        horizon: 2,
        ..LARGE
    },
    Bound {
        name: "renewed",
        about: "nodes forget with renewals between, with tokens",
        extensions: 1,
        span: 1,
        flushes: 2,
        small: false,
        ..BRIEF
    },
    Bound {
        name: "heirlooms",
        about: "nodes forget with renewals between, with spans of tokens",
        extensions: 1,
        span: 2,
        flushes: 2,
        small: false,
        ..BRIEF
    },
    Bound {
        name: "erosion",
        about: "two nodes forget, at once or one after the other",
        extensions: 1,
        flushes: 2,
        small: false,
        ..BRIEF
    },
    Bound {
        name: "sets-with-tokens",
        about: "two of three nodes are removed, with tokens",
        span: 1,
        changes: 2,
        small: false,
        ..BRIEF
    },
    Bound {
        name: "contention-large",
        about: "three clients and time, with tokens",
        clients: 3,
        span: 1,
        ..LARGE
    },
];
