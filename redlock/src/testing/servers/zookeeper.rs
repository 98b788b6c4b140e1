//! ZooKeeper ensembles, started for a test.
