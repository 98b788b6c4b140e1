//! Disk: what a restart costs, and whether the disk takes what is written.

use std::fs;

use futures::executor::block_on;
use redlock::preflight::{FindingKind, Persistence, Severity};
use redlock::testing::servers::RedisServer;
use redlock_tests::support::eventually;

use crate::{build, look_at, none, only, set, unreadable, user};

fn persistence(server: &RedisServer) -> Persistence {
    let report = look_at(server);
    none(&report, |kind| matches!(kind, FindingKind::Durable));
    let finding =
        only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::ForgetsOnRestart { .. }));
    assert!(finding.advice().unwrap().contains("maxExpiration"), "{finding}");
    let FindingKind::ForgetsOnRestart { persistence } = finding.kind else { panic!("{finding}") };
    persistence
}

#[test]
fn a_server_that_does_not_have_every_write_on_disk_is_a_warning_that_says_what_it_keeps() {
    let server = RedisServer::start().unwrap();
    assert_eq!(persistence(&server), Persistence::Nothing);
    set(&server, "save", "3600 1 300 100");
    assert_eq!(persistence(&server), Persistence::Snapshots);
    set(&server, "appendonly", "yes");
    for fsync in ["everysec", "no"] {
        set(&server, "appendfsync", fsync);
        assert_eq!(persistence(&server), Persistence::AppendOnly { fsync: fsync.to_owned() });
    }
    set(&server, "appendfsync", "always");
    let report = look_at(&server);
    only(&report, Severity::Good, |kind| matches!(kind, FindingKind::Durable));
    none(&report, |kind| matches!(kind, FindingKind::ForgetsOnRestart { .. }));
}

#[test]
fn a_server_whose_snapshot_failed_takes_no_locks_and_that_is_a_warning() {
    let server = RedisServer::start().unwrap();
    let locks = build([server.admin_url()]);
    let reader = user(&server, "reader", "pw", &[]);
    let disk_fails = |kind: &FindingKind| matches!(kind, FindingKind::DiskFails { file: "snapshot" });
    fs::remove_dir_all(server.directory()).unwrap();
    let _ = server.command(&["BGSAVE"]);
    eventually("the snapshot has failed", || {
        server
            .command(&["INFO", "persistence"])
            .unwrap()
            .text()
            .unwrap()
            .contains("rdb_last_bgsave_status:err")
    });
    // It stops only where snapshots are wanted.
    assert!(block_on(locks.lock("a").try_acquire()).is_ok());
    none(&block_on(locks.preflight()), disk_fails);

    set(&server, "save", "3600 1");
    only(&block_on(locks.preflight()), Severity::Warning, disk_fails);
    assert!(block_on(locks.lock("b").try_acquire()).is_err());

    set(&server, "stop-writes-on-bgsave-error", "no");
    none(&block_on(locks.preflight()), disk_fails);
    assert!(block_on(locks.lock("b").try_acquire()).is_ok());

    // Where it cannot be read whether it stops, it is not said that it does.
    let report = block_on(build([reader]).preflight());
    none(&report, disk_fails);
    assert!(
        unreadable(&report).iter().any(|(what, _)| what.iter().any(|what| what.contains("snapshot failed")))
    );
}
