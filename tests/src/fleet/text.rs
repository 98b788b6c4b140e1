//! What every kind of fleet reads and writes as text.

use redlock::testing::servers::ServerError;

use super::{Fleet, FleetError};

/// What the library's own keys begin with, and those among them that are locks.
const LEAD: &str = "#redlock:";
const ESCAPED: &str = "#redlock:esc:";

/// The configuration of clients that reach the nodes by these URLs. [`Fleet::config`] says how it ends.
pub(super) fn config(urls: &[String], prefix: &str) -> String {
    table("redlock", "nodes", urls, prefix)
}

/// The configuration of clients that find a store by what stands under this key of its table.
pub(super) fn table(store: &str, key: &str, value: impl Into<serde_json::Value>, prefix: &str) -> String {
    // JSON quotes as TOML does.
    let (value, prefix) = (value.into(), serde_json::Value::from(prefix));
    format!("[lock]\ndefault = \"{store}\"\n\n[lock.{store}]\n{key} = {value}\nprefix = {prefix}\n")
}

/// The node at this URL, reached at another address.
pub(super) fn redirected(url: &str, reached_at: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let login = authority.rsplit_once('@').map_or(String::new(), |(login, _)| format!("{login}@"));
    format!("{scheme}://{login}{reached_at}{path}")
}

/// Whether this is the key of a lock under this prefix.
pub(super) fn is_lock_key(key: &str, prefix: &str) -> bool {
    let plain = match key.strip_prefix(ESCAPED) {
        None if key.starts_with(LEAD) => return false,
        None => key,
        Some(plain) => plain,
    };
    prefix.is_empty() || plain.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(':'))
}

/// The program and its version, in words of INFO.
pub(super) fn program(info: &str) -> String {
    match (field(info, "valkey_version"), field(info, "redis_version")) {
        (Some(version), _) => format!("valkey {version}"),
        (None, Some(version)) => format!("redis {version}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// What INFO says under this name.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// A node by its number, from 0.
pub(super) fn pick<'a, T>(fleet: &dyn Fleet, nodes: &'a [T], node: usize) -> Result<&'a T, FleetError> {
    nodes.get(node).ok_or_else(|| FleetError::Failed {
        node: format!("node {node}"),
        detail: format!("there is none; this fleet of kind `{}` has {}, from 0", fleet.kind(), nodes.len()),
    })
}

/// Text in which a percent sign and two hexadecimal digits stand for a byte.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, decoded) {
            (b'%', Some(byte)) => (bytes.push(byte), rest = &behind[2..]),
            _ => (bytes.push(first), rest = behind),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a node cannot be started without its files.
pub(super) const RUNS: &str = "it is running; kill it first";

/// What went wrong with a server.
pub(super) fn failed(node: &str, error: ServerError) -> FleetError {
    match error {
        ServerError::NotRunning { .. } => not_done(node, "it is not running; start it first"),
        error => not_done(node, &error.to_string()),
    }
}

/// What was tried, and failed.
pub(super) fn not_done(node: &str, detail: &str) -> FleetError {
    FleetError::Failed { node: node.to_owned(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_keys_are_those_under_the_prefix_without_the_library_s_own() {
        for (key, prefix, expected) in [
            ("redlock:a", "redlock", true),
            ("redlock2:a", "redlock", false),
            ("a", "redlock", false),
            ("a", "", true),
            ("#redlock:marker", "", false),
            ("#redlock:aux:{redlock:a}", "redlock", false),
            ("#redlock:esc:#redlock:marker", "#redlock", true),
            ("#redlock:esc:#redlock:marker", "", true),
        ] {
            assert_eq!(is_lock_key(key, prefix), expected, "{key} under {prefix:?}");
        }
    }

    #[test]
    fn more_keys_can_be_written_behind_the_configuration() {
        let urls = [1, 2, 3].map(|port| format!("redis://locker:secret@127.0.0.1:{port}"));
        let text = config(&urls, "with \"quotes\"") + "expiration = \"2s\"\n";
        let table: toml::Table = text.parse().unwrap();
        let redlock = table["lock"]["redlock"].as_table().unwrap();
        assert_eq!(redlock["nodes"].as_array().unwrap().len(), 3);
        assert_eq!(redlock["prefix"].as_str(), Some("with \"quotes\""));
        assert_eq!(redlock["expiration"].as_str(), Some("2s"));
    }

    #[test]
    fn a_url_keeps_all_but_its_address() {
        for (url, expected) in [
            ("redis://h", "redis://p:1"),
            ("redis://h:6379/3", "redis://p:1/3"),
            ("redis://user:a%40b@h:6379/3", "redis://user:a%40b@p:1/3"),
            ("redis://:x@[::1]:6379", "redis://:x@p:1"),
        ] {
            assert_eq!(redirected(url, "p:1"), expected);
        }
    }

    #[test]
    fn what_is_percent_encoded_is_decoded_and_all_else_stays() {
        for (text, expected) in [("a%3Ab%25", "a:b%"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("", "")] {
            assert_eq!(percent_decoded(text), expected);
        }
    }

    #[test]
    fn a_valkey_is_not_taken_for_the_redis_that_it_claims_to_be() {
        assert_eq!(program("redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"), "valkey 8.0.1");
        assert_eq!(program("# Server\r\nredis_version:7.0.15\r\n"), "redis 7.0.15");
        assert_eq!(program(""), "unknown");
    }
}
