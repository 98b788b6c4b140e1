use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::node::Severity;

/// What a good server says, with these lines instead of its own.
fn info(changed: &[(&str, &str)]) -> String {
    let good = [
        ("redis_version", "7.0.15"),
        ("connected_clients", "3"),
        ("maxclients", "10000"),
        ("used_memory", "1000"),
        ("maxmemory", "0"),
        ("maxmemory_policy", "noeviction"),
        ("loading", "0"),
        ("rdb_last_bgsave_status", "ok"),
        ("aof_enabled", "1"),
        ("aof_last_write_status", "ok"),
        ("role", "master"),
        ("connected_slaves", "0"),
        ("cluster_enabled", "0"),
    ];
    let line = |(name, value): &(&str, &str)| {
        let value = changed.iter().find(|(other, _)| other == name).map_or(*value, |(_, value)| value);
        format!("{name}:{value}\r\n")
    };
    good.iter().map(line).collect()
}

fn readings(info: String) -> Readings {
    let settings = ["always", "", "0", "10000", "yes"].map(|value| Ok(value.to_owned()));
    Readings { info, settings, missing: Ok(Vec::new()), open: None }
}

const HERE: Client<'_> = Client { user: "default", host: "127.0.0.1", has_tls: false, has_password: false };

fn bad(readings: &Readings, client: &Client<'_>) -> Vec<FindingKind> {
    let mut kinds = judge(readings, client);
    kinds.retain(|kind| kind.severity() > Severity::Good);
    kinds
}

fn denied() -> Unread {
    Unread::new("the server refused CONFIG: NOPERM")
}

#[test]
fn a_server_that_is_as_it_should_be_is_good() {
    let kinds = judge(&readings(info(&[])), &HERE);
    let texts: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let good = [
        "version 7.0.15",
        "independent master",
        "evicts nothing",
        "writes to disk before it answers",
        "all commands allowed",
    ];
    assert_eq!(texts, good);
}

#[test]
fn an_empty_info_is_unknown_and_nothing_else_is_made_of_it() {
    let readings = Readings {
        info: String::new(),
        settings: [(); 5].map(|()| Err(denied())),
        missing: Err(Unread::new("ERR unknown subcommand")),
        open: None,
    };
    let kinds = judge(&readings, &HERE);
    assert!(kinds.iter().all(|kind| kind.severity() == Severity::Unknown), "{kinds:?}");
    let texts = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for name in [
        "cluster_enabled",
        "connected_slaves",
        "maxmemory_policy",
        "aof_enabled",
        "maxclients",
        "timeout",
        "ACL DRYRUN",
    ] {
        assert!(texts.contains(name), "{name} in {texts}");
    }
}

#[test]
fn what_a_line_of_info_says_is_found() {
    for (line, expected) in [
        (("connected_slaves", "2"), "has 2 replicas"),
        (("cluster_enabled", "1"), "is part of a Cluster"),
        (("loading", "1"), "is still loading"),
        (("aof_last_write_status", "err"), "could not write its append only file"),
        (("connected_clients", "9000"), "has 9000 of 10000 connections"),
        (("maxmemory_policy", "volatile-lru"), "would evict locks if it had a memory limit"),
        (("maxmemory_policy", "one-of-the-future"), "would evict locks"),
    ] {
        let kinds = bad(&readings(info(&[line])), &HERE);
        assert!(matches!(&kinds[..], [kind] if kind.to_string().contains(expected)), "{line:?}: {kinds:?}");
    }
}

#[test]
fn nine_tenths_of_the_memory_are_nearly_all() {
    let used = |used: &str| bad(&readings(info(&[("used_memory", used), ("maxmemory", "10000")])), &HERE);
    assert!(used("8999").is_empty());
    assert!(matches!(used("9000")[..], [FindingKind::MemoryNearlyFull { used: 9_000, maxmemory: 10_000 }]));
    let huge = info(&[("used_memory", "18446744073709551615"), ("maxmemory", "18446744073709551615")]);
    assert_eq!(bad(&readings(huge), &HERE).len(), 1);
}

#[test]
fn a_limit_of_connections_that_info_does_not_tell_is_read_from_the_configuration() {
    let old = |clients| info(&[("connected_clients", clients)]).replace("maxclients:10000\r\n", "");
    assert!(bad(&readings(old("3")), &HERE).is_empty());
    assert!(matches!(bad(&readings(old("9500")), &HERE)[..], [FindingKind::ClientsNearlyFull { .. }]));
    let mut unread = readings(old("9500"));
    unread.settings[3] = Err(denied());
    assert!(
        matches!(&bad(&unread, &HERE)[..], [FindingKind::Unreadable { what, .. }] if what[..] == ["maxclients"])
    );
}

#[test]
fn without_the_right_to_read_it_a_server_that_writes_an_append_only_file_is_not_called_durable() {
    let mut unread = readings(info(&[]));
    unread.settings[0] = Err(denied());
    let kinds = judge(&unread, &HERE);
    assert!(!kinds.iter().any(|kind| matches!(kind, FindingKind::Durable)));
    assert!(
        matches!(&bad(&unread, &HERE)[..], [FindingKind::Unreadable { what, .. }] if what[..] == ["appendfsync"])
    );
    // That there is no such file is certain.
    let mut unread = readings(info(&[("aof_enabled", "0")]));
    unread.settings[1] = Err(denied());
    let expected = Persistence::NoAppendOnlyFile;
    assert!(
        matches!(&bad(&unread, &HERE)[..], [FindingKind::ForgetsOnRestart { persistence }] if *persistence == expected)
    );
}

#[test]
fn only_this_machine_needs_neither_tls_nor_a_password() {
    for (host, is_exposed) in [
        ("localhost", false),
        ("127.0.0.1", false),
        ("127.9.9.9", false),
        ("::1", false),
        ("10.0.0.1", true),
        ("redis", true),
        ("::2", true),
    ] {
        let kinds = bad(&readings(info(&[])), &Client { host, ..HERE });
        assert_eq!(kinds.iter().any(|kind| matches!(kind, FindingKind::PlainText)), is_exposed, "{host}");
        assert_eq!(kinds.iter().any(|kind| matches!(kind, FindingKind::NoPassword)), is_exposed, "{host}");
        assert!(!asks_for_default_user(host, None) && !asks_for_default_user(host, Some("default")));
        assert_eq!(asks_for_default_user(host, Some("locker")), is_exposed, "{host}");
    }
    let safe = Client { host: "redis", has_tls: true, has_password: true, ..HERE };
    assert!(bad(&readings(info(&[])), &safe).is_empty());
}

#[test]
fn an_answer_to_config_get_is_taken_for_what_was_asked_alone() {
    assert_eq!(setting(Some(&["save", ""]), "save"), Ok(String::new()));
    for answer in [None, Some(&[][..]), Some(&["timeout", "0"][..]), Some(&["save"][..])] {
        assert!(setting(answer, "save").is_err(), "{answer:?}");
    }
}

#[test]
fn a_dry_run_names_the_command_or_the_keys() {
    for (answer, expected) in [
        ("OK", None),
        ("This user has no permissions to run the 'set' command", Some("SET")),
        ("User locker has no permissions to run the 'set' command", Some("SET")),
        ("This user has no permissions to access the 'redlock:preflight' key", Some("SET on keys redlock:*")),
        ("something new", Some("SET on keys redlock:*")),
    ] {
        assert_eq!(missing_right(answer, "SET", "redlock:*").as_deref(), expected, "{answer}");
    }
}

proptest! {
    /// A server may say anything.
    #[test]
    fn durable_and_permitted_are_only_ever_what_was_read(
        lines in vec(("[a-z_]{1,5}|aof_enabled|maxmemory|used_memory|maxmemory_policy|maxclients", "[01]|-?[0-9]{1,22}|noeviction|[ -~]{0,9}"), 0..12),
        settings in vec(prop_oneof![Just(None), Just(Some("always".to_owned())), "[ -~]{0,9}".prop_map(Some)], 5),
        missing in prop_oneof![Just(None), vec("[A-Z]{3}", 0..2).prop_map(Some)],
    ) {
        let info = lines.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        let read: Vec<_> = settings.iter().map(|value| value.clone().ok_or_else(denied)).collect();
        let may = missing.clone().ok_or_else(denied);
        let readings = Readings { info, settings: read.try_into().unwrap(), missing: may, open: None };
        let kinds = judge(&readings, &HERE);
        let has = |wanted: fn(&FindingKind) -> bool| kinds.iter().any(wanted);
        let is_always = settings[0].as_deref() == Some("always");
        prop_assert!(!has(|kind| matches!(kind, FindingKind::Durable)) || is_always);
        prop_assert_eq!(has(|kind| matches!(kind, FindingKind::Permitted)), missing.is_some_and(|list| list.is_empty()));
        let policy = eviction_policy(&readings.info) == Some("noeviction");
        prop_assert_eq!(has(|kind| matches!(kind, FindingKind::NeverEvicts)), policy);
    }
}
