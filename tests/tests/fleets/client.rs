//! A client of one node, with the user and password of the fleet's configuration.

use std::net::TcpStream;
use std::time::Duration;

use redlock_tests::fleet::{Fleet, ask};
use redlock_tests::support::LIMIT;

/// A key that clients may write.
pub(crate) const KEY: &str = "redlock:a";

/// How a fleet's clients reach its nodes.
pub(crate) fn urls(fleet: &dyn Fleet) -> Vec<String> {
    let text = fleet.config(&fleet.addresses());
    let table: toml::Table = text.parse().unwrap();
    let nodes = table["lock"]["redlock"]["nodes"].as_array().unwrap();
    nodes.iter().map(|url| url.as_str().unwrap().to_owned()).collect()
}

/// The answer as text; none for nil.
pub(crate) fn get(fleet: &dyn Fleet, node: usize, command: &[&str]) -> Option<String> {
    ask(&urls(fleet)[node], command, LIMIT).unwrap().into_string()
}

pub(crate) fn set(fleet: &dyn Fleet, node: usize, key: &str, value: &str) {
    assert_eq!(get(fleet, node, &["SET", key, value]).as_deref(), Some("OK"));
}

pub(crate) fn value(fleet: &dyn Fleet, node: usize) -> Option<String> {
    get(fleet, node, &["GET", KEY])
}

/// What INFO says of the server's process.
pub(crate) fn info(fleet: &dyn Fleet, node: usize, name: &str) -> String {
    let info = get(fleet, node, &["INFO"]).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().to_owned()
}

/// Whether the node answers within a moment.
pub(crate) fn answers(fleet: &dyn Fleet, node: usize) -> bool {
    ask(&urls(fleet)[node], &["TIME"], Duration::from_millis(500)).is_ok()
}

pub(crate) fn connects(address: &str) -> bool {
    TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(5)).is_ok()
}
