//! A ZooKeeper ensemble as a node, on real servers.

mod fixture;
