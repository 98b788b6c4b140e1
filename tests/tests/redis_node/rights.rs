//! The least rights of the ACL user: what is documented is enough, nothing of it can be left out, and the documents say it.

use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::{
    Charter, ExtendRequest, Fence, Incarnation, Mark, MarkRequest, Node, NodeError, NodeErrorKind, Raise,
    RaiseRequest, ReleaseRequest, Standing,
};
use redlock::preflight::FindingKind;
use redlock::testing::servers::RedisServer;
use redlock::{FencingToken, Ttl};

use crate::{acquisition, from_now, millis, name, owner, start};

fn plain() -> RedisConfig {
    RedisConfig::new("127.0.0.1")
}

/// The settings that need different rights.
fn settings() -> Vec<RedisConfig> {
    vec![
        plain(),
        plain().restart_guard(true),
        plain().restart_guard(true).trust_aof(true),
        plain().db(1),
        plain().prefix("bill [*] ing").restart_guard(true),
        plain().prefix("").restart_guard(true),
    ]
}

/// Lets the user do exactly this.
fn allow<'a>(server: &RedisServer, rights: impl IntoIterator<Item = &'a str>) {
    let user = ["ACL", "SETUSER", "lock-user", "reset", "on", ">pw"];
    let rule: Vec<&str> = user.into_iter().chain(rights).collect();
    server.command(&rule).unwrap();
}

/// All that a node ever does, up to the first error; what preflight finds missing comes first.
fn use_everything(config: RedisConfig, server: &RedisServer) -> Result<Vec<String>, NodeError> {
    let node = start(config.port(server.port()).username("lock-user").password("pw"));
    block_on(Arc::clone(&node).probe())?;
    let found = block_on(Arc::clone(&node).examine())?.findings;
    let missing = found.iter().find_map(|kind| match kind {
        FindingKind::NotPermitted { missing, .. } => Some(missing.clone()),
        _ => None,
    });
    if let Some(missing) = missing {
        return Ok(missing);
    }
    if node.standing() != Standing::Unguarded {
        let mark = Mark::Init { incarnation: Incarnation::new(7), floor: 1 };
        let charter = Charter::new(1, 0, 1, 1, millis(60_000));
        block_on(Arc::clone(&node).mark(MarkRequest::new(charter, mark)))?;
        block_on(Arc::clone(&node).probe())?;
    }
    let ttl = Ttl::new(millis(30_000)).unwrap();
    let mut acquire = acquisition("a", 1, 1_000);
    acquire.fence = Some(Fence::new(1, 1, millis(600_000)));
    block_on(Arc::clone(&node).acquire(acquire))?;
    block_on(Arc::clone(&node).extend(ExtendRequest::new(name("a"), owner(1), ttl, from_now(10_000))))?;
    // So far ahead of the server's time that it notes it.
    let far = Raise::new(FencingToken::MAX / 2, millis(600_000));
    block_on(Arc::clone(&node).raise(RaiseRequest::new(name("a"), owner(1), ttl, from_now(10_000), far)))?;
    block_on(Arc::clone(&node).inspect(name("a")))?;
    drop(block_on(Arc::clone(&node).watch(name("a")))?);
    let released = block_on(Arc::clone(&node).release(ReleaseRequest::new(name("a"), owner(1), None)))?;
    assert!(released.was_held);
    Ok(Vec::new())
}

/// How preflight calls a right.
fn in_preflights_words(right: &str) -> String {
    match right.split_at(1) {
        ("~", pattern) => format!(" on keys {pattern}"),
        (_, command) => command.to_uppercase(),
    }
}

#[test]
fn the_documented_rights_are_enough() {
    for config in settings() {
        let server = RedisServer::start().unwrap();
        let rule = config.acl_rule();
        for more in [&[][..], &["+acl|dryrun"]] {
            allow(&server, rule.split(' ').chain(more.iter().copied()));
            let missing =
                use_everything(config.clone(), &server).unwrap_or_else(|error| panic!("{rule}: {error}"));
            assert!(missing.is_empty(), "{rule}: {missing:?}");
        }
    }
}

#[test]
fn without_any_one_of_the_documented_rights_an_error_names_it() {
    let server = RedisServer::start().unwrap();
    for config in settings() {
        let rule = config.acl_rule();
        for right in rule.split(' ') {
            allow(&server, rule.split(' ').filter(|other| *other != right));
            server.command(&["FLUSHALL"]).unwrap();
            let error = use_everything(config.clone(), &server)
                .expect_err(&format!("it works without {right}: {rule}"));
            assert_eq!(error.kind, NodeErrorKind::Denied, "without {right}: {error}");
            let name = right.trim_start_matches(['~', '+']);
            assert!(error.to_string().contains(name), "without {right}: {error}");
        }
    }
}

#[test]
fn preflight_that_may_ask_names_the_missing_right_alone() {
    let server = RedisServer::start().unwrap();
    for config in settings() {
        let rule = config.acl_rule();
        for right in rule.split(' ') {
            allow(&server, rule.split(' ').filter(|other| *other != right).chain(["+acl|dryrun"]));
            server.command(&["FLUSHALL"]).unwrap();
            match use_everything(config.clone(), &server) {
                Ok(missing) => {
                    let wanted = in_preflights_words(right);
                    assert!(!missing.is_empty(), "without {right}: {rule}");
                    assert!(
                        missing.iter().all(|found| found.contains(&wanted)),
                        "without {right}: {missing:?}"
                    );
                }
                // It does not even get as far.
                Err(error) => {
                    let name = right.trim_start_matches(['~', '+']);
                    assert_eq!(error.kind, NodeErrorKind::Denied, "without {right}: {error}");
                    assert!(error.to_string().contains(name), "without {right}: {error}");
                }
            }
        }
    }
}

/// The words for rights in a text.
fn rights_in(text: &str) -> Vec<String> {
    let text = text.replace("\\|", "|");
    let words = text.split(|c: char| c.is_whitespace() || c == '`');
    words.filter(|word| word.starts_with(['~', '+'])).map(str::to_owned).collect()
}

/// What a rule has that another has not.
fn added(with: &RedisConfig, without: &RedisConfig) -> Vec<String> {
    let (with, without) = (with.acl_rule(), without.acl_rule());
    with.split(' ')
        .filter(|right| without.split(' ').all(|other| other != *right))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_documents_say_what_the_rule_is() {
    let guarded = plain().restart_guard(true);
    let rows = [
        ("always", rights_in(&plain().acl_rule())),
        ("with the restart guard", added(&guarded, &plain())),
        ("with `trustAof`", added(&guarded.clone().trust_aof(true), &guarded)),
        ("in another database", added(&plain().db(1), &plain())),
    ];
    let line = format!("ACL SETUSER locker reset on >PASSWORD {}", guarded.acl_rule());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let documents = ["redlock/src/backend/redis.rs", "docs/safety.md"];
    let texts =
        documents.iter().filter_map(|file| Some((file, std::fs::read_to_string(workspace.join(file)).ok()?)));
    let mut described = 0;
    for (file, text) in texts.filter(|(_, text)| text.contains("ACL SETUSER locker")) {
        described += 1;
        let text: String =
            text.lines().map(|line| format!("{}\n", line.trim_start_matches("///").trim())).collect();
        assert!(text.lines().any(|found| found == line), "{file} lacks the line {line}");
        for (when, rights) in &rows {
            assert!(!rights.is_empty(), "{when}");
            let row = text.lines().find(|line| line.starts_with(&format!("| {when}")));
            let row = row.unwrap_or_else(|| panic!("{file} has no row for: {when}"));
            assert_eq!(rights_in(row), *rights, "{file}: {when}");
        }
    }
    assert_eq!(described, 2, "rustdoc and one of the documents");
    let readme = std::fs::read_to_string(workspace.join("README.md")).unwrap();
    assert!(readme.lines().any(|found| found == line), "README.md lacks the line {line}");
}
