//! Preflight on real servers that are set up wrongly, one thing at a time.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod access;
mod build;
mod durability;
mod fleet;
mod look;
mod memory;
mod place;

use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::preflight::{Finding, FindingKind, Report, Severity};
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{BuildError, Locks, LocksBuilder};

/// Locks on these servers, with patience: a machine that is busy with other tests is slow.
fn builder(urls: impl IntoIterator<Item = String>) -> LocksBuilder {
    Locks::builder()
        .restart_guard(false)
        .nodes(urls)
        .ttl(Duration::from_secs(60))
        .node_timeout(Duration::from_secs(20))
}

/// Servers on which preflight finds nothing wrong.
fn good_fleet(nodes: usize) -> RedisFleet {
    RedisFleet::start_with(nodes, &RedisServer::options().persistent()).unwrap()
}

#[track_caller]
fn build(urls: impl IntoIterator<Item = String>) -> Locks {
    block_on(builder(urls).build()).unwrap()
}

/// Why a build is refused.
#[track_caller]
fn refused(builder: LocksBuilder) -> (Vec<Finding>, String) {
    let error = block_on(builder.build()).unwrap_err();
    let text = error.to_string();
    let BuildError::Preflight { findings } = error else { panic!("{error:?}") };
    (findings, text)
}

/// What is found on one server by locks that are built on it alone.
#[track_caller]
fn look_at(server: &RedisServer) -> Report {
    look_at_url(server.admin_url())
}

#[track_caller]
fn look_at_url(url: String) -> Report {
    block_on(build([url]).preflight())
}

/// The only finding that `wanted` wants; its severity must be this one.
#[track_caller]
fn only(report: &Report, severity: Severity, wanted: impl Fn(&FindingKind) -> bool) -> Finding {
    let found: Vec<&Finding> = report.findings().iter().filter(|finding| wanted(&finding.kind)).collect();
    let [finding] = found.as_slice() else { panic!("{} such findings in\n{report}", found.len()) };
    assert_eq!(finding.severity(), severity, "{finding}");
    (*finding).clone()
}

#[track_caller]
fn none(report: &Report, unwanted: impl Fn(&FindingKind) -> bool) {
    let found = report.findings().iter().find(|finding| unwanted(&finding.kind));
    assert!(found.is_none(), "{found:?} in\n{report}");
}

/// What could not be read, each with the node's words.
fn unreadable(report: &Report) -> Vec<(Vec<String>, String)> {
    let unread = report.findings().iter().filter_map(|finding| match &finding.kind {
        FindingKind::Unreadable { what, reason } => Some((what.clone(), reason.clone())),
        _ => None,
    });
    unread.collect()
}

fn set(server: &RedisServer, name: &str, value: &str) {
    server.command(&["CONFIG", "SET", name, value]).unwrap();
}

/// An ACL user with the documented rights and these besides.
fn user(server: &RedisServer, name: &str, password: &str, more: &[&str]) -> String {
    let password_rule = format!(">{password}");
    let mut rule = vec!["ACL", "SETUSER", name, "reset", "on", &password_rule];
    let rights = RedisConfig::new("127.0.0.1").acl_rule();
    rule.extend(rights.split(' '));
    rule.extend(more);
    server.command(&rule).unwrap();
    format!("redis://{name}:{password}@{}", server.address())
}
