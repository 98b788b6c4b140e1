//! A client's life with most of what can go wrong in it.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode, TlsFiles};
use redlock::config::Config;
use redlock::node::{AcquireRequest, ExtendRequest, Fence, Node, Raise, RaiseRequest, ReleaseRequest};
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{BuildError, Instant, LockGuard, LockName, Locks, LocksBuilder, OwnerToken, Protections, Ttl};
use redlock_tests::support::eventually;

use crate::Witness;
use crate::secret::{Secret, percent_encoded};

const PASSWORD: &str = "q7/Kx@V#pw%9:Zt+5";
const WRONG: &str = "wR0ng/@nd:m0re%20!";
const KEY: &str = "c2VjcmV0LWtleS1vZi1hLWNsaWVudA";
const TTL: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);

/// Has this variable in the process that reads its environment.
const CHILD: &str = "REDLOCK_TEST_CHILD";

pub(crate) fn run(witness: &Witness) {
    witness.secret(Secret::new("the password", PASSWORD));
    witness.secret(Secret::new("a wrong password", WRONG));
    witness.secret(Secret::new("a private key", KEY));
    let fleet = start();
    witness.hear(&fleet);
    configuration(witness, &fleet);
    access(witness, &fleet);
    life(witness, &fleet);
    losses(witness, &fleet);
    nodes_that_are_away(witness, &fleet);
    one_node(witness, fleet.server(0));
}

/// Servers with a user whose password has characters that mean something in a URL.
fn start() -> RedisFleet {
    let rights = RedisConfig::new("h").restart_guard(true).acl_rule();
    let password = format!(">{PASSWORD}");
    let options = RedisServer::options().args(["--user", "keeper", "reset", "on", &password]);
    RedisFleet::start_with(3, &options.args(rights.split(' '))).unwrap()
}

fn url(server: &RedisServer, password: &str) -> String {
    format!("redis://keeper:{}@{}", percent_encoded(password.as_bytes(), "%"), server.address())
}

fn builder(fleet: &RedisFleet, password: &str) -> LocksBuilder {
    let urls = fleet.iter().map(|server| url(server, password));
    Locks::builder().nodes(urls).ttl(TTL).max_ttl(TTL).node_timeout(Duration::from_secs(1))
}

/// The owner tokens on the servers become secrets.
fn note_tokens(witness: &Witness, fleet: &RedisFleet) {
    let mut found = 0;
    for server in fleet.iter().filter(|server| server.is_running()) {
        for key in server.lock_keys().unwrap() {
            let Some(digits) = server.command(&["GET", &key]).unwrap().text().map(str::to_owned) else {
                continue;
            };
            assert_eq!(digits.len(), 40, "{key}");
            Secret::token(&digits).into_iter().for_each(|secret| witness.secret(secret));
            found += 1;
        }
    }
    assert!(found > 0, "no lock is held");
}

fn acquire(witness: &Witness, locks: &Locks, fleet: &RedisFleet, name: &str) -> LockGuard {
    let guard = block_on(locks.lock(name).wait_at_most(Duration::from_secs(30)).acquire()).unwrap();
    note_tokens(witness, fleet);
    witness.hear(&guard);
    guard
}

/// Files and variables that are wrong, with passwords in them.
fn configuration(witness: &Witness, fleet: &RedisFleet) {
    let directory = tempfile::tempdir().unwrap();
    let [file, key] = ["etc.toml", "client.key"].map(|name| directory.path().join(name));
    fs::write(&key, format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n")).unwrap();
    let (url, address) = (url(fleet.server(0), PASSWORD), fleet.server(0).address());
    for text in [
        format!("[lock.redlock]\nnodes = ['{url}', '{url}']"),
        format!("[lock.redlock]\nnodes = ['{url}/x']"),
        format!("[lock.redlock]\nnodes = ['{url}?x']"),
        format!("[lock.redlock]\nnodes = '{url}'"),
        format!("[lock.redlock]\nnodes = ['redis://keeper:{PASSWORD}@{address}']"),
        format!("[lock.redlock]\nnodes = ['{url}'"),
        format!("[lock.redlock]\nnodes = ['{url}']\nuser = '{PASSWORD}'"),
        format!("[lock.redlock]\nnodes = ['{url}']\npassword = ['{PASSWORD}']"),
        format!("[lock.redlock]\nnodes = ['{url}']\npassword = '{PASSWORD}"),
        format!("[lock.redlock]\nnodes = ['{url}']\npasword = '{PASSWORD}'"),
        format!("[lock.redlock]\nnodes = ['{url}']\nexpiration = '3 parsecs'\npassword = '{PASSWORD}'"),
        format!("[lock.redis]\naddrs = ['keeper:{PASSWORD}@{address}']"),
        format!("[lock.redis]\naddrs = ['{address}']\nusername = 'keeper'\npassword = 7 # {PASSWORD}"),
        format!("[lock.redis]\npassword = '{PASSWORD}'\ncaFile = 'missing.pem'"),
        format!("[lock.redis]\npassword = '{PASSWORD}'\ncertFile = 'client.key'\nkeyFile = 'client.key'"),
        format!("[lock.redis]\npassword = '{PASSWORD}'\ncaFile = 'client.key'"),
        format!("[lock.redis]\npassword = '{PASSWORD}'\nkeyFile = 'client.key'"),
    ] {
        fs::write(&file, &text).unwrap();
        let built = Config::from_file(&file).map_err(BuildError::from).and_then(|config| {
            witness.hear(&config);
            block_on(config.into_builder()?.build())
        });
        witness.error(built);
    }
    let good = format!("[lock.redis]\naddrs = ['{address}']\nusername = 'keeper'\npassword = '{PASSWORD}'\n");
    let config = Config::from_toml_str(&good, &file).unwrap();
    witness.hear(&config);
    witness.hear(&config.into_builder().unwrap());
    let files = TlsFiles::platform().cert(&key).key(&key);
    let config = RedisConfig::new("127.0.0.1").username("keeper").password(PASSWORD).tls(files);
    witness.hear(&config);
    witness.error(RedisNode::start(config, real_env().unwrap(), Protections::default()));
    environment(witness, &url);
}

/// What a process says that reads them from its environment.
fn environment(witness: &Witness, url: &str) {
    let name = "no_secret_is_printed_or_logged_in_the_life_of_a_client";
    for nodes in
        [format!("{url},{url}"), format!("{url}/x"), format!("redis://keeper:{PASSWORD}"), url.to_owned()]
    {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("REDLOCK_NODES", nodes);
        let output = child.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.contains("the environment says"), "{said}");
        witness.keep(said);
    }
}

pub(crate) fn is_the_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

pub(crate) fn read_the_environment() {
    match Config::from_env() {
        Ok(config) => println!("the environment says {config:?}"),
        Err(error) => println!("the environment says {error} {error:?}"),
    }
}

/// Passwords that are wrong, users that are unknown, servers that have forgotten a right.
fn access(witness: &Witness, fleet: &RedisFleet) {
    witness.hear(&builder(fleet, PASSWORD));
    witness.error(block_on(builder(fleet, WRONG).build()));
    witness.error(block_on(builder(fleet, WRONG).init()));
    for node in block_on(builder(fleet, WRONG).look()).unwrap() {
        witness.error(block_on(node.probe()));
    }
    let server = fleet.server(0);
    let config = RedisConfig::from_url(&url(server, WRONG)).unwrap();
    witness.hear(&config);
    for config in [
        config.clone().username("nobody"),
        RedisConfig::new("no-such-host.invalid").username("keeper").password(PASSWORD),
        config.tls(TlsFiles::platform()),
    ] {
        let node = RedisNode::start(config, real_env().unwrap(), Protections::default()).unwrap();
        witness.hear(&node);
        witness.error(block_on(Arc::clone(&node).probe()));
    }
    for broken in
        ["redis://keeper:PW@", "redis://keeper:PW@h:port", "http://keeper:PW@h", "redis://keeper:PW@h/1/2"]
    {
        let broken = broken.replace("PW", &percent_encoded(PASSWORD.as_bytes(), "%"));
        witness.error(RedisConfig::from_url(&broken));
        witness.error(block_on(Locks::builder().nodes([broken]).build()));
    }
    server.command(&["ACL", "SETUSER", "keeper", "-evalsha"]).unwrap();
    let one = Locks::builder().restart_guard(false).nodes([url(server, PASSWORD)]);
    let locks = block_on(one.build()).unwrap();
    witness.error(block_on(locks.lock("a").wait_at_most(SHORT).try_acquire()));
    server.command(&["ACL", "SETUSER", "keeper", "+evalsha"]).unwrap();
}

/// Acquire, extend, contend, hand over, release.
fn life(witness: &Witness, fleet: &RedisFleet) {
    let locks = block_on(builder(fleet, PASSWORD).init()).unwrap();
    let other = block_on(builder(fleet, PASSWORD).build()).unwrap();
    witness.hear(&locks);
    witness.hear(&locks.blocking());
    witness.hear_all(&block_on(locks.preflight()));
    let lock = locks.lock("a");
    witness.hear(&lock);
    let guard = acquire(witness, &locks, fleet, "a");
    witness.hear(&block_on(guard.extend()).unwrap());
    let held = guard.held();
    witness.hear(&held);
    witness.hear(&held.fencing_token());
    assert!(block_on(other.lock("a").try_acquire()).unwrap().is_none());
    witness.error(block_on(other.lock("a").wait_at_most(SHORT).acquire()));
    witness.error(block_on(lock.wait_at_most(SHORT).acquire()));
    witness.error(block_on(other.lock("a").retries(2).run(|held| async move { drop(held) })));
    for node in locks.nodes() {
        witness.hear(&block_on(Arc::clone(node).probe()).unwrap());
        witness.hear(&block_on(Arc::clone(node).inspect(LockName::new("a").unwrap())).unwrap());
        witness.hear(&node.standing());
    }
    block_on(guard.release()).unwrap();
    witness.hear(&held.state());
    witness.error(block_on(held.extend()));
    let several = ["b", "c"].map(|name| locks.lock(name));
    let guards = block_on(redlock::Lock::acquire_all(several)).unwrap();
    note_tokens(witness, fleet);
    witness.hear(&guards);
    witness.hear(&block_on(locks.shutdown(SHORT)));
    witness.error(block_on(locks.lock("a").acquire()));
}

/// Locks that are taken away.
fn losses(witness: &Witness, fleet: &RedisFleet) {
    let locks = block_on(builder(fleet, PASSWORD).init()).unwrap();
    let guard = acquire(witness, &locks, fleet, "deleted");
    fleet.iter().for_each(|server| drop(server.command(&["DEL", "redlock:deleted"]).unwrap()));
    witness.hear_all(&block_on(guard.lost()).unwrap());
    witness.error(block_on(guard.extend()));
    witness.error(block_on(guard.release()));

    let guard = acquire(witness, &locks, fleet, "stolen");
    for server in fleet {
        server.command(&["SET", "redlock:stolen", &"ab".repeat(20), "PX", "1000"]).unwrap();
    }
    witness.hear_all(&block_on(guard.lost()).unwrap());
    witness.error(block_on(guard.release()));

    let lost = block_on(locks.lock("run").run(|held| async move {
        note_tokens(witness, fleet);
        fleet.iter().for_each(|server| drop(server.command(&["DEL", "redlock:run"]).unwrap()));
        held.lost().await;
        std::future::pending::<()>().await;
    }));
    witness.error(lost);
}

/// Servers that die, stand still, and come back without their memory.
fn nodes_that_are_away(witness: &Witness, fleet: &RedisFleet) {
    let locks = block_on(builder(fleet, PASSWORD).init()).unwrap();
    let guard = acquire(witness, &locks, fleet, "restart");
    fleet.server(0).restart().unwrap();
    eventually("the lock is restored", || fleet.server(0).lock_keys().is_ok_and(|keys| !keys.is_empty()));
    note_tokens(witness, fleet);
    fleet.iter().take(2).for_each(RedisServer::kill);
    witness.error(block_on(guard.extend()));
    witness.error(block_on(locks.lock("unavailable").wait_at_most(SHORT).acquire()));
    witness.error(block_on(guard.release()));
    witness.hear_all(&block_on(locks.preflight()));
    witness.error(block_on(builder(fleet, PASSWORD).build()));
    witness.error(block_on(builder(fleet, PASSWORD).init()));
    witness.hear_all(&fleet.server(0).command(&["GET", PASSWORD]).unwrap_err());
    fleet.server(2).pause().unwrap();
    witness.error(block_on(locks.lock("silent").wait_at_most(SHORT).acquire()));
    fleet.server(2).resume().unwrap();
    fleet.iter().take(2).for_each(|server| server.restart().unwrap());
    // They have lost their memory, and wait.
    drop(acquire(witness, &locks, fleet, "again"));
}

/// What a node is asked and answers.
fn one_node(witness: &Witness, server: &RedisServer) {
    let token = OwnerToken::from_bytes(*b"twenty bytes, secret");
    witness.secret(Secret::new("a token of our own", "twenty bytes, secret"));
    witness.hear(&token);
    let node = RedisNode::start(
        RedisConfig::from_url(&url(server, PASSWORD)).unwrap(),
        real_env().unwrap(),
        Protections::default(),
    )
    .unwrap();
    witness.hear(&block_on(Arc::clone(&node).probe()).unwrap());
    let (name, ttl) = (LockName::new("node").unwrap(), Ttl::new(TTL).unwrap());
    let deadline = Instant::now().saturating_add(TTL);
    let mut acquire = AcquireRequest::new(name.clone(), token, ttl, deadline);
    acquire.fence = Some(Fence::new(1, 1, TTL));
    witness.hear(&acquire);
    witness.hear(&block_on(Arc::clone(&node).acquire(acquire)).unwrap());
    let extend = ExtendRequest::new(name.clone(), token, ttl, deadline);
    witness.hear(&extend);
    witness.hear(&block_on(Arc::clone(&node).extend(extend)).unwrap());
    let raise = RaiseRequest::new(name.clone(), token, ttl, deadline, Raise::new(7, TTL));
    witness.hear(&raise);
    witness.hear(&block_on(Arc::clone(&node).raise(raise)).unwrap());
    server.command(&["DEL", "redlock:node"]).unwrap();
    server.command(&["LPUSH", "redlock:node", "x"]).unwrap();
    witness.error(block_on(Arc::clone(&node).acquire(AcquireRequest::new(
        name.clone(),
        token,
        ttl,
        deadline,
    ))));
    let release = ReleaseRequest::new(name, token, None);
    witness.hear(&release);
    witness.error(block_on(Arc::clone(&node).release(release)));
    witness.hear(&node);
}
