//! `zookeeper://` URLs. No error repeats the input: whatever is misplaced in it may be a password.

use std::net::Ipv6Addr;

use super::config::{Login, TlsFiles, ZooKeeperConfig, ZooKeeperConfigError};

pub(super) fn parse(text: &str) -> Result<ZooKeeperConfig, ZooKeeperConfigError> {
    let (scheme, rest) = text.split_once("://").ok_or(ZooKeeperConfigError::Scheme)?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "zookeeper" => None,
        "zookeepers" => Some(TlsFiles::default()),
        _ => return Err(ZooKeeperConfigError::Scheme),
    };
    if rest.contains('?') {
        return Err(ZooKeeperConfigError::Trailing { part: "query (?)" });
    }
    if rest.contains('#') {
        return Err(ZooKeeperConfigError::Trailing { part: "fragment (#)" });
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let login = login.map(log_in).transpose()?;
    let folder = decode(path.trim_end_matches('/'), "path")?;
    let config = ZooKeeperConfig { folder, login, tls, ..ZooKeeperConfig::new(hosts.split(','))? };
    match config.validate() {
        // Named elsewhere, where it is a file of its own.
        Err(ZooKeeperConfigError::TlsWithoutCa) | Ok(()) => Ok(config),
        Err(error) => Err(error),
    }
}

fn log_in(text: &str) -> Result<Login, ZooKeeperConfigError> {
    let (user, password) = text.split_once(':').ok_or(ZooKeeperConfigError::Login)?;
    Ok(Login { user: decode(user, "user")?, password: decode(password, "password")? })
}

fn decode(text: &str, part: &'static str) -> Result<String, ZooKeeperConfigError> {
    let wrong = || ZooKeeperConfigError::Encoding { part };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
            u8::try_from(high * 16 + low).map_err(|_| wrong())?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control)).ok_or_else(wrong)
}

/// Each as `host:port`, in lower case.
pub(super) fn members<I: IntoIterator<Item: AsRef<str>>>(
    members: I,
) -> Result<Vec<String>, ZooKeeperConfigError> {
    let mut all: Vec<String> = Vec::new();
    for (index, text) in members.into_iter().enumerate() {
        let wrong = |reason| ZooKeeperConfigError::Member { position: index + 1, reason };
        let member = member(text.as_ref()).map_err(wrong)?;
        if all.contains(&member) {
            return Err(wrong("it is named twice"));
        }
        all.push(member);
    }
    match all.as_slice() {
        [] => Err(ZooKeeperConfigError::MissingHost),
        _ => Ok(all),
    }
}

fn member(text: &str) -> Result<String, &'static str> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
        let host: Ipv6Addr = host.parse().map_err(|_| "no IPv6 address in the brackets")?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or("something follows the bracket")?),
        };
        (format!("[{host}]"), port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() {
            return Err("the host is missing");
        }
        if !host.chars().all(is_name) {
            return Err("the host has a character that no host name has");
        }
        (host.to_ascii_lowercase(), port)
    };
    let port = match port {
        None => ZooKeeperConfig::DEFAULT_PORT,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|&port| port != 0).ok_or("the port is out of range")?
        }
        Some(_) => return Err("the port is no number"),
    };
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        let plain = parse("zookeeper://ZK1,10.0.0.2:7,[0:0::1]").unwrap();
        assert_eq!(plain, ZooKeeperConfig::new(["zk1:2181", "10.0.0.2:7", "[::1]:2181"]).unwrap());
        assert_eq!(plain.address(), "zk1:2181,10.0.0.2:7,[::1]:2181");
        let full = parse("zookeepers://u%40b:p%2F%3A@h/a/b/").unwrap();
        assert_eq!(full.address(), "h:2181/a/b");
        assert!(full.login == Some(Login { user: "u@b".into(), password: "p/:".into() }));
        assert!(full.tls.is_some());
    }

    #[test]
    fn each_mistake_has_an_error_of_its_own() {
        use ZooKeeperConfigError::{Encoding, Login, Member, Path, Scheme, Trailing};
        let member = |position, reason| Member { position, reason };
        for (url, error) in [
            ("h:2181", Scheme),
            ("http://h", Scheme),
            ("zookeeper://", member(1, "the host is missing")),
            ("zookeeper://a,", member(2, "the host is missing")),
            ("zookeeper://a,a:2181", member(2, "it is named twice")),
            ("zookeeper://a:0", member(1, "the port is out of range")),
            ("zookeeper://a:+1", member(1, "the port is no number")),
            ("zookeeper://::1", member(1, "the host is missing")),
            ("zookeeper://a b", member(1, "the host has a character that no host name has")),
            ("zookeeper://u@h", Login),
            ("zookeeper://u:@h", Login),
            ("zookeeper://u%3A:p@h", Login),
            ("zookeeper://u:%ff@h", Encoding { part: "password" }),
            ("zookeeper://h/a//b", Path { part: "path" }),
            ("zookeeper://h?x", Trailing { part: "query (?)" }),
        ] {
            assert_eq!(parse(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn no_error_and_no_debug_output_repeats_a_password() {
        for url in [
            "zookeeper://u:hunter2@",
            "zookeeper://u:hunter2/x@h",
            "zookeeper://u:hunter2%zz@h",
            "zookeeper://hunter2:x@h:port",
            "zookeeper://u:x#hunter2@h",
            "hunter2:x@h",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(!format!("{:?}", parse("zookeeper://u:hunter2@h").unwrap()).contains("hunter2"));
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused() {
        let config = || ZooKeeperConfig::new(["h"]).unwrap();
        assert_eq!(config().validate(), Ok(()));
        assert!(config().session_timeout(std::time::Duration::MAX).validate().is_err());
        assert!(config().touch_delay(std::time::Duration::ZERO).validate().is_err());
        assert_eq!(config().prefix("a//b").validate(), Err(ZooKeeperConfigError::Path { part: "prefix" }));
        assert_eq!(config().prefix("").validate(), Ok(()));
        assert_eq!(config().login("a:b", "c").validate(), Err(ZooKeeperConfigError::Login));
    }
}
