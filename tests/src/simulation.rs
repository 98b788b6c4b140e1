//! The real driver, locks, renewal and guards on virtual time, over nodes, clocks and a network that misbehave.
