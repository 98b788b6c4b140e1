//! Runs every example as a user would, and reads what it prints.

#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redlock::testing::servers::{MemcachedServer, RedisFleet, RedisServer, redis_is_installed};

/// An example that has not ended by then hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What an example left behind.
struct Ran {
    success: bool,
    stdout: String,
    stderr: String,
}

/// Runs an example on servers of its own, and expects it to succeed.
fn run(program: &str) -> Ran {
    assert!(
        redis_is_installed(),
        "the examples need a redis-server or valkey-server on PATH; ./run-tests installs one"
    );
    succeed(&mut Command::new(program))
}

/// Runs an example on these nodes.
fn on_nodes(program: &str, nodes: &str) -> Command {
    let mut command = Command::new(program);
    command.env("REDLOCK_NODES", nodes);
    command
}

fn succeed(command: &mut Command) -> Ran {
    let ran = finish(command);
    assert!(ran.success, "{}\n{}", ran.stdout, ran.stderr);
    ran
}

fn finish(command: &mut Command) -> Ran {
    if command.get_envs().all(|(name, _)| name != "REDLOCK_NODES") {
        command.env_remove("REDLOCK_NODES");
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            panic!("{command:?} did not end within {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    // What an example prints fits into a pipe, so that it is not kept from ending.
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    Ran { success: status.success(), stdout, stderr }
}

impl Ran {
    fn prints(&self, lines: &[&str]) {
        let mut rest = self.stdout.lines();
        for line in lines {
            assert!(
                rest.any(|printed| printed.contains(line)),
                "no {line:?}, in this order, in:\n{}",
                self.stdout
            );
        }
    }
}

#[test]
fn due_redis_counts_to_the_number_of_tasks() {
    let ran = run(env!("CARGO_BIN_EXE_due_redis"));
    ran.prints(&["nodes: 1 started", "total   : 100", "counter : 100", "latency : "]);
}

#[test]
fn due_redis_takes_a_file_as_it_is() {
    let server = RedisServer::options().persistent().start().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/etc.toml");
    let text = std::fs::read_to_string(shipped).unwrap().replace("127.0.0.1:6379", &server.address());
    let file = server.directory().join("etc.toml");
    std::fs::write(&file, text).unwrap();
    let ran = succeed(Command::new(env!("CARGO_BIN_EXE_due_redis")).arg(file));
    ran.prints(&["total   : 100", "counter : 100"]);
    assert!(!ran.stdout.contains("nodes:"), "{}", ran.stdout);
}

#[test]
fn quorum_lock_acquires_extends_and_releases() {
    let ran = run(env!("CARGO_BIN_EXE_quorum_lock"));
    ran.prints(&[
        "nodes: 5 started",
        "quorum: 3 of 5",
        "held: invoice:42",
        "valid for another ",
        "extended: true",
        "released",
    ]);
}

#[test]
fn try_lock_lets_the_loser_give_up() {
    let ran = run(env!("CARGO_BIN_EXE_try_lock"));
    ran.prints(&["winner: writes", "loser: somebody else writes it", "loser: has it after"]);
}

#[test]
fn fenced_resource_refuses_the_write_of_a_holder_that_woke_too_late() {
    let ran = run(env!("CARGO_BIN_EXE_fenced_resource"));
    ran.prints(&[
        "first: holds the lock",
        "second: holds the lock",
        "second: has written",
        "first: wakes",
        "account: refused token",
        "account: paid by the second",
        "first: looks again: its lock is lost",
    ]);
}

#[test]
fn run_with_cancellation_cancels_the_work_when_the_servers_crash() {
    let ran = run(env!("CARGO_BIN_EXE_run_with_cancellation"));
    ran.prints(&["step 3,", "three of five servers crash", "cleaning up", "lost: its validity ended"]);
    assert!(!ran.stdout.contains("finished"), "{}", ran.stdout);
}

#[test]
fn leader_election_passes_the_leadership_on_and_the_watcher_sees_both() {
    let ran = run(env!("CARGO_BIN_EXE_leader_election"));
    ran.prints(&[
        "nodes: 5 started",
        ": leads",
        ".example leads",
        ": stops, since the candidate is not eligible",
        "done",
    ]);
    for candidate in ["first", "second"] {
        for line in ["{}: leads", "watcher: http://{}.example leads", "{}: has retired"] {
            ran.prints(&[&line.replace("{}", candidate)]);
        }
    }
}

#[test]
fn library_function_refuses_a_busy_account_and_withdraws_twice() {
    let ran = run(env!("CARGO_BIN_EXE_library_function"));
    ran.prints(&["balance: 70", "refused: account 7 is in use", "balance: 40"]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn blocking_lets_one_thread_in_at_a_time() {
    let ran = run(env!("CARGO_BIN_EXE_blocking"));
    let turns: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("worker ")).collect();
    assert_eq!(turns.len(), 6, "{}", ran.stdout);
    for turn in turns.chunks(2) {
        let worker = |line: &str| line.split(':').next().map(str::to_owned);
        assert!(turn[0].contains(": begins") && turn[1].ends_with(": ends"), "{}", ran.stdout);
        assert_eq!(worker(turn[0]), worker(turn[1]), "{}", ran.stdout);
    }
    ran.prints(&["done"]);
}

#[test]
fn in_process_lock_counts_right_with_the_lock_alone() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_in_process_lock")));
    ran.prints(&["without the lock: ", "with the lock: 1000 of 1000", "latency: "]);
    assert!(!ran.stdout.contains("without the lock: 1000 "), "{}", ran.stdout);
}

#[test]
fn in_process_trylock_lets_one_of_ten_in() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_in_process_trylock")));
    ran.prints(&["1 of 10 had the lock"]);
    assert_eq!(ran.stdout.matches("lock failed").count(), 9, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("current counter 1\n").count(), 1, "{}", ran.stdout);
}

#[test]
fn process_wide_default_says_when_it_is_missing_and_serves_all() {
    let ran = run(env!("CARGO_BIN_EXE_process_wide_default"));
    ran.prints(&[
        "too early: no process-wide default is set: call redlock::set_default",
        "transfer: both accounts are locked",
        "report: written by a thread",
        "closed: 0 guards are open",
    ]);
}

#[test]
fn file_lock_counts_right_and_survives_a_killed_holder() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_file_lock")));
    ran.prints(&[
        "4 processes, 25 rounds each: the counter is 100",
        "a holder was killed (SIGKILL), token ",
        "the next one has the lock ",
    ]);
}

#[test]
fn due_memcache_counts_to_the_number_of_tasks() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_due_memcache")));
    ran.prints(&["memcached: started", "total   : 100", "counter : 100", "latency : "]);
}

#[test]
fn due_memcache_takes_a_file_with_both_tables_as_it_is() {
    let server = MemcachedServer::start().unwrap();
    let shipped = |name| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("etc").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let both = [shipped("etc.toml"), shipped("memcache.toml")].join("\n");
    let text =
        format!("[lock]\ndefault = \"memcache\"\n{both}").replace("127.0.0.1:11211", &server.address());
    let file = server.directory().join("etc.toml");
    std::fs::write(&file, text).unwrap();
    succeed(Command::new(env!("CARGO_BIN_EXE_due_memcache")).arg(file))
        .prints(&["total   : 100", "counter : 100"]);
}

#[cfg(feature = "etcd")]
#[test]
fn etcd_keeps_the_lock_when_a_member_crashes() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_etcd")));
    ran.prints(&[
        "three members",
        "held, valid",
        "one member crashes",
        "still held",
        "released; the next holder",
    ]);
}

#[test]
fn zookeeper_serves_those_who_wait_with_rising_tokens() {
    let ran = succeed(&mut Command::new(env!("CARGO_BIN_EXE_zookeeper")));
    ran.prints(&[
        "three members",
        "held, valid",
        "one member crashes",
        "still held",
        "fencing tokens have risen",
    ]);
    assert_eq!(ran.stdout.matches(": has it").count(), 3, "{}", ran.stdout);
}

#[test]
fn mixed_quorum_goes_on_when_one_of_its_nodes_crashes() {
    let ran = run(env!("CARGO_BIN_EXE_mixed_quorum"));
    ran.prints(&[
        "quorum: 2 of 3",
        "held, valid",
        "a Redis crashes",
        "extended by the other two",
        "held again",
    ]);
}

#[test]
fn nodes_can_be_given() {
    let fleet = RedisFleet::start_with(3, &RedisServer::options().persistent()).unwrap();
    let addresses: Vec<String> = fleet.iter().map(RedisServer::address).collect();
    let nodes = addresses.join(",");
    // Nobody holds a lock on new servers.
    drop(redlock::Locks::builder().nodes(fleet.urls()).init_blocking().unwrap());
    succeed(&mut on_nodes(env!("CARGO_BIN_EXE_quorum_lock"), &nodes)).prints(&[
        "nodes: 3 of REDLOCK_NODES",
        "quorum: 2 of 3",
        "released",
    ]);
    succeed(&mut on_nodes(env!("CARGO_BIN_EXE_due_redis"), &addresses[0])).prints(&["counter : 100"]);
    // Servers that somebody else has started are left alone.
    succeed(&mut on_nodes(env!("CARGO_BIN_EXE_run_with_cancellation"), &nodes)).prints(&[
        "step 40",
        "cleaning up",
        "finished: 40 steps",
    ]);
    assert!(fleet.iter().all(RedisServer::is_running));
    assert_eq!(fleet.lock_keys().unwrap(), [const { Vec::<String>::new() }; 3], "keys left behind");
}

#[test]
fn nodes_that_do_not_answer_are_named() {
    let server = RedisServer::start().unwrap();
    server.kill();
    let ran = finish(&mut on_nodes(env!("CARGO_BIN_EXE_quorum_lock"), &server.address()));
    assert!(!ran.success);
    assert!(ran.stderr.contains("no quorum") && ran.stderr.contains(&server.address()), "{}", ran.stderr);
}
