//! Who gets in, what we may do, and what is not known because we may not read it.

use std::fs;

use futures::executor::block_on;
use rcgen::{CertificateParams, KeyPair};
use redlock::backend::redis::{RedisConfig, TlsFiles};
use redlock::preflight::{FindingKind, Severity};
use redlock::testing::servers::{RedisFleet, RedisServer, TlsFiles as ServerFiles};
use tempfile::TempDir;

use crate::{build, builder, good_fleet, look_at, look_at_url, none, only, refused, unreadable, user};

/// An address of this machine that is not known to be one: all but the way to the server is as over a network.
fn as_if_remote(url: &str) -> String {
    url.replace("127.0.0.1", "0.0.0.0")
}

fn urls(fleet: &RedisFleet, user: impl Fn(&RedisServer) -> String) -> Vec<String> {
    fleet.iter().map(user).collect()
}

#[test]
fn what_the_documented_rights_do_not_let_us_read_is_unknown_and_never_good() {
    let fleet = good_fleet(3);
    let urls = urls(&fleet, |server| user(server, "locker", "pw", &[]));
    // In strict mode too: unknown is no warning.
    let locks = block_on(builder(urls).strict(true).build()).unwrap();
    let report = block_on(locks.preflight());
    assert_eq!(report.worst(), Severity::Unknown, "{report}");
    none(&report, |kind| matches!(kind, FindingKind::Durable | FindingKind::Permitted));
    for node in locks.nodes() {
        let of_node =
            report.of(Severity::Unknown).filter(|found| found.node.as_deref() == Some(node.address()));
        let texts: Vec<String> = of_node.map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2, "{report}");
        assert!(
            texts.iter().any(|text| text.contains("appendfsync, timeout") && text.contains("config|get"))
        );
        assert!(
            texts.iter().any(|text| text.contains("what user locker may do") && text.contains("acl|dryrun"))
        );
    }
    // What INFO says is known all the same.
    assert_eq!(
        report.of(Severity::Good).filter(|found| matches!(found.kind, FindingKind::NeverEvicts)).count(),
        3
    );
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_some());
}

#[test]
fn what_a_server_has_no_command_for_is_unknown() {
    // As managed services have it.
    let options = RedisServer::options().persistent();
    let options = ["CONFIG", "ACL"]
        .into_iter()
        .fold(options, |options, command| options.args(["--rename-command", command, ""]));
    let report = look_at(&options.start().unwrap());
    let unread = unreadable(&report);
    let [config, acl] = unread.as_slice() else { panic!("{report}") };
    assert_eq!((config.0.join(" "), acl.0.len()), ("appendfsync timeout".to_owned(), 1), "{report}");
    assert!(config.1.contains("unknown command") && acl.1.contains("unknown command"), "{report}");
}

#[test]
fn with_the_rights_to_read_nothing_is_unknown() {
    let fleet = good_fleet(3);
    let urls = urls(&fleet, |server| user(server, "locker", "pw", &["+config|get", "+acl|dryrun"]));
    let report = block_on(build(urls).preflight());
    assert_eq!(unreadable(&report), [], "{report}");
    let good =
        |wanted: fn(&FindingKind) -> bool| report.findings().iter().filter(|f| wanted(&f.kind)).count();
    assert_eq!(good(|kind| matches!(kind, FindingKind::Durable)), 3);
    assert_eq!(good(|kind| matches!(kind, FindingKind::Permitted)), 3);
}

#[test]
fn an_evicting_policy_is_found_without_the_right_to_read_the_configuration() {
    let server = RedisServer::start().unwrap();
    let url = user(&server, "locker", "pw", &[]);
    crate::set(&server, "maxmemory", "100mb");
    crate::set(&server, "maxmemory-policy", "allkeys-lru");
    let (findings, _) = refused(builder([url]));
    assert!(matches!(findings[0].kind, FindingKind::Evicts { .. }), "{findings:?}");
}

#[test]
fn each_right_that_is_missing_is_named_and_refuses_the_build() {
    let server = RedisServer::start().unwrap();
    for (change, expected) in [
        ("-set", "SET"),
        ("-get", "GET"),
        ("-del", "DEL"),
        ("-pttl", "PTTL"),
        ("-pexpire", "PEXPIRE"),
        ("-evalsha", "EVALSHA"),
    ] {
        let url = user(&server, "locker", "pw", &["+acl|dryrun", change]);
        let (findings, text) = refused(builder([url]));
        let [finding] = findings.as_slice() else { panic!("{text}") };
        let FindingKind::NotPermitted { user, missing } = &finding.kind else { panic!("{text}") };
        assert_eq!((&**user, &missing[..]), ("locker", &[expected.to_owned()][..]), "{text}");
        assert!(text.contains("ACL SETUSER"), "{text}");
    }
}

#[test]
fn keys_that_are_not_allowed_are_named() {
    let server = RedisServer::start().unwrap();
    let url = user(&server, "locker", "pw", &["+acl|dryrun", "resetkeys", "~redlock:*"]);
    let (findings, text) = refused(builder([url]));
    let FindingKind::NotPermitted { missing, .. } = &findings[0].kind else { panic!("{text}") };
    assert_eq!(missing[..], ["SET on keys #redlock:aux:*", "GET on keys #redlock:aux:*"]);
    // Under another prefix, those of the locks.
    let url = user(&server, "locker", "pw", &["+acl|dryrun"]);
    let (_, text) = refused(builder([url]).prefix("billing"));
    assert!(text.contains("SET on keys billing:*") && !text.contains("#redlock"), "{text}");
}

#[test]
fn plain_text_and_a_server_without_a_password_are_warnings_but_on_this_machine() {
    let server = RedisServer::start().unwrap();
    let exposed = |kind: &FindingKind| matches!(kind, FindingKind::PlainText | FindingKind::NoPassword);
    none(&look_at(&server), exposed);
    let report = look_at_url(as_if_remote(&server.admin_url()));
    only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::PlainText));
    only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::NoPassword));

    let guarded = RedisServer::options().arg("--requirepass", "pw").start().unwrap();
    let report = look_at_url(format!("redis://:pw@0.0.0.0:{}", guarded.port()));
    none(&report, |kind| matches!(kind, FindingKind::NoPassword));
}

#[test]
fn what_goes_over_tls_is_no_plain_text() {
    let dir = TempDir::new().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["0.0.0.0".to_owned()]).unwrap().self_signed(&key).unwrap();
    let [certificate_file, key_file] = ["crt", "key"].map(|name| dir.path().join(name));
    fs::write(&certificate_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let files = ServerFiles {
        certificate: certificate_file.clone(),
        key: key_file,
        authority: certificate_file.clone(),
        verify_clients: false,
    };
    let server = RedisServer::options().tls(files).rights("~* +@all").start().unwrap();
    let config = RedisConfig::from_url(&as_if_remote(&server.tls_url().unwrap())).unwrap();
    let config = config.tls(TlsFiles::platform().ca(certificate_file));
    let report = block_on(block_on(builder([]).redis(config).build()).unwrap().preflight());
    only(&report, Severity::Good, |kind| matches!(kind, FindingKind::Encrypted));
    none(&report, |kind| matches!(kind, FindingKind::PlainText));
    // It lets everybody in all the same.
    only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::NoPassword));
}

#[test]
fn a_default_user_without_a_password_is_found_by_another_user_that_may_ask_and_unknown_to_one_that_may_not() {
    let server = RedisServer::start().unwrap();
    let open = |kind: &FindingKind| matches!(kind, FindingKind::NoPassword);
    let may_ask = user(&server, "asker", "pw", &["+acl|getuser"]);
    let may_not = user(&server, "locker", "pw", &[]);
    only(&look_at_url(as_if_remote(&may_ask)), Severity::Warning, open);
    let report = look_at_url(as_if_remote(&may_not));
    none(&report, open);
    assert!(unreadable(&report).iter().any(|(what, _)| what[0].contains("default user")), "{report}");
    server.command(&["ACL", "SETUSER", "default", ">pw"]).unwrap();
    none(&look_at_url(as_if_remote(&may_ask)), open);
}
