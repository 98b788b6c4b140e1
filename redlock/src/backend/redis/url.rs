//! `redis://` URLs.

use percent_encoding::percent_decode_str;
use url::Url;

use super::config::{RedisConfig, RedisConfigError, TlsFiles};
use super::place::Address;

/// No error may repeat the input: whatever is misplaced in it may be a password.
pub(super) fn parse(text: &str) -> Result<RedisConfig, RedisConfigError> {
    // They would be dropped in silence, also from a password.
    if text.contains(char::is_control) {
        return Err(malformed("it has a control character"));
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => RedisConfigError::MissingHost,
        error => malformed(&error.to_string()),
    })?;
    let tls = match url.scheme() {
        "redis" => None,
        "rediss" => Some(TlsFiles::platform()),
        "unix" | "redis+unix" | "redis+socket" => return Err(RedisConfigError::UnixSocket),
        _ => return Err(RedisConfigError::Scheme),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(RedisConfigError::MissingHost)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !is_host(host) {
        return Err(malformed("the host has a character that no host name has"));
    }
    if url.port() == Some(0) {
        return Err(malformed("the port is 0"));
    }
    if url.query().is_some() {
        return Err(RedisConfigError::Trailing { part: "query (?)" });
    }
    if url.fragment().is_some() {
        return Err(RedisConfigError::Trailing { part: "fragment (#)" });
    }
    let username = Some(url.username()).filter(|user| !user.is_empty());
    let password = url.password().filter(|password| !password.is_empty());
    Ok(RedisConfig {
        port: url.port().unwrap_or(RedisConfig::DEFAULT_PORT),
        db: database(url.path())?,
        username: username.map(|user| decode(user, "user")).transpose()?,
        password: password.map(|password| decode(password, "password")).transpose()?,
        tls,
        ..RedisConfig::new(host.to_ascii_lowercase())
    })
}

/// Whether it could be a host name or an IP address, IPv6 without brackets.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
}

/// Reads `host`, `host:port` or `[IPv6]:port`; `None` if it is not that alone.
pub(super) fn parse_address(text: &str, default_port: u16) -> Option<Address> {
    // What would make it more than an address, once it is a URL.
    if text.contains(['@', '/', '\\', '?', '#']) {
        return None;
    }
    let address = parse(&format!("redis://{text}")).ok()?;
    // The port of a URL that names none is that of Redis.
    let names_port = text.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    Some(Address { port: if names_port { address.port } else { default_port }, host: address.host })
}

fn database(path: &str) -> Result<Option<u32>, RedisConfigError> {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => Ok(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map(Some).map_err(|_| RedisConfigError::Database)
        }
        _ => Err(RedisConfigError::Database),
    }
}

fn malformed(reason: &str) -> RedisConfigError {
    RedisConfigError::Malformed { reason: reason.to_owned() }
}

fn decode(text: &str, part: &'static str) -> Result<String, RedisConfigError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| RedisConfigError::Encoding { part })?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(url: &str) -> RedisConfigError {
        parse(url).unwrap_err()
    }

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        assert_eq!(parse("redis://h").unwrap(), RedisConfig::new("h"));
        assert_eq!(parse("redis://h:7/").unwrap(), RedisConfig::new("h").port(7));
        let full = RedisConfig::new("h").port(7).db(3).username("u").password("p");
        assert_eq!(parse("redis://u:p@h:7/3").unwrap(), full);
        assert_eq!(parse("redis://:p@h").unwrap(), RedisConfig::new("h").password("p"));
        assert_eq!(parse("redis://:@h").unwrap(), RedisConfig::new("h"));
        assert_eq!(parse("redis://u@h").unwrap(), RedisConfig::new("h").username("u"));
        assert_eq!(parse("rediss://h").unwrap(), RedisConfig::new("h").tls(TlsFiles::platform()));
    }

    #[test]
    fn an_ipv6_host_stands_in_brackets_only_where_a_port_follows() {
        let config = parse("redis://[::1]:7000/1").unwrap();
        assert_eq!(config.host, "::1");
        assert_eq!(config.address(), "[::1]:7000/1");
        assert_eq!(parse("redis://127.0.0.1").unwrap().address(), "127.0.0.1:6379");
    }

    #[test]
    fn one_server_has_one_spelling() {
        for (url, address) in [
            ("redis://Redis-1.Example.COM", "redis-1.example.com:6379"),
            ("redis://redis_1:7000/0", "redis_1:7000"),
            ("redis://[0:0:0:0:0:0:0:1]:7000", "[::1]:7000"),
        ] {
            assert_eq!(parse(url).unwrap().address(), address);
        }
    }

    #[test]
    fn a_database_that_is_named_is_told_from_none() {
        assert_eq!(parse("redis://h").unwrap().db, None);
        assert_eq!(parse("redis://h/").unwrap().db, None);
        assert_eq!(parse("redis://h/0").unwrap().db, Some(0));
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let config = parse("redis://a%40b:%2F%3A%23%C3%A9@h").unwrap();
        assert_eq!(config, RedisConfig::new("h").username("a@b").password("/:#é"));
        assert_eq!(bad("redis://u:%ff@h"), RedisConfigError::Encoding { part: "password" });
    }

    #[test]
    fn each_mistake_has_an_error_of_its_own() {
        for (url, error) in [
            ("http://h", RedisConfigError::Scheme),
            ("unix:///tmp/redis.sock", RedisConfigError::UnixSocket),
            ("redis+unix:///tmp/redis.sock", RedisConfigError::UnixSocket),
            ("redis:///tmp/redis.sock", RedisConfigError::MissingHost),
            ("redis://:6379", RedisConfigError::MissingHost),
            ("redis:h", RedisConfigError::MissingHost),
            ("redis://u:p@", RedisConfigError::MissingHost),
            ("redis://::1", RedisConfigError::MissingHost),
            ("redis://h/x", RedisConfigError::Database),
            ("redis://h/-1", RedisConfigError::Database),
            ("redis://h/+1", RedisConfigError::Database),
            ("redis://h/1/2", RedisConfigError::Database),
            ("redis://h/4294967296", RedisConfigError::Database),
            ("redis://h?db=1", RedisConfigError::Trailing { part: "query (?)" }),
            ("redis://h/1#x", RedisConfigError::Trailing { part: "fragment (#)" }),
        ] {
            assert_eq!(bad(url), error, "{url}");
        }
        for url in [
            "",
            "h",
            "redis://h:0",
            "redis://h:+1",
            "redis://h:65536",
            "redis://h:x",
            "redis://u:p",
            "redis://2001:db8::1",
            "redis://[::1",
            "redis://[::1]6379",
            "redis://[h]:1",
            "redis://a b",
            "redis://a\tb",
            "redis://a%1bb",
            "redis://\u{e9}",
        ] {
            assert!(matches!(bad(url), RedisConfigError::Malformed { .. }), "{url}: {:?}", bad(url));
        }
    }

    #[test]
    fn no_error_and_no_debug_output_repeats_a_password() {
        for url in [
            "redis://u:hunter2@",
            "redis://u:hunter2@h:port",
            "redis://u:hunter2@h/db",
            "redis://u:hunter2/x@h",
            "redis://u:x/hunter2@h",
            "redis://u:x#hunter2@h",
            "redis://u:x?hunter2@h",
            "hunter2:x@h",
            "redis://u:hunter2%ff@h",
        ] {
            let error = bad(url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(!format!("{:?}", parse("redis://u:hunter2@h").unwrap()).contains("hunter2"));
    }
}
