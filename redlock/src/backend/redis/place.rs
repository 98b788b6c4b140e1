//! Where the server of a node is found: at one address, by asking sentinels, or by asking the members of a Cluster.

use std::fmt;

use super::config::RedisConfigError;
use super::url;

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an IP address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// What another server says about where one is; `None` if nothing could listen there.
    pub(super) fn told(host: &str, port: u64) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|&port| port != 0)?;
        url::is_host(host).then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// How the server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It is at the configuration's own host and port.
    Fixed,
    /// These sentinels name it.
    Sentinel { master_name: String, sentinels: Vec<Address> },
    /// These members of a Cluster, and those that they name, know which of them has what.
    Cluster { seeds: Vec<Address> },
}

impl Place {
    pub(super) fn sentinel(
        master_name: String,
        sentinels: Vec<impl AsRef<str>>,
    ) -> Result<Self, RedisConfigError> {
        // What Sentinel itself allows; it is part of the node's address, which is printed.
        let is_valid = (1..=128).contains(&master_name.len())
            && master_name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_valid {
            return Err(RedisConfigError::MasterName);
        }
        const PORT: u16 = 26379;
        Ok(Self::Sentinel { master_name, sentinels: addresses(&sentinels, "sentinels", PORT)? })
    }

    pub(super) fn cluster(seeds: Vec<impl AsRef<str>>) -> Result<Self, RedisConfigError> {
        const PORT: u16 = 6379;
        Ok(Self::Cluster { seeds: addresses(&seeds, "Cluster members", PORT)? })
    }
}

/// At least one address, none of them twice.
fn addresses(
    texts: &[impl AsRef<str>],
    of: &'static str,
    port: u16,
) -> Result<Vec<Address>, RedisConfigError> {
    let mut addresses = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let invalid = RedisConfigError::Address { number: index + 1, of };
        let address = url::parse_address(text.as_ref(), port).ok_or(invalid)?;
        if addresses.contains(&address) {
            return Err(RedisConfigError::DuplicateAddress { address: address.to_string(), of });
        }
        addresses.push(address);
    }
    if addresses.is_empty() { Err(RedisConfigError::NoAddresses { of }) } else { Ok(addresses) }
}

/// `a:1,b:2`
pub(super) fn list(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::RedisConfig;
    use super::*;

    #[test]
    fn the_address_of_a_node_names_all_that_it_was_given_and_no_secret() {
        let config =
            RedisConfig::sentinel("my.master-1", ["10.0.0.1", "Redis-2:7000", "[::1]:26380"]).unwrap();
        let config = config.password("s3cret").sentinel_username("watcher").sentinel_password("s3cret");
        let address = "sentinel:my.master-1@10.0.0.1:26379,redis-2:7000,[::1]:26380";
        assert_eq!(config.address(), address);
        assert_eq!(config.clone().db(2).address(), format!("{address}/2"));
        assert!(!format!("{config:?}").contains("s3cret"));
        let config = RedisConfig::cluster(["10.0.0.1:7000", "10.0.0.2"]).unwrap();
        assert_eq!(config.address(), "cluster:10.0.0.1:7000,10.0.0.2:6379");
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused_by_their_number() {
        let cluster = |addresses: &[&str]| RedisConfig::cluster(addresses.to_vec()).unwrap_err();
        let of = "Cluster members";
        assert_eq!(cluster(&[]), RedisConfigError::NoAddresses { of });
        for bad in
            ["", "redis://:s3cret@h", "u:s3cret@h:1", "h:0", "h:x", "h:1/2", "h h", ":1", "h?x", "h#x", "::1"]
        {
            let error = cluster(&["a:1", bad]);
            assert_eq!(error, RedisConfigError::Address { number: 2, of }, "{bad}");
            assert!(!error.to_string().contains("s3cret"));
        }
        let address = "a:6379".to_owned();
        assert_eq!(cluster(&["a", "A:6379"]), RedisConfigError::DuplicateAddress { address, of });
    }

    #[test]
    fn the_name_of_a_master_has_the_letters_that_sentinels_allow() {
        for name in ["", "a b", "a\n", "a/b", "a@b", "ä", &"a".repeat(129)] {
            assert_eq!(
                RedisConfig::sentinel(name, ["h"]).unwrap_err(),
                RedisConfigError::MasterName,
                "{name}"
            );
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        let refused = |config: RedisConfig| config.validate().unwrap_err();
        assert_eq!(refused(RedisConfig::new("h").sentinel_password("x")), RedisConfigError::NoSentinels);
        let cluster = RedisConfig::cluster(["h"]).unwrap();
        assert_eq!(refused(cluster.clone().db(1)), RedisConfigError::ClusterDatabase { db: 1 });
        assert_eq!(refused(cluster.clone().restart_guard(true)), RedisConfigError::ClusterGuard);
        assert!(cluster.db(0).validate().is_ok());
    }

    #[test]
    fn what_a_server_tells_must_be_a_place_to_connect_to() {
        assert_eq!(
            Address::told("Host-1", 1).map(|address| address.to_string()),
            Some("host-1:1".to_owned())
        );
        assert_eq!(Address::told("::1", 7).map(|address| address.to_string()), Some("[::1]:7".to_owned()));
        for (host, port) in [("", 1), ("h", 0), ("h", 65_536), ("a b", 1), ("u:p@h/", 1), ("?", 1)] {
            assert_eq!(Address::told(host, port), None, "{host}");
        }
    }
}
