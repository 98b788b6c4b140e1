//! A fleet by the words of a command line.

use super::{
    DockerFleet, EtcdFleet, FileFleet, Fleet, FleetError, MemcachedFleet, ProcessFleet, UrlFleet,
    ZooKeeperFleet,
};

/// The kinds of fleets that can be started, and how many nodes each has if nobody says.
pub const KINDS: [(&str, usize); 6] =
    [("process", 5), ("docker", 5), ("memcached", 5), ("etcd", 3), ("zookeeper", 3), ("file", 1)];

/// How many nodes a fleet of this kind has if nobody says.
pub fn nodes_by_default(kind: &str) -> usize {
    KINDS.iter().find(|(name, _)| *name == kind).map_or(1, |&(_, nodes)| nodes)
}

/// Opens the fleet that a user names: one of [`KINDS`], or URLs of Redis servers with commas between them, which are as many nodes
/// as there are, and on which clients lock under [`UrlFleet::PREFIX`].
///
/// # Errors
/// [`FleetError`] says what is missing, or what was expected.
pub fn open(kind: &str, nodes: usize) -> Result<Box<dyn Fleet>, FleetError> {
    match kind {
        "process" => Ok(Box::new(ProcessFleet::start(nodes)?)),
        "docker" => Ok(Box::new(DockerFleet::start(nodes)?)),
        "memcached" => Ok(Box::new(MemcachedFleet::start(nodes)?)),
        "etcd" => Ok(Box::new(EtcdFleet::start(nodes)?)),
        "zookeeper" => Ok(Box::new(ZooKeeperFleet::start(nodes)?)),
        "file" => Ok(Box::new(FileFleet::start(nodes)?)),
        urls if urls.contains("://") => {
            let urls = urls.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
            Ok(Box::new(UrlFleet::with_prefix(urls.collect(), UrlFleet::PREFIX)?))
        }
        other => Err(FleetError::Failed {
            node: "--fleet".to_owned(),
            detail: format!(
                "`{other}` is no kind of fleet; expected one of {}, or URLs such as \
                 redis://10.0.0.1:6379,redis://10.0.0.2:6379,redis://10.0.0.3:6379",
                KINDS.map(|(name, _)| name).join(", ")
            ),
        }),
    }
}
