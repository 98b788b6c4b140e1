//! What a build does with what preflight finds.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use redlock::preflight::FindingKind;
use redlock::testing::servers::RedisServer;
use redlock::{BuildError, Locks, Protections};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{builder, good_fleet, refused, set};

/// Keeps what is logged as a warning on this thread.
#[derive(Default, Clone)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn of<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
        let warnings = Self::default();
        let result = tracing::subscriber::with_default(warnings.clone(), run);
        let logged = warnings.0.lock().unwrap().clone();
        (result, logged)
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

#[test]
fn a_warning_is_logged_once_with_all_nodes_that_it_is_about() {
    let fleet = good_fleet(3);
    set(fleet.server(0), "appendfsync", "no");
    set(fleet.server(2), "appendfsync", "no");
    let (built, warnings) = Warnings::of(|| block_on(builder(fleet.admin_urls()).build()));
    built.unwrap();
    let [warning] = warnings.as_slice() else { panic!("{warnings:#?}") };
    let nodes = format!("nodes=\"{}, {}\"", fleet.server(0).address(), fleet.server(2).address());
    assert!(warning.contains(&nodes) && warning.contains("appendfsync no"), "{warning}");
}

#[test]
fn nothing_is_logged_of_servers_that_are_as_they_should_be() {
    let fleet = good_fleet(3);
    let (built, warnings) = Warnings::of(|| block_on(builder(fleet.admin_urls()).build()));
    built.unwrap();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn strict_mode_refuses_what_is_only_logged_otherwise() {
    let server = RedisServer::start().unwrap();
    block_on(builder([server.admin_url()]).build()).unwrap();
    block_on(builder([server.admin_url()]).strict(true).strict(false).build()).unwrap();
    let (findings, text) = refused(builder([server.admin_url()]).strict(true));
    let kinds: Vec<&FindingKind> = findings.iter().map(|finding| &finding.kind).collect();
    assert!(matches!(kinds[..], [FindingKind::SingleNode, FindingKind::ForgetsOnRestart { .. }]), "{text}");
    assert!(text.starts_with("preflight: ") && text.contains(&server.address()), "{text}");
}

#[test]
fn what_is_the_same_on_several_nodes_is_said_once() {
    let fleet = good_fleet(3);
    for server in &fleet {
        set(server, "appendfsync", "no");
    }
    let (findings, text) = refused(builder(fleet.admin_urls()).strict(true));
    assert_eq!((findings.len(), text.matches("appendfsync no").count()), (3, 1), "{text}");
    assert!(fleet.iter().all(|server| text.contains(&server.address())), "{text}");
}

#[test]
fn nodes_that_do_not_answer_are_as_before_in_strict_mode_too() {
    let fleet = good_fleet(3);
    fleet.server(0).kill();
    block_on(builder(fleet.admin_urls()).build()).unwrap();
    block_on(builder(fleet.admin_urls()).strict(true).build()).unwrap();
    fleet.server(1).kill();
    let error = block_on(builder(fleet.admin_urls()).build()).unwrap_err();
    assert!(matches!(error, BuildError::NoQuorum { .. }), "{error}");
    for strict in [false, true] {
        let locks =
            block_on(builder(fleet.admin_urls()).strict(strict).start_without_quorum().build()).unwrap();
        assert!(block_on(locks.lock("a").try_acquire()).is_err());
    }
}

#[test]
fn nodes_that_answer_are_judged_also_where_there_is_no_quorum() {
    let fleet = good_fleet(3);
    fleet.server(0).kill();
    fleet.server(1).kill();
    set(fleet.server(2), "maxmemory-policy", "allkeys-lru");
    set(fleet.server(2), "maxmemory", "1gb");
    let (findings, text) = refused(builder(fleet.admin_urls()).start_without_quorum());
    assert!(
        matches!(findings[..], [ref finding] if matches!(finding.kind, FindingKind::Evicts { .. })),
        "{text}"
    );
}

#[test]
fn two_addresses_of_one_server_are_refused_by_their_own_error() {
    let server = RedisServer::start().unwrap();
    let urls = [server.admin_url(), format!("redis://localhost:{}", server.port())];
    let error = block_on(builder(urls).build()).unwrap_err();
    assert!(matches!(error, BuildError::SameServer { .. }), "{error}");
}

#[test]
fn without_preflight_a_lock_is_evicted_under_its_holder_and_given_to_another() {
    let server = RedisServer::start().unwrap();
    set(&server, "maxmemory-policy", "allkeys-random");
    set(&server, "maxmemory", "1gb");
    refused(builder([server.admin_url()]));
    let protections = Protections::without("preflight").unwrap();
    let build =
        || -> Locks { block_on(builder([server.admin_url()]).protections(protections).build()).unwrap() };
    let (one, other) = (build(), build());
    let guard = block_on(one.lock("a").try_acquire()).unwrap().unwrap();
    // Full: every key goes that can.
    set(&server, "maxmemory", "1");
    let _ = server.command(&["SET", "another", "key"]);
    set(&server, "maxmemory", "1gb");
    let second = block_on(other.lock("a").try_acquire()).unwrap();
    assert!(second.is_some() && guard.is_valid());
}
