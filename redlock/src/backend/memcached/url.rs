//! `memcached://` URLs, and addresses.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::config::{MemcachedConfig, MemcachedConfigError};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// What a URL says.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) address: Address,
    pub(super) login: Option<(String, String)>,
    pub(super) tls: bool,
}

/// No error may repeat the input: whatever is misplaced in it may be a password.
pub(super) fn parse(text: &str) -> Result<Parts, MemcachedConfigError> {
    let bad = |reason: &str| MemcachedConfigError::Url { reason: reason.to_owned() };
    // They would be dropped in silence, also from a password.
    if text.contains(char::is_control) {
        return Err(bad("it has a control character"));
    }
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    let tls = match url.scheme() {
        "memcached" => false,
        "memcacheds" => true,
        _ => return Err(bad("it begins with something else than memcached:// or memcacheds://")),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("the host is missing"))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c)) {
        return Err(bad("the host has a character that no host name has"));
    }
    if url.port() == Some(0) {
        return Err(bad("the port is 0"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("something follows the host and the port"));
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let undecodable = |_| bad("user or password is not percent-encoded UTF-8");
    let login = match (url.username(), url.password().unwrap_or_default()) {
        ("", "") => None,
        ("", _) | (_, "") => return Err(bad("a user needs a password, and a password a user")),
        (user, password) => {
            Some((decoded(user).map_err(undecodable)?, decoded(password).map_err(undecodable)?))
        }
    };
    let port = url.port().unwrap_or(MemcachedConfig::DEFAULT_PORT);
    Ok(Parts { address: Address { host: host.to_ascii_lowercase(), port }, login, tls })
}

/// Reads `host`, `host:port` or `[IPv6]:port`; `None` if it is not that alone.
pub(super) fn parse_address(text: &str) -> Option<Address> {
    // What would make it more than an address, once it is a URL.
    if text.contains(['@', '/', '\\', '?', '#']) {
        return None;
    }
    parse(&format!("memcached://{text}")).ok().map(|parts| parts.address)
}

#[cfg(test)]
mod tests {
    use super::super::config::TlsFiles;
    use super::*;

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        let read = |url| MemcachedConfig::from_url(url).unwrap();
        assert_eq!(read("memcached://H"), MemcachedConfig::new("h"));
        assert_eq!(read("memcached://h:7/"), MemcachedConfig::new("h").port(7));
        assert_eq!(read("memcached://[::1]:7").address(), "[::1]:7");
        let login = MemcachedConfig::new("h").credentials("a@b", "/:#é");
        assert_eq!(read("memcached://a%40b:%2F%3A%23%C3%A9@h"), login);
        assert_eq!(read("memcacheds://h"), MemcachedConfig::new("h").tls(TlsFiles::platform()));
        let sharded = MemcachedConfig::sharded(["a", "b:7", "[::1]:8"]).unwrap();
        assert_eq!(sharded.address(), "a:11211,b:7,[::1]:8");
        assert!(sharded.is_sharded());
    }

    #[test]
    fn mistakes_are_refused_and_no_error_repeats_a_password() {
        for url in [
            "",
            "h",
            "http://hunter2@h",
            "memcached://",
            "memcached://u:hunter2@",
            "memcached://u:hunter2@h:port",
            "memcached://u:hunter2@h:0",
            "memcached://u:hunter2@h/db",
            "memcached://u:hunter2@h?x",
            "memcached://u:x#hunter2@h",
            "memcached://u:hunter2%ff@h",
            "memcached://:hunter2@h",
            "memcached://hunter2@h",
            "memcached://a b",
            "memcached://h\n",
        ] {
            let error = MemcachedConfig::from_url(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let config = MemcachedConfig::from_url("memcached://u:hunter2@h").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        for addresses in [&[][..], &["a", "a:11211"], &["u:hunter2@h"], &["a", "b:x"], &["a/b"]] {
            let error = MemcachedConfig::sharded(addresses).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_cannot_work_whatever_the_server_does_is_refused() {
        let good = || MemcachedConfig::new("h");
        assert_eq!(good().validate(), Ok(()));
        for bad in [
            good().prefix("x".repeat(129)),
            good().connect_timeout(std::time::Duration::ZERO),
            good().credentials("", "p"),
            good().credentials("u", "p p"),
            good().credentials("u:v", "p"),
            good().credentials("u", "p\r\nflush_all"),
            good().tls(TlsFiles::platform().cert("c")),
            good().tls(TlsFiles::platform().key("c")),
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
    }
}
