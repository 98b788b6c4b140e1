//! What a server is among others: master, replica, member of a Cluster; its connections.

use futures::executor::block_on;
use redlock::node::NodeErrorKind;
use redlock::preflight::{FindingKind, Severity};
use redlock::testing::servers::RedisServer;
use redlock_tests::support::eventually;

use crate::{build, builder, good_fleet, look_at, none, only, refused, set};

#[test]
fn a_master_by_itself_is_good_and_its_version_is_told() {
    let server = RedisServer::start().unwrap();
    let report = look_at(&server);
    only(&report, Severity::Good, |kind| matches!(kind, FindingKind::IndependentMaster));
    let info = server.command(&["INFO", "server"]).unwrap();
    only(
        &report,
        Severity::Good,
        |kind| matches!(kind, FindingKind::Version { version } if info.text().unwrap().contains(&format!("redis_version:{version}\r"))),
    );
    none(&report, |kind| matches!(kind, FindingKind::HasReplicas { .. } | FindingKind::ClosesIdle { .. }));
}

#[test]
fn a_master_with_replicas_is_a_warning() {
    let master = RedisServer::start().unwrap();
    let _replica = replica_of(&master);
    eventually("the replica is connected", || {
        let info = master.command(&["INFO", "replication"]).unwrap();
        info.text().unwrap().contains("connected_slaves:1")
    });
    let finding = only(&look_at(&master), Severity::Warning, |kind| {
        matches!(kind, FindingKind::HasReplicas { count: 1 })
    });
    assert!(finding.to_string().contains("promoted"), "{finding}");
}

#[test]
fn a_replica_among_masters_refuses_the_build_and_names_its_master() {
    let fleet = good_fleet(2);
    let replica = replica_of(fleet.server(0));
    let urls = fleet.admin_urls().into_iter().chain([replica.admin_url()]);
    let (findings, text) = refused(builder(urls));
    let [finding] = findings.as_slice() else { panic!("{text}") };
    assert_eq!(finding.node.as_deref(), Some(&*replica.address()));
    let FindingKind::Unusable { error } = &finding.kind else { panic!("{text}") };
    assert_eq!(error.kind, NodeErrorKind::ReadOnly);
    assert!(text.contains(&format!("replica of {}", fleet.server(0).address())), "{text}");
}

#[test]
fn a_node_that_becomes_a_replica_later_is_found_by_the_next_preflight() {
    let fleet = good_fleet(3);
    let locks = build(fleet.admin_urls());
    let port = fleet.server(0).port().to_string();
    fleet.server(2).command(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    let report = block_on(locks.preflight());
    let finding = only(&report, Severity::Error, |kind| matches!(kind, FindingKind::Unusable { .. }));
    assert_eq!(finding.node.as_deref(), Some(&*fleet.server(2).address()));
}

fn replica_of(master: &RedisServer) -> RedisServer {
    let port = master.port().to_string();
    RedisServer::options().args(["--replicaof", "127.0.0.1", &port]).start().unwrap()
}

#[test]
fn a_member_of_a_cluster_is_refused() {
    let fleet = good_fleet(2);
    let member = RedisServer::options().persistent().arg("--cluster-enabled", "yes").start().unwrap();
    let (findings, text) = refused(builder(fleet.admin_urls().into_iter().chain([member.admin_url()])));
    assert!(
        matches!(findings[..], [ref finding] if matches!(finding.kind, FindingKind::ClusterMember)),
        "{text}"
    );
    assert!(text.contains("cluster-enabled no"), "{text}");
}

#[test]
fn a_server_that_closes_idle_connections_is_noted() {
    let server = RedisServer::start().unwrap();
    set(&server, "timeout", "300");
    only(
        &look_at(&server),
        Severity::Note,
        |kind| matches!(kind, FindingKind::ClosesIdle { after } if after.as_secs() == 300),
    );
}

#[test]
fn a_server_with_hardly_a_connection_left_is_a_warning() {
    let server = RedisServer::start().unwrap();
    let locks = build([server.admin_url()]);
    let full = |kind: &FindingKind| matches!(kind, FindingKind::ClientsNearlyFull { .. });
    set(&server, "maxclients", "100");
    none(&block_on(locks.preflight()), full);
    set(&server, "maxclients", "1");
    only(&block_on(locks.preflight()), Severity::Warning, full);
}
