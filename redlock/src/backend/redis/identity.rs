//! What a server says about itself (INFO), and whether it can be a node.

use super::failure::Failure;
use crate::node::{Identity, NodeErrorKind};

/// The oldest version that is accepted.
const OLDEST: (u32, u32) = (6, 2);

/// A server that can be a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) run_id: String,
    pub(super) version: String,
}

impl Server {
    /// Reads the sections `server` and `replication`.
    pub(super) fn judge(server: &str, replication: &str) -> Result<Self, Failure> {
        let version = field(server, "redis_version").ok_or_else(|| missing("redis_version"))?;
        if !is_supported(version) {
            let detail = format!("the server is version {version}; 6.2 or later is needed");
            return Err(Failure::new(NodeErrorKind::Unsupported, detail));
        }
        // It becomes part of a script: nothing but the usual hexadecimal digits may get in.
        let run_id = field(server, "run_id")
            .filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .ok_or_else(|| missing("run_id"))?;
        match field(replication, "role") {
            Some("master") => Ok(Self { run_id: run_id.to_owned(), version: version.to_owned() }),
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

    pub(super) fn identity(&self) -> Identity {
        Identity { instance: Some(self.run_id.clone()), version: Some(self.version.clone()) }
    }
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

    const MASTER: &str = "# Replication\r\nrole:master\r\n";

    fn server(version: &str) -> String {
        format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\nrun_id:0a1b\r\n")
    }

    #[test]
    fn a_master_from_6_2_on_can_be_a_node() {
        for version in ["6.2.0", "7.0.15", "7.2.4", "10.0.0-rc1", "255.255.255"] {
            let judged = Server::judge(&server(version), MASTER).unwrap();
            assert_eq!(judged, Server { run_id: "0a1b".into(), version: version.into() });
        }
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
