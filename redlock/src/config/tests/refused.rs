//! What a configuration is refused for, and the words that are used.

use std::ffi::OsString;

use super::*;

/// The message for a file `etc.toml` with this text.
fn refused(text: &str) -> (ConfigErrorKind, String) {
    let error = load(text).expect_err(text);
    (error.kind(), error.to_string())
}

#[track_caller]
fn check(text: &str, kind: ConfigErrorKind, message: &str) {
    assert_eq!(refused(text), (kind, message.to_owned()), "\n{text}");
}

#[test]
fn a_duration_that_does_not_parse_is_named_with_file_line_and_key() {
    use ConfigErrorKind::{InvalidValue, WrongType};
    let expected = "expected a duration such as \"3s\" or \"500ms\" (units ns, us, ms, s, m, h, d)";
    for (value, kind, shown) in [
        ("'3 parsecs'", InvalidValue, " = \"3 parsecs\": "),
        ("'-3s'", InvalidValue, " = \"-3s\": "),
        ("''", InvalidValue, " = \"\": "),
        ("'3'", InvalidValue, " = \"3\": "),
        ("3.5", WrongType, ": found a float, "),
        ("true", WrongType, ": found a boolean, "),
    ] {
        let text = format!("# comment\n[lock.redis]\n\nexpiration = {value}");
        check(&text, kind, &format!("etc.toml:4: [lock.redis] expiration{shown}{expected}"));
    }
    check(
        "[lock.redis]\nexpiration = -1",
        InvalidValue,
        &format!("etc.toml:2: [lock.redis] expiration = -1: {expected}; a bare integer is nanoseconds"),
    );
}

#[test]
fn a_setting_out_of_range_is_refused() {
    for (setting, message) in [
        ("expiration = '9ms'", "a TTL of 9ms is out of range; it must be between 10ms and 365 days"),
        ("expiration = 0", "a TTL of 0ns is out of range; it must be between 10ms and 365 days"),
        ("expiration = '366d'", "a TTL of 31622400s is out of range; it must be between 10ms and 365 days"),
        ("maxExpiration = '0s'", "a TTL of 0ns is out of range; it must be between 10ms and 365 days"),
        ("maxExpiration = '2s'", "it is shorter than expiration, which is 3s"),
        ("nodeTimeout = 0", "it must be at least 1ms"),
        ("nodeTimeout = '999us'", "it must be at least 1ms"),
        ("acquireInterval = '0s'", "it must be at least 1ms"),
        ("acquireTimeout = '0s'", "it must be at least 1ms; without the key there is no limit"),
        ("renewLimit = '0s'", "it must be at least 1ms; without the key there is no limit"),
        ("fencingRetention = 0", "it must be at least 1ms"),
        ("driftFactor = 0.51", "a drift factor of 0.51 is out of range; it must be between 0 and 0.5"),
        ("driftFactor = -1", "a drift factor of -1 is out of range; it must be between 0 and 0.5"),
        ("driftFactor = nan", "a drift factor of NaN is out of range; it must be between 0 and 0.5"),
        ("acquireMaxRetries = 4294967296", "expected at most 4294967295, or 0 for no limit"),
        ("acquireMaxRetries = 99999999999999999999", "expected an integer of 64 bits"),
        ("handoff = -1", "expected 0 to 256, 0 for none"),
        ("handoff = 257", "expected 0 to 256, 0 for none"),
        ("handoff = 4294967297", "expected 0 to 256, 0 for none"),
        ("db = 4294967296", "expected the number of a database, 0 to 4294967295"),
        ("db = -1", "expected the number of a database, 0 to 4294967295"),
    ] {
        let (key, value) = setting.split_once(" = ").unwrap();
        let value = value.replace('\'', "\"");
        let shown = format!("etc.toml:2: [lock.redis] {key} = {value}: {message}");
        check(&format!("[lock.redis]\n{setting}"), ConfigErrorKind::InvalidValue, &shown);
    }
}

#[test]
fn a_prefix_that_is_too_long_for_redis_is_refused() {
    let (kind, message) = refused(&format!("[lock.redis]\nprefix = '{}'", "p".repeat(65)));
    assert_eq!(kind, ConfigErrorKind::InvalidValue);
    assert!(message.starts_with("etc.toml:2: [lock.redis] prefix = \"ppp"), "{message}");
    assert!(message.ends_with("the prefix has 65 bytes; at most 64 are allowed"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_both_types() {
    for (setting, message) in [
        ("prefix = 3", "prefix: found an integer, expected a string"),
        ("username = true", "username: found a boolean, expected a string"),
        ("password = 1234", "password: found an integer, expected a string"),
        ("caFile = []", "caFile: found an array, expected a string"),
        ("db = '0'", "db: found a string, expected an integer"),
        ("maxRetries = '3'", "maxRetries: found a string, expected an integer"),
        ("acquireMaxRetries = 1.0", "acquireMaxRetries: found a float, expected an integer"),
        ("driftFactor = '1%'", "driftFactor: found a string, expected a number such as 0.01"),
        ("addrs = 'a:1'", "addrs: found a string, expected an array of strings"),
        ("addrs = [1]", "addrs: found an integer in the array, expected strings only"),
    ] {
        let shown = format!("etc.toml:2: [lock.redis] {message}");
        check(&format!("[lock.redis]\n{setting}"), ConfigErrorKind::WrongType, &shown);
    }
    check("lock = 3", ConfigErrorKind::WrongType, "etc.toml:1: lock: found an integer, expected a table");
    check(
        "[[lock.redis]]",
        ConfigErrorKind::WrongType,
        "etc.toml:1: [lock] redis: found an array, expected a table",
    );
}

#[test]
fn a_safeguard_of_the_guard_needs_the_guard() {
    check(
        "[lock.redis]\ntrustAof = true",
        ConfigErrorKind::InvalidValue,
        "etc.toml:2: [lock.redis] trustAof: it needs restartGuard = true",
    );
}

#[test]
fn an_unknown_key_is_refused_with_what_may_have_been_meant() {
    for (table, key, hint) in [
        ("lock.redis", "acquire_interval", "did you mean acquireInterval?"),
        ("lock.redis", "expirationn", "did you mean expiration?"),
        ("lock.redis", "addr", "did you mean addrs?"),
        ("lock.redis", "pasword", "did you mean password?"),
        ("lock", "defualt", "did you mean default?"),
        ("lock", "expiration", "expected one of default"),
        (
            "lock.memory",
            "db",
            "expected one of prefix, expiration, maxExpiration, nodeTimeout, driftFactor, acquireInterval, \
             acquireMaxRetries, acquireTimeout, renewLimit, handoff, fencing, fencingRetention, restartGuard",
        ),
    ] {
        let shown = format!("etc.toml:2: [{table}] {key}: there is no such key; {hint}");
        check(&format!("[{table}]\n{key} = 1"), ConfigErrorKind::UnknownKey, &shown);
    }
}

#[test]
fn a_key_belongs_to_its_own_table_alone() {
    for text in [
        "[lock.redis]\nnodes = ['a:1']",
        "[lock.redlock]\naddrs = ['a:1']",
        "[lock.redlock]\nmaxRetries = 3",
        "[lock.redis.tls]\nca = 'x'",
        "[lock]\ndefault = 'memory'\n[lock.memory]\n[lock.redis]\nfencin = true",
    ] {
        assert_eq!(refused(text).0, ConfigErrorKind::UnknownKey, "{text}");
    }
}

#[test]
fn a_key_cannot_write_to_the_terminal() {
    let (_, message) = refused("[lock.redis]\n\"a\\u001b[2Jb\" = 1");
    assert!(message.contains("\"a\\u{1b}[2Jb\"") && !message.contains('\u{1b}'), "{message:?}");
}

#[test]
fn a_table_of_an_unknown_backend_is_refused_with_those_that_exist() {
    let known = unknown::tables();
    for (name, hint) in [
        ("paper", format!("known are {known}")),
        ("reddis", format!("did you mean [lock.redis]? Known are {known}")),
    ] {
        let shown = format!("etc.toml:3: [lock] {name}: there is no such table; {hint}");
        check(&format!("[lock.redis]\n\n[lock.{name}]"), ConfigErrorKind::UnknownBackend, &shown);
    }
}

#[test]
fn without_a_table_nothing_is_configured() {
    let known = unknown::tables();
    let message = format!("etc.toml: there is no table [lock]; expected one of {known}");
    check("", ConfigErrorKind::NoBackend, &message);
    check("[log]\nlevel = 1", ConfigErrorKind::NoBackend, &message);
    let message = format!("etc.toml: [lock]: there is no table of a backend; expected one of {known}");
    check("[lock]", ConfigErrorKind::NoBackend, &message);
}

#[test]
fn several_tables_need_a_default_that_exists() {
    let two = "[lock.redis]\n[lock.memory]\n";
    check(
        two,
        ConfigErrorKind::SeveralBackends,
        "etc.toml: [lock]: there are [lock.memory] and [lock.redis]; pick one with default = \"redis\"",
    );
    check(
        &format!("lock.default = 'redlock'\n{two}"),
        ConfigErrorKind::InvalidValue,
        "etc.toml:1: [lock] default = \"redlock\": there is no table [lock.redlock], only [lock.memory], [lock.redis]",
    );
    check(
        "[lock]\ndefault = 'redis'",
        ConfigErrorKind::InvalidValue,
        "etc.toml:2: [lock] default = \"redis\": there is no table [lock.redis]",
    );
    check(
        &format!("lock.default = 'paper'\n{two}"),
        ConfigErrorKind::InvalidValue,
        "etc.toml:1: [lock] default = \"paper\": there is no such table; known are [lock.redlock], [lock.redis], \
         [lock.memcache], [lock.etcd], [lock.zookeeper], [lock.file], [lock.memory]",
    );
}

#[test]
fn the_keys_of_sentinels_need_each_other() {
    use ConfigErrorKind::{Incomplete, InvalidValue};
    check(
        "[lock.redis]\nsentinelPassword = 'hunter2'",
        Incomplete,
        "etc.toml:2: [lock.redis] sentinelPassword: sentinelPassword is set but masterName is not; \
         without it addrs are no sentinels",
    );
    check(
        "[lock.redis]\nmasterName = 'm'",
        Incomplete,
        "etc.toml:2: [lock.redis] masterName: there are no addrs; with masterName they are the sentinels, \
         such as [\"10.0.0.1:26379\", ...]",
    );
    check(
        "[lock.redis]\naddrs = ['a:1']\nmasterName = 'my master'",
        InvalidValue,
        "etc.toml:3: [lock.redis] masterName = \"my master\": the name of the master is not one that Sentinel \
         allows; expected the name in the sentinels' own configuration (`sentinel monitor NAME ...`), of letters, \
         digits and . - _",
    );
}

#[test]
fn a_cluster_is_not_guarded_in_name_alone() {
    let text = "[lock.redis]\naddrs = ['a:1', 'b:1']\nrestartGuard =";
    check(
        &format!("{text} true"),
        ConfigErrorKind::InvalidValue,
        "etc.toml:3: [lock.redis] restartGuard: several addrs are a Redis Cluster, which keeps no marker of its \
         memory; expected false, one address, or independent masters in [lock.redlock]",
    );
    assert!(load(&format!("{text} false")).is_ok());
    assert!(load(&format!("{text} true\nmasterName = 'm'")).is_ok());
}

#[test]
fn a_member_of_a_cluster_or_a_sentinel_is_named_once() {
    for (master, of) in [("", "Cluster members"), ("masterName = 'm'\n", "sentinels")] {
        let (kind, message) = refused(&format!("[lock.redis]\n{master}addrs = ['a:1', 'b:1', 'A:1']"));
        assert_eq!(kind, ConfigErrorKind::InvalidValue);
        assert!(message.contains(&format!("a:1 is twice among the addresses of the {of}")), "{message}");
    }
}

#[test]
fn an_address_that_does_not_parse_is_refused() {
    const ADDRESS: &str = "expected host:port, where an IPv6 address is in brackets as in \"[::1]:6379\"";
    for (addrs, problem) in [
        ("[]", "there are no addresses; expected one, such as [\"127.0.0.1:6379\"]"),
        ("['']", ADDRESS),
        ("[':6379']", ADDRESS),
        ("['::1']", ADDRESS),
        ("['a:x']", ADDRESS),
        ("['a:0']", ADDRESS),
        ("['a b:1']", ADDRESS),
        ("['a\\t:1']", ADDRESS),
        ("['a:1/2']", ADDRESS),
        ("['a:1?x']", ADDRESS),
        ("['user:pw@a:1']", ADDRESS),
        (
            "['redis://a:1']",
            "expected host:port; a URL belongs into [lock.redlock]: nodes = [\"redis://...\"]",
        ),
    ] {
        let shown = format!("etc.toml:2: [lock.redis] addrs: {problem}");
        check(&format!("[lock.redis]\naddrs = {addrs}"), ConfigErrorKind::InvalidValue, &shown);
    }
}

#[test]
fn the_same_node_twice_is_refused_with_both_positions() {
    check(
        "[lock.redlock]\nnodes = [\n'redis://u:p@Redis-1:6379/0',\n'redis://b',\n'redis-1']",
        ConfigErrorKind::DuplicateNodes,
        "etc.toml:5: [lock.redlock] nodes: nodes 1 and 3 are both redis-1:6379; one server has one vote",
    );
    check(
        "[lock.redlock]\ndb = 2\nnodes = ['a', 'redis://a/2']",
        ConfigErrorKind::DuplicateNodes,
        "etc.toml:3: [lock.redlock] nodes: nodes 1 and 2 are both a:6379/2; one server has one vote",
    );
}

#[test]
fn a_quorum_without_nodes_or_with_too_many_is_refused() {
    let (kind, message) = refused("[lock.redlock]");
    assert_eq!(kind, ConfigErrorKind::Incomplete);
    assert!(message.starts_with("etc.toml: [lock.redlock] nodes: there are no nodes"), "{message}");

    let (_, message) = refused("[lock.redlock]\nnodes = []");
    assert!(message.starts_with("etc.toml:2: [lock.redlock] nodes: no nodes are given"), "{message}");

    let nodes: Vec<_> = (0..64).map(|n| format!("'h{n}'")).collect();
    let (_, message) = refused(&format!("[lock.redlock]\nnodes = [{}]", nodes.join(",")));
    assert!(message.contains("64 nodes are given; at most 63 are allowed"), "{message}");
}

#[test]
fn a_bad_node_is_named_by_its_position_and_line() {
    for (node, problem) in [
        ("http://b:1", "a Redis URL must begin with redis:// or rediss://"),
        (
            "redis://b/x",
            "what follows the host in a Redis URL must be the number of a database, as in redis://host:6379/2",
        ),
        (
            "u:p@b:1",
            "expected host:port, where an IPv6 address is in brackets as in \"[::1]:6379\", \
             or a URL: redis://user:password@host:port/db, rediss:// for TLS",
        ),
    ] {
        check(
            &format!("[lock.redlock]\nnodes = [\n'a:1',\n'{node}']"),
            ConfigErrorKind::InvalidValue,
            &format!("etc.toml:4: [lock.redlock] nodes: node 2: {problem}"),
        );
    }
}

#[test]
fn a_certificate_needs_its_key_and_the_other_way_round() {
    for (set, missing) in [("certFile", "keyFile"), ("keyFile", "certFile")] {
        check(
            &format!("[lock.redis]\n{set} = 'x.pem'\n{missing} = ''"),
            ConfigErrorKind::Incomplete,
            &format!(
                "etc.toml:2: [lock.redis] {set}: {set} is set but {missing} is not; \
                 a client certificate needs both"
            ),
        );
    }
}

#[test]
fn a_tls_file_that_is_missing_or_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let origin = folder.path().join("etc.toml");
    for (path, problem) in [("no.pem", "No such file or directory"), (".", "it is not a regular file")] {
        for table in ["[lock.redis]", "[lock.redlock]\nnodes = ['a:1']"] {
            let error =
                Config::from_toml_str(&format!("{table}\ncaFile = '{path}'"), &origin).expect_err(path);
            assert_eq!((error.kind(), error.key()), (ConfigErrorKind::File, Some("caFile")));
            let message = error.to_string();
            let shown = folder.path().join(path).display().to_string();
            assert!(message.contains(problem) && message.contains(&shown), "{message}");
        }
    }
}

#[test]
fn plain_text_is_refused_where_tls_files_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "pem").unwrap();
    check(
        &format!("[lock.redlock]\ncaFile = '{}'\nnodes = ['rediss://a', 'redis://:p@b:1/3']", ca.display()),
        ConfigErrorKind::InvalidValue,
        "etc.toml:3: [lock.redlock] nodes: node 2: redis://b:1/3 asks for plain text, \
         but caFile or certFile is set; write rediss:// or host:port",
    );
}

#[test]
fn a_username_without_a_password_is_refused() {
    let (kind, message) = refused("[lock.redis]\nusername = 'app'\npassword = ''");
    assert_eq!(kind, ConfigErrorKind::Incomplete);
    assert!(message.starts_with("etc.toml:2: [lock.redis] username: there is a username but no password"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.toml");
    let error = Config::from_file(&file).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
    assert!(error.to_string().starts_with(&format!("{}: cannot read the file: ", file.display())));

    std::fs::write(&file, b"[lock.redis]\nprefix = '\xff'").unwrap();
    let error = Config::from_file(&file).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn a_syntax_error_is_named_with_its_line() {
    let error = load("[lock.redis]\n\nprefix = due").unwrap_err();
    assert_eq!((error.kind(), error.line()), (ConfigErrorKind::Syntax, Some(3)));
    assert!(error.to_string().starts_with("etc.toml:3: not valid TOML: "), "{error}");
}

#[test]
fn an_environment_that_contradicts_itself_or_is_empty_is_refused() {
    for (config, nodes, kind, message) in [
        (
            Some("a.toml"),
            Some("redis://a"),
            ConfigErrorKind::Environment,
            "REDLOCK_CONFIG: REDLOCK_NODES is set too; set only one of them",
        ),
        (
            Some(""),
            None,
            ConfigErrorKind::Environment,
            "REDLOCK_CONFIG: it is set but empty; expected the path of a file",
        ),
        (
            None,
            Some(" ,"),
            ConfigErrorKind::InvalidValue,
            "REDLOCK_NODES: no nodes are given; a lock needs at least one, and five tolerate two failures",
        ),
        (
            None,
            Some("redis://u:p@a redis://A:6379"),
            ConfigErrorKind::DuplicateNodes,
            "REDLOCK_NODES: nodes 1 and 2 are both a:6379; one server has one vote",
        ),
    ] {
        let lookup = |name: &str| match name {
            "REDLOCK_CONFIG" => config.map(OsString::from),
            _ => nodes.map(OsString::from),
        };
        let error = environment::load(lookup).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
}
