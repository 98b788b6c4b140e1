//! Configuration files: whatever is in them, an answer that names the file, and never a secret in it.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use redlock::config::{Config, ConfigErrorKind};

use crate::cases;

const SECRET: &str = "hunter2-Zq";
const FILE: &str = "/nowhere/etc.toml";

const TABLES: [&str; 9] =
    ["redlock", "redis", "memcache", "etcd", "zookeeper", "file", "memory", "nonsense", "default"];

const KEYS: [&str; 27] = [
    "nodes",
    "addrs",
    "db",
    "maxRetries",
    "prefix",
    "username",
    "password",
    "certFile",
    "keyFile",
    "caFile",
    "expiration",
    "maxExpiration",
    "nodeTimeout",
    "driftFactor",
    "acquireInterval",
    "acquireMaxRetries",
    "acquireTimeout",
    "fencing",
    "fencingRetention",
    "restartGuard",
    "trustAof",
    "renewLimit",
    "handoff",
    "master",
    "sentinels",
    "expirations",
    "x",
];

/// A value as it stands behind `key =`; may be no TOML.
fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "",
            "3s",
            "500ms",
            "-3s",
            "0",
            "1e99s",
            "99999999999999999999h",
            "1h1m1s1ms",
            "3 parsecs",
            "9223372036854775807ns",
            "redis://127.0.0.1:6379",
            "redis://u:hunter2-Zq@h:1/0",
            "127.0.0.1:6379",
            "h:hunter2-Zq@x",
            "[::1]:6379",
            "é",
            "\u{202e}",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,40}",
        any::<String>(),
        (any::<char>(), 1..2_000_usize).prop_map(|(each, count)| each.to_string().repeat(count)),
    ];
    let leaf = prop_oneof![
        4 => text.prop_map(|text| toml_string(&text)),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec![
            "0", "-0", "1", "-1", "9223372036854775808", "-9223372036854775809", "1e400", "nan", "-inf", "0.1", "-0.5", "true", "false",
            "0xffffffffffffffff", "1979-05-27T07:32:00Z", "''", "'''", "\"\"\"", "[", "]", "{", "}", "", "=", "#", "\u{0}",
        ]).prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            1 => vec((key(), inner), 0..3).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{{}}}", pairs.join(", "))
            }),
        ]
    })
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", c as u32),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned),
        1 => "[a-z]{1,9}",
        1 => any::<String>().prop_map(|text| toml_string(&text)),
    ]
}

fn table() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        12 => prop::sample::select(TABLES.to_vec()).prop_map(|table| format!("[lock.{table}]")),
        1 => Just("[lock]".to_owned()),
        1 => Just("[[lock.redlock]]".to_owned()),
        1 => Just("[[lock]]".to_owned()),
        1 => Just("[other]".to_owned()),
        1 => Just("lock = 1".to_owned()),
    ];
    (head, vec((key(), value()), 0..6)).prop_map(|(head, lines)| {
        let lines: Vec<_> = lines.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{head}\n{}\n", lines.join("\n"))
    })
}

fn file() -> impl Strategy<Value = String> {
    let default = prop::option::of(value())
        .prop_map(|value| value.map_or_else(String::new, |value| format!("[lock]\ndefault = {value}\n")));
    (default, vec(table(), 0..3)).prop_map(|(default, tables)| default + &tables.concat())
}

/// A file that would be good, with one line too many.
fn almost() -> impl Strategy<Value = (String, String)> {
    let lines = format!("[lock.redlock]\nnodes = [\"redis://u:{SECRET}@h1\"]\npassword = \"{SECRET}\"\n");
    (key(), value()).prop_map(move |(key, value)| (format!("{lines}{key} = {value}\n"), key))
}

/// Whether the file has what is secret elsewhere as something that is not: a prefix, a user, a path.
fn is_said_openly(text: &str) -> bool {
    const SECRETS: [&str; 4] = ["nodes", "addrs", "password", "sentinelPassword"];
    let openly = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim().trim_matches('"');
        line.contains(SECRET) && !SECRETS.contains(&key)
    };
    text.lines().any(openly)
}

/// Reads it; an error names the file and repeats no secret, and its line is one of the file's.
fn read(text: &str) -> Result<Result<Config, redlock::config::ConfigError>, TestCaseError> {
    let read = Config::from_toml_str(text, Path::new(FILE));
    match &read {
        Ok(config) => {
            let shown = format!("{config:?}");
            prop_assert!(is_said_openly(text) || !shown.contains(SECRET), "{}", shown);
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            prop_assert!(error.to_string().starts_with(FILE), "{}", error);
            prop_assert!(!shown.contains(SECRET), "{}", shown);
            prop_assert!(
                error.line().is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)),
                "{}",
                error
            );
            prop_assert!(error.to_string().len() < 10_000, "an error of {} bytes", error.to_string().len());
            let about_a_key = matches!(
                error.kind(),
                ConfigErrorKind::UnknownKey | ConfigErrorKind::WrongType | ConfigErrorKind::InvalidValue
            );
            prop_assert!(
                !about_a_key || error.key().is_some() || error.to_string().contains('['),
                "{}",
                error
            );
        }
    }
    Ok(read)
}

#[test]
fn no_file_of_random_tables_panics_or_is_refused_without_its_name() {
    TestRunner::new(cases(400)).run(&file(), |text| read(&text).map(drop)).unwrap();
}

#[test]
fn no_random_text_panics_or_is_refused_without_the_files_name() {
    TestRunner::new(cases(400)).run(&any::<String>(), |text| read(&text).map(drop)).unwrap();
}

#[test]
fn one_bad_line_in_a_good_file_is_told_without_the_secrets_beside_it() {
    TestRunner::new(cases(400)).run(&almost(), |(text, _)| read(&text).map(drop)).unwrap();
}

#[test]
fn files_that_are_not_text_are_refused_by_their_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("etc.toml");
    let run = TestRunner::new(cases(100)).run(&vec(any::<u8>(), 0..300), |bytes| {
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = Config::from_file(&path) {
            prop_assert!(error.to_string().contains("etc.toml"), "{}", error);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn deep_and_huge_files_are_refused_and_do_not_exhaust_the_stack() {
    let deep = |open: &str, close: &str| {
        format!("[lock.redlock]\nnodes = {}1{}\n", open.repeat(20_000), close.repeat(20_000))
    };
    let dotted = format!("[lock.{}]\n", "a.".repeat(20_000) + "a");
    let key = format!("[lock.redlock]\n{} = 1\n", "a.".repeat(20_000) + "a");
    let many =
        format!("[lock.redlock]\n{}", (0..50_000).map(|line| format!("k{line} = 1\n")).collect::<String>());
    let nodes = format!("[lock.redlock]\nnodes = [{}]\n", "\"redis://h\", ".repeat(20_000));
    let long = format!("[lock.redlock]\nexpiration = \"{}\"\n", "9".repeat(1_000_000));
    for text in [deep("[", "]"), deep("{a = ", "}"), dotted, key, many, nodes, long] {
        let error = read(&text).unwrap().unwrap_err();
        assert!(error.to_string().starts_with(FILE));
    }
}
