//! Memory: what a server does when it is full, and how near that is.

use futures::executor::block_on;
use redlock::preflight::{FindingKind, Severity};
use redlock::testing::servers::RedisServer;

use crate::{build, builder, good_fleet, look_at, none, only, refused, set};

const EVICTING: [&str; 7] = [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
];

#[test]
fn a_server_that_evicts_is_refused_whatever_its_policy() {
    let fleet = good_fleet(3);
    let server = fleet.server(1);
    set(server, "maxmemory", "100mb");
    for policy in EVICTING {
        set(server, "maxmemory-policy", policy);
        let (findings, text) = refused(builder(fleet.admin_urls()));
        assert_eq!(findings.len(), 1, "{text}");
        assert_eq!(findings[0].node.as_deref(), Some(&*server.address()));
        assert!(
            matches!(&findings[0].kind, FindingKind::Evicts { policy: found, maxmemory: 104_857_600 } if found == policy),
            "{text}"
        );
        assert!(text.contains(&server.address()) && text.contains(policy), "{text}");
        assert!(text.contains("set maxmemory-policy to noeviction"), "{text}");
    }
}

#[test]
fn without_a_memory_limit_a_policy_that_evicts_is_a_warning() {
    let fleet = good_fleet(3);
    set(fleet.server(0), "maxmemory-policy", "allkeys-lru");
    let report = block_on(build(fleet.admin_urls()).preflight());
    let finding =
        only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::Evicts { maxmemory: 0, .. }));
    assert_eq!(finding.node.as_deref(), Some(&*fleet.server(0).address()));
    let (findings, _) = refused(builder(fleet.admin_urls()).strict(true));
    assert!(
        matches!(findings[..], [ref finding] if matches!(finding.kind, FindingKind::Evicts { .. })),
        "{findings:?}"
    );
}

#[test]
fn policies_that_differ_are_noted() {
    let fleet = good_fleet(3);
    none(&block_on(build(fleet.admin_urls()).preflight()), |kind| {
        matches!(kind, FindingKind::PoliciesDiffer { .. })
    });
    set(fleet.server(2), "maxmemory-policy", "volatile-ttl");
    let report = block_on(build(fleet.admin_urls()).preflight());
    let finding = only(&report, Severity::Note, |kind| matches!(kind, FindingKind::PoliciesDiffer { .. }));
    assert_eq!(finding.node, None);
    assert!(
        finding.to_string().contains(&format!("{} has volatile-ttl", fleet.server(2).address())),
        "{finding}"
    );
}

#[test]
fn a_memory_that_is_nearly_full_is_a_warning_and_one_that_is_not_is_not() {
    let server = RedisServer::start().unwrap();
    let nearly_full = |kind: &FindingKind| matches!(kind, FindingKind::MemoryNearlyFull { .. });
    let used = || -> u64 {
        let info = server.command(&["INFO", "memory"]).unwrap();
        let line = info.text().unwrap().lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        line.trim().parse().unwrap()
    };
    let locks = build([server.admin_url()]);
    set(&server, "maxmemory", &(used() * 2).to_string());
    none(&block_on(locks.preflight()), nearly_full);
    // Full, whatever else takes or gives a little memory.
    set(&server, "maxmemory", &(used() / 2).to_string());
    let report = block_on(locks.preflight());
    let finding = only(&report, Severity::Warning, nearly_full);
    let FindingKind::MemoryNearlyFull { used, maxmemory } = finding.kind else { panic!("{finding}") };
    assert!(used > maxmemory);
    assert!(block_on(locks.lock("a").try_acquire()).is_err(), "it takes no locks");
}

#[test]
fn a_server_that_evicts_nothing_is_good() {
    let server = RedisServer::start().unwrap();
    set(&server, "maxmemory", "100mb");
    only(&look_at(&server), Severity::Good, |kind| matches!(kind, FindingKind::NeverEvicts));
}
