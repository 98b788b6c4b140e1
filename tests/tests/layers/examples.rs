//! Shows of each rule that it catches what breaks it, and nothing else.

use crate::RULES;
use crate::source::Source;

/// For each rule: a module and code in it that breaks the rule.
const BREAKS: &[(&str, &str, &str)] = &[
    ("pure core", "crate::quorum", "use crate::node::Node;"),
    ("pure core", "crate::quorum::round", "fn f() { crate::env::jitter(); }"),
    ("pure core", "crate::quorum::round", "use super::super::env;"),
    ("pure core", "crate::quorum::round", "use crate::Lock;"),
    ("pure core", "crate::quorum::round", "use std::thread;"),
    ("pure core", "crate::quorum::round", "use std::{fmt, net::TcpStream};"),
    ("pure core", "crate::quorum::round", "fn f() { std::env::var(\"A\"); }"),
    ("pure core", "crate::quorum::round", "fn f() { assert!(rand::random()); }"),
    ("pure core", "crate::quorum::round", "use std::time; fn f() { time::Instant::now(); }"),
    ("pure core", "crate::quorum::round", "use std::time::*;"),
    ("pure core", "crate::quorum::round", "use std::time::{Duration, SystemTime as Wall};"),
    ("pure core", "crate::quorum::round", "use crate::id::Instant; fn f() { Instant::now(); }"),
    ("pure core", "crate::quorum::round", "use crate::id::Instant; fn f() { assert!(Instant::now() > a); }"),
    ("pure core", "crate::quorum::round", "use crate::Instant; fn f() { Instant::now(); }"),
    ("pure core", "crate::quorum::round", "async fn f() {}"),
    ("pure core", "crate::quorum::round", "fn f() { g(async {}); }"),
    ("pure core", "crate::quorum::round", "fn f() { vec![g().await]; }"),
    ("pure core", "crate::quorum::round", "mod inner { use tokio::sync::oneshot; }"),
    ("pure core", "crate::quorum::round", "impl futures::Stream for A {}"),
    ("names alone", "crate::id", "use crate::quorum::Quorum;"),
    ("names alone", "crate::id::name", "use super::super::settings;"),
    ("names alone", "crate::id", "fn f(a: crate::Lock) {}"),
    ("backends alone", "crate::backend::redis", "use crate::backend::memory::Memory;"),
    ("backends alone", "crate::backend::redis", "use super::memory;"),
    ("backends alone", "crate::backend::redis::script", "use super::super::memory;"),
    ("backends alone", "crate::backend::redis", "use super::*;"),
    ("backends alone", "crate::backend::memory", "use crate::quorum::Quorum;"),
    ("backends alone", "crate::backend::memory", "use crate::Quorum;"),
    ("backends alone", "crate::backend::etcd", "fn f() { crate::config::load(); }"),
    ("backends alone", "crate::backend::etcd", "use crate::*;"),
    ("driver", "crate::driver", "use crate::backend::redis::Redis;"),
    ("driver", "crate::driver::round", "fn f() { crate::config::load(); }"),
    ("telemetry", "crate::telemetry::events", "use crate::driver::Driver;"),
    ("telemetry", "crate::telemetry", "fn f(a: &crate::lease::Lease) {}"),
    ("said in one place", "crate::lease", "fn f() { tracing::warn!(\"lost\"); }"),
    ("said in one place", "crate::driver", "use tracing::debug;"),
    ("said in one place", "crate::backend::redis", "fn f() { metrics::counter!(\"a\").increment(1); }"),
    ("several backends", "crate::lock", "use crate::backend::{memory::Memory, redis::Redis};"),
    (
        "several backends",
        "crate::guard",
        "fn f(a: crate::backend::redis::R) { crate::backend::memory::f(); }",
    ),
    ("several backends", "crate::settings", "use crate::backend::*;"),
    ("outside world", "crate::driver", "fn f() { tokio::spawn(g()); }"),
    ("outside world", "crate::lock", "use tokio::{sync::mpsc, time};"),
    ("outside world", "crate::lock", "use std::thread; fn f() { thread::sleep(d); }"),
    ("outside world", "crate::renewal", "use std::time::{Duration, Instant};"),
    ("outside world", "crate::guard", "fn f() -> std::time::SystemTime { a }"),
    ("outside world", "crate::queue", "fn f() { tokio::select! { _ = tokio::time::sleep(a) => {} } }"),
    ("outside world", "crate::quorum", "use rand::Rng as _;"),
    ("outside world", "crate::backend::redis", "use crate::id::{Instant as Now}; fn f() { Now::now(); }"),
    ("outside world", "crate::backend::redis", "use tokio as t; fn f() { t::spawn(g()); }"),
    ("election", "crate::election", "use crate::driver::Driver;"),
    ("election", "crate::election::candidate", "use super::super::quorum::Round;"),
    ("election", "crate::election", "use crate::*;"),
    ("back doors", "crate::lock", "#[doc(hidden)] pub fn f() {}"),
    ("back doors", "cli::main", "#[path = \"../../redlock/src/driver.rs\"] mod driver;"),
    ("back doors", "tests::oracle", "include!(\"../../redlock/src/driver.rs\");"),
    ("unsafe", "crate::env::clock", "fn f() { unsafe { g() } }"),
    ("unsafe", "cli::main", "fn f() { vec![unsafe { g() }]; }"),
    ("unsafe", "tests::fork", "#[cfg(test)] mod tests { unsafe fn f() {} }"),
];

/// Code that breaks no rule at all, although it looks like it here and there.
const KEEPS: &[(&str, &str)] = &[
    ("crate::quorum", "mod round; pub use round::Round; use core::fmt; use std::time::Duration;"),
    ("crate::quorum::round", "use super::Quorum; use crate::id::{Instant, Ttl}; use crate::Ttl as T;"),
    (
        "crate::quorum::round",
        "// tokio::spawn, async fn\nfn f() { g(\"std::thread::spawn .await unsafe\"); }",
    ),
    (
        "crate::quorum::round",
        "fn f() { u64::try_from(a.time).unwrap_or(u64::MAX); Vote::Granted; self::g(); }",
    ),
    ("crate::quorum::round", "#[cfg(test)] mod tests { use std::time::Instant; async fn f() {} }"),
    ("crate::quorum", "#[cfg(test)] mod properties;"),
    ("crate::quorum", "#[derive(Debug, thiserror::Error)] pub struct InvalidQuorum;"),
    (
        "crate::backend::redis",
        "mod script; use script::Script; use super::redis::script; use fred::prelude::*;",
    ),
    ("crate::backend::redis::script", "use super::super::redis::Redis; use super::*; use crate::node::Node;"),
    ("crate::backend", "pub mod memory; pub mod redis; pub use memory::Memory; pub use redis::Redis;"),
    ("crate::config::build", "use crate::backend::{memory::Memory, redis::Redis};"),
    ("crate::builder", "use crate::backend::{memory::Memory, redis::Redis};"),
    ("crate::driver", "use tokio::sync::mpsc; async fn f() { env.spawn(g()); rand.await; }"),
    ("crate::env::real", "use std::time::Instant; fn f() { std::thread::spawn(g); tokio::time::sleep(a); }"),
    ("crate::telemetry::events", "use tracing::warn; use super::target; use crate::error::LostReason;"),
    ("crate::backend::redis", "use crate::telemetry; fn f(a: telemetry::Link) { a.metrics.up(); }"),
    ("crate::testing::servers", "fn f() { std::thread::sleep(a); }"),
    (
        "crate::election",
        "use crate::{Ttl, node::Node}; use super::Quorum; use std::fmt; mod candidate; use candidate::C; \
         use crate::telemetry::events;",
    ),
];

#[test]
fn every_rule_catches_what_breaks_it() {
    for rule in RULES {
        let mut examples = BREAKS.iter().filter(|(name, ..)| *name == rule.name).peekable();
        assert!(examples.peek().is_some(), "no example breaks: {}", rule.name);
        for (_, module, code) in examples {
            assert!(
                !rule.violations(&example(module, code)).is_empty(),
                "{}: not caught in {module}: {code}",
                rule.name
            );
        }
    }
    assert!(BREAKS.iter().all(|(name, ..)| RULES.iter().any(|rule| rule.name == *name)));
}

#[test]
fn no_rule_catches_what_breaks_none() {
    for &(module, code) in KEEPS {
        let sources = example(module, code);
        let found: Vec<String> = RULES.iter().flat_map(|rule| rule.violations(&sources)).collect();
        assert!(found.is_empty(), "caught in {module}: {code}\n{}", found.join("\n"));
    }
}

/// A crate of two files: its root, and the module in question.
fn example(module: &str, code: &str) -> Vec<Source> {
    let root = "mod id; mod lock; pub mod node; mod quorum; pub use id::{Instant, Ttl}; pub use lock::Lock; \
                pub use quorum::Quorum;";
    vec![Source::parse("crate", root).unwrap(), Source::parse(module, code).unwrap()]
}
