//! Where a Redis server is: `host:port`, or the URL of a node.

use std::fmt;
use std::net::Ipv6Addr;

/// A Redis server, normalised: what is equal is the same address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name, or an IP address; lower case, IPv6 without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The port of a Redis server where none is written.
    pub(crate) const DEFAULT_PORT: u16 = 6379;

    /// Reads `host`, `host:port` or `[IPv6]:port`.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (host, rest) = bracketed.split_once(']').ok_or(InvalidAddress::Brackets)?;
                let host: Ipv6Addr = host.parse().map_err(|_| InvalidAddress::Brackets)?;
                let port = match rest {
                    "" => None,
                    _ => Some(rest.strip_prefix(':').ok_or(InvalidAddress::Brackets)?),
                };
                (host.to_string(), port)
            }
            None => {
                let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
                if port.is_some_and(|port| port.contains(':')) {
                    return Err(InvalidAddress::Brackets);
                }
                (host.to_ascii_lowercase(), port)
            }
        };
        if host.is_empty() {
            return Err(InvalidAddress::NoHost);
        }
        if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c)) {
            return Err(InvalidAddress::Host);
        }
        let port = port.map_or(Some(Self::DEFAULT_PORT), digits).filter(|&port| port != 0);
        Ok(Self { host, port: port.ok_or(InvalidAddress::Port)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A number without a sign.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A node of `[lock.redlock]`: its URL as it was written, with the credentials in it, and what was read from it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NodeUrl {
    url: String,
    pub(crate) address: Address,
    /// The database that the URL names.
    pub(crate) db: Option<u8>,
    pub(crate) tls: bool,
    /// Whether the URL brings a user or a password of its own; then the table's do not apply to this node.
    pub(crate) has_credentials: bool,
}

impl NodeUrl {
    /// Reads `redis://`, `rediss://`, or a bare `host:port`, which means `rediss://` where `bare_is_tls`.
    pub(super) fn parse(text: &str, bare_is_tls: bool) -> Result<Self, InvalidAddress> {
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.contains('@') {
                return Err(InvalidAddress::BareCredentials);
            }
            let address = Address::parse(text)?;
            let url = format!("{}://{address}", if bare_is_tls { "rediss" } else { "redis" });
            return Ok(Self { url, address, db: None, tls: bare_is_tls, has_credentials: false });
        };
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err(InvalidAddress::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let db = match path.strip_prefix('/').unwrap_or_default() {
            "" => None,
            db => Some(digits(db).ok_or(InvalidAddress::Db)?),
        };
        Ok(Self {
            url: text.to_owned(),
            address: Address::parse(address)?,
            db,
            tls,
            has_credentials: !matches!(credentials, "" | ":"),
        })
    }

    /// The whole URL. A secret: it may hold a password.
    pub(crate) fn expose(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for NodeUrl {
    /// Without the credentials and anything behind the database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "rediss" } else { "redis" }, self.address)?;
        self.db.map_or(Ok(()), |db| write!(f, "/{db}"))
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeUrl({self})")
    }
}

/// Why an address was refused. None of it repeats the text, which may hold a password, or be a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAddress {
    #[error("there is no host; expected host:port")]
    NoHost,
    #[error(
        "the host has a character that no host name has; \
         expected host:port (in a URL, percent-encode what is special in a user name or password)"
    )]
    Host,
    #[error(
        "the port is not a number from 1 to 65535 \
         (in a URL, percent-encode what is special in a user name or password)"
    )]
    Port,
    #[error("an IPv6 address is written in brackets: \"[::1]:6379\"")]
    Brackets,
    #[error("expected a URL that begins with redis:// or rediss://, or host:port")]
    Scheme,
    #[error("credentials need a URL: \"redis://user:password@host:port\"")]
    BareCredentials,
    #[error("the database behind the last slash is not a number from 0 to 255")]
    Db,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_normalised_and_the_port_has_a_default() {
        for (text, shown) in [
            ("127.0.0.1:6379", "127.0.0.1:6379"),
            ("Redis-1.Example.COM", "redis-1.example.com:6379"),
            ("redis_1:7000", "redis_1:7000"),
            ("[::1]", "[::1]:6379"),
            ("[0:0:0:0:0:0:0:1]:7000", "[::1]:7000"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_malformed_address_is_refused() {
        for (text, error) in [
            ("", InvalidAddress::NoHost),
            (":6379", InvalidAddress::NoHost),
            ("a b:1", InvalidAddress::Host),
            ("ho/st", InvalidAddress::Host),
            ("host:", InvalidAddress::Port),
            ("host:0", InvalidAddress::Port),
            ("host:+1", InvalidAddress::Port),
            ("host:65536", InvalidAddress::Port),
            ("::1", InvalidAddress::Brackets),
            ("[::1", InvalidAddress::Brackets),
            ("[::1]6379", InvalidAddress::Brackets),
            ("[host]:1", InvalidAddress::Brackets),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_node_url_is_kept_as_it_is_and_understood() {
        let node = NodeUrl::parse("rediss://app:p%40ss@Host:7000/3?x=1", false).unwrap();
        assert_eq!(node.expose(), "rediss://app:p%40ss@Host:7000/3?x=1");
        assert_eq!((node.db, node.tls, node.has_credentials), (Some(3), true, true));
        assert_eq!(node.to_string(), "rediss://host:7000/3");

        let node = NodeUrl::parse("redis://:@host/", false).unwrap();
        assert_eq!((node.db, node.tls, node.has_credentials), (None, false, false));
    }

    #[test]
    fn a_bare_address_becomes_a_url_with_the_tls_of_its_table() {
        assert_eq!(NodeUrl::parse("Host", false).unwrap().expose(), "redis://host:6379");
        assert_eq!(NodeUrl::parse("[::1]:7", true).unwrap().expose(), "rediss://[::1]:7");
    }

    #[test]
    fn a_malformed_node_url_is_refused() {
        for (text, error) in [
            ("http://host", InvalidAddress::Scheme),
            ("REDIS://host", InvalidAddress::Scheme),
            ("user:pw@host:1", InvalidAddress::BareCredentials),
            ("redis://", InvalidAddress::NoHost),
            ("redis://user:pw@", InvalidAddress::NoHost),
            ("redis://user:pw", InvalidAddress::Port),
            ("redis://:pa/ss@host", InvalidAddress::Db),
            ("redis://host/x", InvalidAddress::Db),
            ("redis://host/256", InvalidAddress::Db),
            ("redis://host/0/1", InvalidAddress::Db),
        ] {
            assert_eq!(NodeUrl::parse(text, false), Err(error), "{text:?}");
        }
    }

    #[test]
    fn no_output_shows_the_credentials_of_a_url() {
        let node = NodeUrl::parse("redis://app:hunter2@host/1?password=hunter2", false).unwrap();
        for shown in [format!("{node}"), format!("{node:?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("app"), "{shown}");
        }
    }
}
