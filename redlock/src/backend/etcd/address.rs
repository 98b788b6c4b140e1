//! Where a member listens.

use std::fmt;

use super::EtcdConfig;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an IP address, IPv6 without brackets, in lower case.
    host: String,
    port: u16,
}

impl Address {
    /// Reads `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; `None` if it is not that alone.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
            }
            None => {
                let (host, port) =
                    text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                (Some(host).filter(|host| !host.is_empty() && host.chars().all(is_plain))?, port)
            }
        };
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            None => EtcdConfig::DEFAULT_PORT,
            Some(text) => Some(text).filter(is_number)?.parse().ok().filter(|&port| port != 0)?,
        };
        Some(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Address {
    /// `host:port`, IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
