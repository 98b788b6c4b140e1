//! Locks over several groups of nodes: a name belongs to one of them, by rendezvous hashing.
