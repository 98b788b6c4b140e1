//! No secret is said, at any level: neither an owner token, nor a password, nor a URL with one.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{BuildError, Locks, LostReason};
use redlock_tests::support::{LONG, eventually};

use crate::journal::Line;
use crate::scenarios;
use crate::stage::Stage;

const PASSWORD: &str = "the-right-password-83bd1f";
const WRONG: &str = "a-wrong-password-5c20a4";

/// A server with a user of ours.
fn with_user() -> RedisServer {
    let server = RedisServer::start().unwrap();
    set_password(&server, PASSWORD);
    server
}

fn set_password(server: &RedisServer, password: &str) {
    let password = format!(">{password}");
    let user = ["ACL", "SETUSER", "app", "reset", "on", &password, "~*", "&*", "+@all"];
    server.command(&user).unwrap();
}

fn url(server: &RedisServer, password: &str) -> String {
    format!("redis://app:{password}@{}", server.address())
}

/// Whatever the key of a lock holds: an owner token.
fn token(server: &RedisServer, name: &str) -> String {
    server.command(&["GET", &format!("redlock:{name}")]).unwrap().text().unwrap().to_owned()
}

fn builder(urls: impl IntoIterator<Item = String>) -> redlock::LocksBuilder {
    Locks::builder().nodes(urls).restart_guard(false).ttl(LONG).node_timeout(Duration::from_millis(300))
}

#[test]
fn neither_tokens_nor_passwords_nor_urls_are_said_at_any_level() {
    let stage = Stage::new();
    let servers = [with_user(), with_user(), with_user()];
    let locks = stage.build(builder(servers.iter().map(|server| url(server, PASSWORD))));
    let mut tokens = Vec::new();

    // Acquired, refused to others, extended, released.
    let guard = block_on(locks.lock("secret").acquire()).unwrap();
    tokens.push(token(&servers[0], "secret"));
    assert!(block_on(locks.lock("secret").try_acquire()).unwrap().is_none());
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();

    // Lost to somebody else.
    let guard = block_on(locks.lock("secret").acquire()).unwrap();
    tokens.push(token(&servers[0], "secret"));
    let theirs = "0123456789abcdef0123456789abcdef01234567";
    tokens.push(theirs.to_owned());
    for server in &servers {
        server.command(&["SET", "redlock:secret", theirs, "PX", "60000"]).unwrap();
    }
    assert!(block_on(guard.extend()).is_err());
    assert_eq!(block_on(guard.lost()), Some(LostReason::Superseded));
    drop(guard);

    // The password is changed under us, and the connection broken.
    let node = servers[0].address();
    set_password(&servers[0], "another-password-77e0");
    servers[0].command(&["CLIENT", "KILL", "USER", "app"]).unwrap();
    eventually("it is down", || stage.said("connection attempt failed", "node", &node) >= 2);

    // Wrong from the beginning.
    let wrong = servers.iter().map(|server| url(server, WRONG));
    let refused = stage.try_build(builder(wrong)).unwrap_err();
    assert!(matches!(refused, BuildError::Misconfigured { .. }), "{refused}");

    // Whatever else there is to say.
    scenarios::a_node_forgets(&stage);

    let lines = stage.lines();
    assert!(lines.iter().any(|line| line.target.starts_with("redlock")));
    assert!(lines.iter().any(|line| line.target.starts_with("log: fred")), "fred is listened to as well");
    assert!(tokens.iter().all(|token| token.len() == 40), "{}", tokens.len());
    let mut secrets = tokens;
    secrets.extend([PASSWORD, WRONG, "another-password-77e0", "redis://"].map(str::to_owned));
    for line in &lines {
        let text = said_in(line);
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} is said: {text}");
        }
        assert!(!has_token(&text), "a token is said: {text}");
    }
    for series in stage.recorder.registered() {
        let text = format!("{series:?}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)) && !text.contains("secret"), "{text}");
    }
}

fn said_in(line: &Line) -> String {
    let fields: Vec<String> = line.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {}: {} {}", line.level, line.target, line.text, fields.join(" "))
}

/// Whether the text has 40 hexadecimal digits in a row, as a token on a node.
fn has_token(text: &str) -> bool {
    let mut row = 0;
    text.bytes().any(|byte| {
        row = if byte.is_ascii_hexdigit() { row + 1 } else { 0 };
        row >= 40
    })
}

#[test]
fn the_look_for_tokens_finds_one() {
    assert!(has_token("owner=0123456789abcdef0123456789abcdef01234567"));
    assert!(!has_token("0123456789abcdef 0123456789abcdef01234567 127.0.0.1:6379"));
    let fleet = RedisFleet::start(1).unwrap();
    let locks = block_on(builder(fleet.urls()).build()).unwrap();
    let _guard = block_on(locks.lock("found").acquire()).unwrap();
    assert!(has_token(&token(fleet.server(0), "found")), "this is what one looks like");
}
