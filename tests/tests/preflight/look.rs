//! A report as a person reads it, and what it must not contain.

use futures::executor::block_on;
use redlock::preflight::Severity;
use redlock::testing::servers::RedisServer;

use crate::{build, builder, good_fleet, refused, set, user};

#[test]
fn a_report_has_the_worst_first_and_says_what_to_do() {
    let fleet = good_fleet(3);
    let [first, second, third] = [0, 1, 2].map(|index| fleet.server(index));
    let locks = build(fleet.admin_urls());
    set(first, "maxmemory-policy", "volatile-lru");
    set(first, "maxmemory", "100mb");
    set(second, "appendfsync", "everysec");
    set(third, "appendfsync", "everysec");
    set(third, "timeout", "300");
    let report = block_on(locks.preflight());
    assert_eq!(report.worst(), Severity::Error);
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "preflight of 3 nodes, 2 must grant: 1 error, 1 warning");
    assert_eq!(lines[2], format!("error    {}", first.address()));
    assert_eq!(
        lines[3].trim(),
        "evicts locks when its memory is full (maxmemory-policy volatile-lru, maxmemory 100.0 MiB)"
    );
    assert_eq!(lines[4].trim(), "-> set maxmemory-policy to noeviction there");
    assert_eq!(lines[6], format!("warning  {}, {}", second.address(), third.address()));
    assert!(lines.iter().any(|line| line.starts_with(&format!("good     {}: ", second.address()))), "{text}");
    assert!(lines.iter().all(|line| line.trim_end() == *line && line.chars().count() <= 160), "{text}");
}

#[test]
fn nothing_that_is_printed_contains_a_password() {
    let server = RedisServer::options().arg("--requirepass", "of-the-server").start().unwrap();
    let url =
        user(&server, "locker", "of-the-user", &["+config|get", "+acl"]).replace("127.0.0.1", "0.0.0.0");
    let locks = build([url.clone()]);
    let report = block_on(locks.preflight());
    let (findings, error) = refused(builder([url.clone()]).strict(true));
    set(&server, "maxmemory-policy", "allkeys-lru");
    set(&server, "maxmemory", "1gb");
    let (evicts, other) = refused(builder([url]));
    server.command(&["ACL", "SETUSER", "locker", "-config|get", "-acl", "-pexpire"]).unwrap();
    let unread = block_on(locks.preflight());
    // What of it a server could print instead.
    let hash = server.command(&["ACL", "GETUSER", "locker"]).unwrap();
    let hash = format!("{hash:?}");
    let hash = hash.split('"').find(|word| word.len() == 64).unwrap();
    for text in [
        report.to_string(),
        format!("{report:?}"),
        unread.to_string(),
        format!("{unread:?}"),
        format!("{findings:?} {evicts:?}"),
        error,
        other,
    ] {
        for secret in ["of-the-server", "of-the-user", hash] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
