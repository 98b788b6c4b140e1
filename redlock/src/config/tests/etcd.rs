//! `[lock.etcd]`.

use super::{Config, NodeConfig, load};
use crate::backend::etcd::{EtcdConfig, TlsFiles};

fn etcd(text: &str) -> EtcdConfig {
    match load(text).unwrap().nodes.pop() {
        Some(NodeConfig::Etcd(config)) => *config,
        other => panic!("expected an etcd, found {other:?}"),
    }
}

fn refused(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn a_table_says_how_to_reach_the_ensemble() {
    let common = |addresses: &[&str]| EtcdConfig::new(addresses).unwrap().prefix("due:lock");
    assert_eq!(etcd("[lock.etcd]"), common(&["127.0.0.1:2379"]));
    let text = "[lock.etcd]\naddrs = ['a', 'b:7']\nprefix = 'p'\nusername = 'u'\npassword = 'hunter2'\nexpiration = '9s'";
    let config = common(&["a:2379", "b:7"]).prefix("p").username("u").password("hunter2");
    assert_eq!(etcd(text), config);
    assert_eq!(etcd("[lock.etcd]\nusername = ''\npassword = ''\ncaFile = ''"), common(&["127.0.0.1"]));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "pem").unwrap();
    let file = folder.path().join("etc.toml");
    let config = Config::from_toml_str("[lock.etcd]\ncaFile = 'ca.pem'", &file).unwrap();
    let files = TlsFiles::platform().ca(folder.path().join("ca.pem"));
    assert_eq!(config.nodes, [NodeConfig::Etcd(Box::new(common(&["127.0.0.1"]).tls(files)))]);
}

#[test]
fn each_mistake_is_named_with_its_key_and_line_and_without_the_password() {
    for (text, expected) in [
        (
            "addrs = []",
            "etc.toml:2: [lock.etcd] addrs: there is no endpoint; expected at least one host[:port]",
        ),
        ("addrs = ['a',\n'A:2379']", "etc.toml:3: [lock.etcd] addrs: endpoint 2 was given before"),
        ("addrs = ['http://a']", "etc.toml:2: [lock.etcd] addrs: endpoint 1 is none"),
        ("username = 'u'", "etc.toml:2: [lock.etcd] username: username is set but password is not"),
        ("password = 'hunter2'", "etc.toml:2: [lock.etcd] password: password is set but username is not"),
        ("certFile = 'c'", "etc.toml:2: [lock.etcd] certFile: certFile is set but keyFile is not"),
        ("caFile = 'none.pem'", "etc.toml:2: [lock.etcd] caFile: cannot read the file \"none.pem\""),
        ("db = 1", "etc.toml:2: [lock.etcd] db: there is no such key"),
    ] {
        let said = refused(&format!("[lock.etcd]\n{text}"));
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let long = refused(&format!("[lock.etcd]\nprefix = '{}'", "x".repeat(65)));
    assert!(long.contains("the prefix has 65 bytes"), "{long}");
}
