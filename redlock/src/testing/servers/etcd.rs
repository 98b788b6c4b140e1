//! etcd ensembles, started for a test.
