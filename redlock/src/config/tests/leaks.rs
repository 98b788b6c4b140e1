//! No text makes it panic, and no password gets out.

use std::ffi::OsString;

use proptest::prelude::*;

use super::*;

const SECRET: &str = "hunter2";

/// Everything that can be printed of an outcome.
fn printed(outcome: &Result<Config, ConfigError>) -> String {
    match outcome {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

#[test]
fn a_password_appears_in_no_error_and_in_no_debug_output() {
    for text in [
        "[lock.redis]\npassword = 'hunter2'",
        "[lock.redis]\npassword = hunter2",
        "[lock.redis]\npassword = 'hunter2",
        "[lock.redis]\npassword = 'hunter2' x",
        "[lock.redis]\npassword = ['hunter2']",
        "[lock.redis]\npassword = 'a'\npassword = 'hunter2'",
        "[lock.redis]\npasword = 'hunter2'",
        "[lock.redis]\npassword = { value = 'hunter2' }",
        "[lock.redis]\nmasterName = 'm'\naddrs = ['a:1']\nsentinelPassword = 'hunter2'",
        "[lock.redis]\nsentinelPassword = 'hunter2'",
        "[lock.redis]\nsentinelPassword = ['hunter2']",
        "[lock.redis]\naddrs = ['a:1', 'app:hunter2@b:1']",
        "[lock]\npassword = 'hunter2'",
        "[lock.redis]\naddrs = ['redis://:hunter2@a:1']",
        "[lock.redis]\naddrs = ['a:hunter2']",
        "[lock.redlock]\nnodes = 'redis://:hunter2@a:1'",
        "[lock.redlock]\nnodes = ['redis://:hunter2@a:1']",
        "[lock.redlock]\nnodes = ['redis://:hunter2@a:1', 'redis://:hunter2@a:1']",
        "[lock.redlock]\nnodes = ['redis://:hunter2']",
        "[lock.redlock]\nnodes = ['redis://app:hunter2']",
        "[lock.redlock]\nnodes = ['app:hunter2@a:1']",
        "[lock.redlock]\nnodes = ['redis://app:12/hunter2@a:1']",
        "[lock.redlock]\nnodes = ['redis://a:1/0?password=hunter2']",
        "[lock.redlock]\nnodes = ['http://:hunter2@a:1']",
        "[lock.redlock]\nnodes = [['redis://:hunter2@a:1']]",
        "[lock]\ndefault = 'redis://app:hunter2@a:1'",
        "[lock.redlock]\nnodes = ['a:1']\nexpiration = 'redis://app:hunter2@a:1'",
    ] {
        let printed = printed(&load(text));
        assert!(!printed.contains(SECRET), "{text}\n{printed}");
    }
}

#[test]
fn a_password_in_the_environment_appears_in_no_error() {
    for nodes in
        ["redis://app:1,hunter2@a:1", "redis://:hunter2@a:1 redis://:hunter2@a:1", "redis://:hunter2"]
    {
        let outcome = environment::load(|name| (name == "REDLOCK_NODES").then(|| OsString::from(nodes)));
        let error = outcome.unwrap_err();
        assert!(!printed(&Err(error.clone())).contains(SECRET), "{error}");
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    for text in [
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{ a = ".repeat(100_000)),
        format!("{}x = 1", "a.".repeat(100_000)),
        format!("[{}x]", "a.".repeat(100_000)),
    ] {
        assert!(load(&text).is_err());
    }
}

/// Lines that a configuration may have, well formed or not. The secret is only ever where a password is.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(
        [
            &["db", "addrs", "nodes", "username", "caFile", "certFile", "keyFile", "default"],
            &timing::KEYS[..],
        ]
        .concat(),
    );
    let value = prop_oneof![
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:?}")),
        "'[ -&(-~]{0,12}'",
        "[0-9]{1,4}(ms|s|m|parsecs)".prop_map(|text| format!("'{text}'")),
        "'(redis|rediss|x)://[a-z0-9:@/?#\\[\\]]{0,12}hunter2@[a-z0-9:/\\[\\]]{0,8}'"
            .prop_map(|url| format!("[{url}, 'a:1']")),
        Just("[".to_owned()),
        Just("1979-05-27".to_owned()),
    ];
    prop_oneof![
        "\\[(lock(\\.(redlock|redis|memory|x))?|log)\\]",
        Just("[[lock.redis]]".to_owned()),
        Just("password = 'hunter2'".to_owned()),
        Just("password = hunter2".to_owned()),
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        "[ -~]{0,10}",
    ]
}

proptest! {
    #[test]
    fn no_environment_makes_it_panic_or_leak(
        parts in prop::collection::vec(
            prop_oneof![
                Just(format!("redis://u:{SECRET}@h")),
                prop::sample::select(vec![",", " ", ":", "@", "/1", ":0", ":6379", "rediss://", "h2", "?", "[", "\u{1}"]).prop_map(str::to_owned),
                any::<String>(),
            ],
            0..8,
        ),
    ) {
        let nodes = parts.concat();
        let loaded = environment::load(|name| (name == "REDLOCK_NODES").then(|| nodes.clone().into()));
        let printed = match loaded {
            Ok(config) => format!("{config:?}"),
            Err(error) => {
                prop_assert!(error.to_string().starts_with("REDLOCK_NODES"), "{}", error);
                format!("{error} {error:?}")
            }
        };
        prop_assert!(!printed.contains(SECRET), "{}\n{}", nodes, printed);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = printed(&load(&text));
    }

    #[test]
    fn nothing_that_looks_like_a_configuration_makes_it_panic_or_leak(
        lines in prop::collection::vec(line(), 0..8),
        end in prop::sample::select(vec!["\n", "\r\n", " "]),
    ) {
        let text = format!("[lock.redlock]{end}{}", lines.join(end));
        let printed = printed(&load(&text));
        prop_assert!(!printed.contains(SECRET), "{}\n{}", text, printed);
    }

    #[test]
    fn a_file_cut_short_or_changed_anywhere_makes_nothing_panic(
        cut in 0..=include_str!("../due-etc.toml").chars().count(),
        put in "\\PC?",
    ) {
        let due = include_str!("../due-etc.toml");
        let head: String = due.chars().take(cut).collect();
        let tail: String = due.chars().skip(cut + 1).collect();
        let _ = printed(&load(&head));
        let _ = printed(&load(&format!("{head}{put}{tail}")));
    }
}
