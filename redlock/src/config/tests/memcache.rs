//! `[lock.memcache]`.

use std::path::Path;

use super::*;
use crate::backend::memcached::{MemcachedConfig, TlsFiles};

/// As the manual of due has it.
const DUE: &str = r#"[lock.memcache]
    # 客户端连接地址
    addrs = ["127.0.0.1:11211"]
    # key前缀
    prefix = "due:lock"
    # 锁过期时间（自动续约），支持单位：纳秒（ns）、微秒（us | µs）、毫秒（ms）、秒（s）、分（m）、小时（h）、天（d）。默认为3s
    expiration = "3s"
    # 循环获取锁的频率间隔时间，支持单位：纳秒（ns）、微秒（us | µs）、毫秒（ms）、秒（s）、分（m）、小时（h）、天（d）。默认为20ms
    acquireInterval = "20ms"
    # 循环获取锁的最大重试次数，默认为0，<=0则为无限次
    acquireMaxRetries = 0
"#;

fn node(text: &str) -> MemcachedConfig {
    match load(text).unwrap().nodes.as_slice() {
        [NodeConfig::Memcached(node)] => (**node).clone(),
        other => panic!("expected a memcached, found {other:?}"),
    }
}

#[test]
fn the_file_of_the_due_manual_loads_unchanged_and_means_the_same() {
    assert_eq!(node(DUE), MemcachedConfig::new("127.0.0.1").port(11_211).prefix("due:lock"));
    let config = load(DUE).unwrap();
    assert_eq!(config.settings.ttl.get(), std::time::Duration::from_secs(3));
    assert!(!config.settings.restart_guard, "a due service knows no quarantine");
    assert_eq!(load("[lock.memcache]").unwrap(), config, "its defaults are those of due");
}

#[test]
fn every_key_reaches_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.path().join(name), "pem").unwrap();
    }
    let text = r#"[lock.memcache]
        addrs = ["a", "b:7", "[::1]:8"]
        prefix = ""
        username = "app"
        password = "hunter2"
        caFile = "ca.pem"
        certFile = "cert.pem"
        keyFile = "key.pem"
        restartGuard = false"#;
    let config = Config::from_toml_str(text, &folder.path().join("etc.toml")).unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = TlsFiles::platform().ca(at("ca.pem")).cert(at("cert.pem")).key(at("key.pem"));
    let expected = MemcachedConfig::sharded(["a:11211", "b:7", "[::1]:8"]).unwrap();
    let expected = expected.prefix("").credentials("app", "hunter2").tls(files);
    assert_eq!(config.nodes, [NodeConfig::Memcached(Box::new(expected))]);
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(load("[lock.memcache]\nrestartGuard = true").unwrap().settings.restart_guard);
}

#[test]
fn mistakes_are_refused_with_line_and_key_and_without_a_password() {
    for (text, kind, message) in [
        (
            "addrs = []",
            ConfigErrorKind::InvalidValue,
            "etc.toml:2: [lock.memcache] addrs: there are no addresses of memcached servers; expected at least one host:port",
        ),
        (
            "addrs = [\n'a',\n'app:hunter2@b:1']",
            ConfigErrorKind::InvalidValue,
            "etc.toml:4: [lock.memcache] addrs: address 2 of the memcached servers is not host:port",
        ),
        (
            "addrs = ['a', 'A:11211']",
            ConfigErrorKind::InvalidValue,
            "etc.toml:2: [lock.memcache] addrs: a:11211 is twice among the addresses",
        ),
        (
            "addrs = ['a', 'b']\nrestartGuard = true",
            ConfigErrorKind::InvalidValue,
            "etc.toml:3: [lock.memcache] restartGuard: locks are spread over several addrs",
        ),
        (
            "password = 'hunter2'",
            ConfigErrorKind::Incomplete,
            "etc.toml:2: [lock.memcache] password: password is set but username is not",
        ),
        (
            "username = 'app'",
            ConfigErrorKind::Incomplete,
            "etc.toml:2: [lock.memcache] username: username is set but password is not",
        ),
        (
            "username = 'app'\npassword = 'hunter2 x'",
            ConfigErrorKind::InvalidValue,
            "etc.toml:3: [lock.memcache] password: the password is empty, or has a character",
        ),
        (
            "certFile = 'a.pem'",
            ConfigErrorKind::Incomplete,
            "etc.toml:2: [lock.memcache] certFile: certFile is set but keyFile is not",
        ),
        (
            "caFile = 'none.pem'",
            ConfigErrorKind::File,
            "etc.toml:2: [lock.memcache] caFile: cannot read the file",
        ),
        ("db = 1", ConfigErrorKind::UnknownKey, "etc.toml:2: [lock.memcache] db: there is no such key"),
    ] {
        let error = load(&format!("[lock.memcache]\n{text}")).unwrap_err();
        let shown = error.to_string();
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(shown.starts_with(message), "{shown}\n{message}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let long = format!("[lock.memcache]\nprefix = '{}'", "x".repeat(129));
    let error = Config::from_toml_str(&long, Path::new("etc.toml")).unwrap_err();
    assert_eq!(error.key(), Some("prefix"));
}
