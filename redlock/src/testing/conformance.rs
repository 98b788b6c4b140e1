//! A suite of checks for every backend: each clause of the contract of [`Node`](crate::node::Node), by name.
