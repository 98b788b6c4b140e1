//! What a server says about itself (INFO), and whether it can be a node.

use std::time::Duration;

use super::failure::Failure;
use crate::node::{Identity, NodeErrorKind};

/// The oldest version that is accepted.
const OLDEST: (u32, u32) = (6, 2);

/// A server that can be a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) run_id: String,
    pub(super) version: String,
    /// The id of its data's history (`master_replid`); another one after it has been a replica.
    pub(super) history: String,
    /// It has taken over the data of another server that is its master no longer.
    pub(super) was_promoted: bool,
    /// It is a member of a Cluster.
    pub(super) is_member: bool,
    /// For how long the process has been running, as it says itself.
    pub(super) uptime: Duration,
}

impl Server {
    /// Reads the sections `server` and `replication`.
    pub(super) fn judge(server: &str, replication: &str) -> Result<Self, Failure> {
        let version = field(server, "redis_version").ok_or_else(|| missing("redis_version"))?;
        if !is_supported(version) {
            let detail = format!("the server is version {version}; 6.2 or later is needed");
            return Err(Failure::new(NodeErrorKind::Unsupported, detail));
        }
        let run_id = id(server, "run_id")?;
        match field(replication, "role") {
            Some("master") => {
                let uptime = field(server, "uptime_in_seconds").and_then(|seconds| seconds.parse().ok());
                let previous = field(replication, "master_replid2").unwrap_or_default();
                Ok(Self {
                    run_id,
                    version: version.to_owned(),
                    history: id(replication, "master_replid")?,
                    is_member: field(server, "redis_mode") == Some("cluster"),
                    was_promoted: previous.bytes().any(|byte| byte != b'0'),
                    uptime: Duration::from_secs(uptime.unwrap_or(0)),
                })
            }
            Some(role @ ("slave" | "replica")) => {
                let master = match (field(replication, "master_host"), field(replication, "master_port")) {
                    (Some(host), Some(port)) => format!(" of {host}:{port}"),
                    _ => String::new(),
                };
                let detail =
                    format!("the server is a replica{master} (role:{role}); a lock node must be a master");
                Err(Failure::new(NodeErrorKind::ReadOnly, detail))
            }
            _ => Err(missing("role")),
        }
    }

    /// Whether it is the same process with the same data.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.run_id == other.run_id && self.history == other.history
    }

    pub(super) fn identity(&self) -> Identity {
        let (instance, version) = (Some(self.run_id.clone()), Some(self.version.clone()));
        Identity { instance, version, ..Identity::default() }
    }
}

/// An identity, which becomes part of a script and of the marker: nothing but the usual hexadecimal digits may get in.
fn id(info: &str, name: &str) -> Result<String, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let id = field(info, name).filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(is_plain));
    id.map(str::to_owned).ok_or_else(|| missing(name))
}

/// What INFO says under this name; `None` if that is nothing.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim();
    Some(value).filter(|value| !value.is_empty())
}

fn missing(name: &str) -> Failure {
    let detail =
        format!("the server's INFO has no usable {name}; is it Redis or Valkey, version 6.2 or later?");
    Failure::new(NodeErrorKind::Protocol, detail)
}

fn is_supported(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = "# Replication\r\nrole:master\r\nmaster_replid:77aa\r\nmaster_replid2:00\r\n";

    fn server(version: &str) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\nrun_id:0a1b\r\nuptime_in_seconds:7\r\n"
        )
    }

    #[test]
    fn a_master_from_6_2_on_can_be_a_node() {
        for version in ["6.2.0", "7.0.15", "7.2.4", "10.0.0-rc1", "255.255.255"] {
            let judged = Server::judge(&server(version), MASTER).unwrap();
            let (run_id, history) = ("0a1b".to_owned(), "77aa".to_owned());
            let uptime = Duration::from_secs(7);
            let version = version.to_owned();
            assert_eq!(
                judged,
                Server { run_id, version, history, is_member: false, was_promoted: false, uptime }
            );
        }
    }

    #[test]
    fn a_promoted_replica_is_told_by_the_history_that_it_took_over() {
        let promoted = MASTER.replace("replid2:00", "replid2:0c");
        assert!(Server::judge(&server("7.0.0"), &promoted).unwrap().was_promoted);
    }

    #[test]
    fn an_old_server_is_refused_by_its_version() {
        for version in ["6.0.16", "5.0.14", "x", "6", "6.x"] {
            let failure = Server::judge(&server(version), MASTER).unwrap_err();
            assert_eq!(failure.kind, NodeErrorKind::Unsupported);
            assert!(failure.detail.contains(version), "{}", failure.detail);
        }
    }

    #[test]
    fn a_replica_is_refused_and_its_master_named() {
        let replica = "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n";
        let failure = Server::judge(&server("7.0.0"), replica).unwrap_err();
        assert_eq!(failure.kind, NodeErrorKind::ReadOnly);
        assert!(failure.detail.contains("10.0.0.1:6379"), "{}", failure.detail);
    }

    #[test]
    fn an_info_that_lacks_a_field_or_would_change_the_script_is_refused() {
        let odd = "redis_version:7.0.0\r\nrun_id:a b\r\n";
        for (server, replication) in [
            ("", MASTER),
            (odd, MASTER),
            (&server("7.0.0")[..], ""),
            ("redis_version:7.0.0\nrun_id:\n", MASTER),
        ] {
            assert_eq!(Server::judge(server, replication).unwrap_err().kind, NodeErrorKind::Protocol);
        }
    }
}
