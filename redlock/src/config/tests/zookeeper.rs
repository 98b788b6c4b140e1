//! `[lock.zookeeper]`.

use std::time::Duration;

use super::*;
use crate::backend::zookeeper::ZooKeeperConfig;

fn zookeeper(text: &str) -> ZooKeeperConfig {
    match load(&format!("[lock.zookeeper]\n{text}")).unwrap().nodes.as_slice() {
        [NodeConfig::ZooKeeper(config)] => (**config).clone(),
        other => panic!("expected a ZooKeeper, found {other:?}"),
    }
}

#[track_caller]
fn check(text: &str, message: &str) {
    let error = load(&format!("[lock.zookeeper]\n{text}")).expect_err(text);
    assert_eq!(error.to_string(), format!("etc.toml:{message}"), "\n{text}");
}

#[test]
fn an_empty_table_means_the_ensemble_on_this_machine() {
    assert_eq!(zookeeper(""), ZooKeeperConfig::new(["127.0.0.1:2181"]).unwrap().prefix("due:lock"));
}

#[test]
fn every_key_reaches_its_setting() {
    let config = zookeeper(
        "addrs = ['zk1', 'zk2:2182']\nprefix = 'a/b'\nusername = 'u'\npassword = 'p'\nsessionTimeout = '20s'\ntouchDelay = '3s'",
    );
    let expected = ZooKeeperConfig::new(["zk1:2181", "zk2:2182"]).unwrap().prefix("a/b").login("u", "p");
    let expected = expected.session_timeout(Duration::from_secs(20)).touch_delay(Duration::from_secs(3));
    assert_eq!(config, expected);
}

#[cfg(feature = "tls")]
#[test]
fn files_are_looked_for_from_the_folder_of_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["ca.pem", "client.pem", "client.key"] {
        std::fs::write(directory.path().join(file), "").unwrap();
    }
    let text = "[lock.zookeeper]\ncaFile = 'ca.pem'\ncertFile = 'client.pem'\nkeyFile = 'client.key'";
    let config = Config::from_toml_str(text, &directory.path().join("etc.toml")).unwrap();
    let path = |file| directory.path().join(file);
    let expected = ZooKeeperConfig::new(["127.0.0.1"]).unwrap().prefix("due:lock").ca_file(path("ca.pem"));
    let expected = expected.client_certificate(path("client.pem"), path("client.key"));
    assert_eq!(config.nodes, [NodeConfig::ZooKeeper(Box::new(expected))]);
    let error = Config::from_toml_str(
        "[lock.zookeeper]\ncertFile = 'client.pem'\nkeyFile = 'client.key'",
        &directory.path().join("etc.toml"),
    );
    assert!(error.unwrap_err().to_string().contains("TLS needs a file with the certificates"));
}

#[test]
fn each_mistake_names_its_key_and_line_and_no_password() {
    check(
        "addrs = [\n'zk1',\n'u:hunter2@zk2',\n]",
        "4: [lock.zookeeper] addrs: member 2: the port is no number; expected host[:port], such as 10.0.0.1:2181 or \
         [::1]:2181",
    );
    check(
        "addrs = []",
        "2: [lock.zookeeper] addrs: no member is named; expected host[:port], several of them separated by commas",
    );
    check(
        "password = 'hunter2'",
        "2: [lock.zookeeper] password: username and password are needed together (digest authentication)",
    );
    check(
        "username = 'a:b'\npassword = 'hunter2'",
        "2: [lock.zookeeper] username: digest authentication needs a user without a colon, and a password",
    );
    check(
        "sessionTimeout = '1ms'",
        "2: [lock.zookeeper] sessionTimeout: the session timeout is out of range; expected 10 ms to 24 days",
    );
    check(
        "prefix = 'a//b'",
        "2: [lock.zookeeper] prefix: the prefix has an empty part; expected names separated by single slashes",
    );
}
