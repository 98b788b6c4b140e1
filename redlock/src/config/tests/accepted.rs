//! What a configuration means.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::DriftFactor;
use crate::backend::redis::TlsFiles;
use crate::id::Ttl;

const DUE: &str = include_str!("../due-etc.toml");

fn settings(seconds: u64) -> Settings {
    let ttl = Ttl::new(Duration::from_secs(seconds)).unwrap();
    Settings { restart_guard: false, ..Settings::new(ttl) }
}

#[test]
fn the_file_of_the_due_manual_loads_unchanged_and_means_the_same() {
    let config = load(DUE).unwrap();
    let node = RedisConfig::new("127.0.0.1").port(6379).db(0).prefix("due:lock");
    assert_eq!(config.nodes, [NodeConfig::Redis(Box::new(node))]);
    assert_eq!(config.settings, settings(3));
    assert_eq!(config.settings.acquire_interval, Duration::from_millis(20));
    assert_eq!(config.settings.max_retries, None);
    assert_eq!(config.settings.max_ttl.get(), Duration::from_secs(30));
}

#[test]
fn an_empty_table_means_the_defaults_of_due() {
    let redis = load("[lock.redis]\ndb = 0").unwrap();
    assert_eq!(redis, load(DUE).unwrap());
    let memory = load("[lock.memory]").unwrap();
    assert_eq!(memory.nodes, [NodeConfig::Memory]);
    assert_eq!(memory.settings, settings(3));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    let text = format!("\u{feff}{}", DUE.replace('\n', "\r\n"));
    assert_eq!(load(&text).unwrap(), load(DUE).unwrap());
}

#[test]
fn a_quorum_has_defaults_of_its_own() {
    let config = load("[lock.redlock]\nnodes = ['10.0.0.1:6379']").unwrap();
    assert_eq!(config.settings, Settings { restart_guard: true, ..settings(10) });
    let nodes = redlock("[lock.redlock]\nnodes = ['10.0.0.1:6379']");
    assert_eq!(nodes, [RedisConfig::new("10.0.0.1").prefix("redlock")]);
}

#[test]
fn every_key_reaches_its_setting() {
    let nodes = redlock(
        r##"[lock.redlock]
        nodes = ["redis://a", "rediss://u:p@b:7000/2", "c:6380"]
        db = 1
        username = "app"
        password = "hunter2"
        prefix = ""
        "##,
    );
    let of_table = |host| RedisConfig::new(host).db(1).username("app").password("hunter2").prefix("");
    let of_url = RedisConfig::new("b").port(7000).db(2).username("u").password("p").prefix("");
    let of_url = of_url.tls(TlsFiles::platform());
    assert_eq!(nodes, [of_table("a"), of_url, of_table("c").port(6380)]);

    let timing = load(
        r#"[lock.memory]
        expiration = "1m30s"
        maxExpiration = "2m"
        nodeTimeout = 70_000_000
        driftFactor = 0.05
        acquireInterval = "1.5ms"
        acquireMaxRetries = 7
        acquireTimeout = "5s"
        renewLimit = "1d"
        handoff = 7
        fencing = true
        fencingRetention = "2m"
        restartGuard = true
        "#,
    );
    let expected = Settings {
        max_ttl: Ttl::new(Duration::from_secs(120)).unwrap(),
        node_timeout: Some(Duration::from_millis(70)),
        drift_factor: DriftFactor::new(0.05).unwrap(),
        acquire_interval: Duration::from_micros(1500),
        handoff: 7,
        max_retries: Some(7),
        wait_limit: Some(Duration::from_secs(5)),
        renew_limit: Some(Duration::from_secs(86_400)),
        fencing: Some(Duration::from_secs(120)),
        restart_guard: true,
        ..settings(90)
    };
    assert_eq!(timing.unwrap().settings, expected);
    let trusting = load("[lock.redlock]\nnodes = ['a']\ntrustAof = true").unwrap();
    assert!(trusting.settings.trust_aof);
}

/// The node of `[lock.redis]`.
fn redis(text: &str) -> RedisConfig {
    redlock(&format!("[lock.redis]\n{text}")).remove(0)
}

#[test]
fn several_addresses_are_a_cluster_whose_database_is_ignored_as_due_does() {
    let cluster = RedisConfig::cluster(["a:7000", "b"]).unwrap();
    let of_due = |node: RedisConfig| node.db(0).prefix("due:lock").username("app").password("hunter2");
    let text = "addrs = ['a:7000', 'b']\ndb = 3\nusername = 'app'\npassword = 'hunter2'";
    assert_eq!(redis(text), of_due(cluster));
}

#[test]
fn a_master_name_makes_the_addresses_sentinels_however_many() {
    let text = "masterName = 'm'\ndb = 2\npassword = 'a'\nsentinelUsername = 'u'\nsentinelPassword = 'b'";
    for addresses in [&["s1"][..], &["s1", "s2:7000"]] {
        let node = RedisConfig::sentinel("m", addresses).unwrap().prefix("due:lock");
        let expected = node.db(2).password("a").sentinel_username("u").sentinel_password("b");
        assert_eq!(redis(&format!("addrs = {addresses:?}\n{text}")), expected);
    }
    let unset = "addrs = ['a']\nmasterName = ''\nsentinelUsername = ''\nsentinelPassword = ''";
    assert_eq!(redis(unset), RedisConfig::new("a").prefix("due:lock"));
}

#[test]
fn a_user_and_a_password_are_one_pair_and_never_mixed_from_url_and_table() {
    let nodes = redlock(
        "[lock.redlock]\nnodes = ['redis://u@a', 'redis://:p@b', 'redis://:@c']\n\
         username = 'app'\npassword = 'hunter2'",
    );
    let expected = [
        RedisConfig::new("a").username("u"),
        RedisConfig::new("b").password("p"),
        RedisConfig::new("c").username("app").password("hunter2"),
    ];
    assert_eq!(nodes, expected);
}

#[test]
fn a_database_of_a_url_goes_before_that_of_the_table_even_if_it_is_0() {
    let nodes = redlock("[lock.redlock]\nnodes = ['redis://a/0', 'redis://a/', 'redis://a/300']\ndb = 299");
    assert_eq!(
        nodes.iter().map(RedisConfig::address).collect::<Vec<_>>(),
        ["a:6379", "a:6379/299", "a:6379/300"]
    );
}

#[test]
fn fencing_is_on_unless_it_is_switched_off() {
    let fencing = |text| load(text).unwrap().settings.fencing;
    assert_eq!(fencing("[lock.redis]"), Some(Duration::from_secs(600)));
    assert_eq!(fencing("[lock.redis]\nfencing = true"), Some(Duration::from_secs(600)));
    assert_eq!(fencing("[lock.redis]\nfencing = false\nfencingRetention = '1h'"), None);
}

#[test]
fn a_bare_integer_is_nanoseconds() {
    assert_eq!(load("[lock.redis]\nexpiration = 3_000_000_000").unwrap(), load("[lock.redis]").unwrap());
}

#[test]
fn a_drift_factor_may_be_written_as_an_integer() {
    let config = load("[lock.redis]\ndriftFactor = 0").unwrap();
    assert_eq!(config.settings.drift_factor, DriftFactor::new(0.0).unwrap());
}

#[test]
fn no_retries_below_one_means_without_limit() {
    for retries in ["0", "-1", "-9223372036854775808"] {
        let config = load(&format!("[lock.redis]\nacquireMaxRetries = {retries}")).unwrap();
        assert_eq!(config.settings.max_retries, None, "{retries}");
    }
}

#[test]
fn the_longest_ttl_follows_an_expiration_above_its_default() {
    let config = load("[lock.redis]\nexpiration = '5m'").unwrap();
    assert_eq!(config.settings.max_ttl.get(), Duration::from_secs(300));
}

#[test]
fn default_picks_one_of_several_tables_and_the_others_need_not_be_usable() {
    let text =
        "[lock]\ndefault = 'memory'\n[lock.memory]\n[lock.redis]\naddrs = ['a:1', 'b:2']\ncaFile = 'no'";
    assert_eq!(load(text).unwrap().nodes, [NodeConfig::Memory]);
}

#[test]
fn other_tables_of_the_file_belong_to_the_application() {
    let text = "debug = true\n[log]\nfile = 'x'\n[lock.redis]\n[cache.redis]\naddrs = [1]";
    assert_eq!(load(text).unwrap(), load("[lock.redis]").unwrap());
}

#[test]
fn tls_files_are_found_from_the_folder_of_the_configuration_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        std::fs::write(folder.path().join(name), "pem").unwrap();
    }
    let absolute = folder.path().join("ca.pem");
    let file = folder.path().join("etc.toml");
    std::fs::write(
        &file,
        format!(
            "[lock.redis]\ncaFile = '{}'\ncertFile = 'cert.pem'\nkeyFile = './key.pem'",
            absolute.display()
        ),
    )
    .unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = TlsFiles::platform().ca(absolute).cert(at("cert.pem")).key(at("./key.pem"));
    let node = RedisConfig::new("127.0.0.1").prefix("due:lock").tls(files);
    assert_eq!(Config::from_file(&file).unwrap().nodes, [NodeConfig::Redis(Box::new(node))]);
}

#[test]
fn tls_files_of_the_table_make_bare_addresses_speak_tls() {
    let folder = tempfile::tempdir().unwrap();
    let ca: PathBuf = folder.path().join("ca.pem");
    std::fs::write(&ca, "pem").unwrap();
    let nodes =
        redlock(&format!("[lock.redlock]\nnodes = ['a:1', 'rediss://b']\ncaFile = '{}'", ca.display()));
    let files = TlsFiles::platform().ca(ca);
    assert_eq!(nodes, [RedisConfig::new("a").port(1).tls(files.clone()), RedisConfig::new("b").tls(files)]);
}

#[test]
fn the_environment_names_nodes_or_a_file_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("etc.toml");
    std::fs::write(&file, DUE).unwrap();

    let numbered = |config: Option<OsString>, nodes: Option<&str>, number: Option<&str>| {
        let nodes = nodes.map(OsString::from);
        environment::load(|name| match name {
            "REDLOCK_CONFIG" => config.clone(),
            "REDLOCK_NODES" => nodes.clone(),
            "REDLOCK_NODE_SET" => number.map(OsString::from),
            other => panic!("{other} was asked for"),
        })
    };
    let variables = |config, nodes| numbered(config, nodes, None);
    assert_eq!(variables(None, None), Ok(None));
    assert_eq!(variables(Some(file.into_os_string()), None), load(DUE).map(Some));
    assert_eq!(
        numbered(None, Some("a,b"), Some("7")),
        load("[lock.redlock]\nnodes = ['a', 'b']\nnodeSet = 7").map(Some)
    );
    let error = numbered(None, Some("a,b"), Some("-1")).unwrap_err().to_string();
    assert!(error.contains("REDLOCK_NODE_SET"), "{error}");
    assert_eq!(
        variables(None, Some(" redis://a:1,redis://b:1/2 , c\n")),
        load("[lock.redlock]\nnodes = ['redis://a:1', 'redis://b:1/2', 'c']").map(Some)
    );
}

#[test]
fn a_list_of_nodes_is_read_as_that_of_the_environment_and_errors_name_where_it_is_from() {
    let list = "redis://u:s3cret@a,zookeeper://b,c:1";
    let from_environment = environment::load(|name| (name == "REDLOCK_NODES").then(|| OsString::from(list)));
    assert_eq!(Config::from_nodes(list, "--nodes").map(Some), from_environment);
    let error = Config::from_nodes("a,redis://u:s3cret@a", "--nodes").unwrap_err().to_string();
    assert!(error.starts_with("--nodes: nodes 1 and 2") && !error.contains("s3cret"), "{error}");
}

#[test]
fn the_documentation_names_exactly_the_keys_that_are_accepted() {
    let documented: BTreeSet<_> = include_str!("../../config.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split('`').next())
        .filter(|name| !name.starts_with(['[', 'R']))
        .collect();
    let own = Backend::ALL.into_iter().flat_map(|backend| backend.own_keys().iter().copied());
    assert_eq!(documented, own.chain(timing::KEYS).collect::<BTreeSet<_>>());
}
