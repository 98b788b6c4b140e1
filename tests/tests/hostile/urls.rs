//! URLs of nodes: whatever they are, an answer, and never the password in it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redlock::backend::redis::RedisConfig;

use crate::cases;

const SECRET: &str = "hunter2-Zq";

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "redis://", "rediss://", "redis", "unix://", "http://", ":", "@", "/", "//", "?", "#", "[", "]", "[::1]", "%", "%00",
            "%zz", "%40", "127.0.0.1", "localhost", "host", "0", "6379", "65536", "-1", "99999999999999999999", "15",
            " ", "\t", "\0", "\u{202e}", "é", "\\", "user", ";", "::", "..",
        ]).prop_map(str::to_owned),
        2 => Just(SECRET.to_owned()),
        1 => any::<String>(),
        1 => ("[a-z:/@%]", 1..3_000_usize).prop_map(|(text, count)| text.repeat(count)),
    ]
}

fn url() -> impl Strategy<Value = String> {
    let free = vec(part(), 0..9).prop_map(|parts| parts.concat());
    let likely = (part(), part(), part())
        .prop_map(|(host, port, rest)| format!("redis://u:{SECRET}@{host}:{port}/{rest}"));
    prop_oneof![free, likely]
}

#[test]
fn no_url_panics_or_comes_back_with_its_password() {
    let run = TestRunner::new(cases(2_000)).run(&url(), |url| {
        let read = RedisConfig::from_url(&url);
        // What stands where a host stands is none.
        let shown = match &read {
            Ok(config) => format!("{config:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        let is_host = read.is_ok_and(|config| config.address().contains(&SECRET.to_lowercase()));
        // Nor is a user's name.
        let is_user = url
            .split("//")
            .nth(1)
            .is_some_and(|rest| rest.split([':', '@']).next().unwrap().contains(SECRET));
        prop_assert!(is_host || is_user || !shown.contains(SECRET), "{}", shown);
        Ok(())
    });
    run.unwrap();
}
