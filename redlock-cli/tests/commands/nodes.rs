//! `redlock nodes` as people run it: the real binary on real servers.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::binary::{Ran, finish, redlock};
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, BuildError, Locks, LocksBuilder};

/// More than a busy machine takes for anything here.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest TTL of all clients: so long, and a little, takes each change.
const MAX: Duration = Duration::from_secs(2);

/// Servers of which the first `nodes` are initialised as nodes.
fn start(nodes: usize, spare: usize) -> RedisFleet {
    let fleet = RedisFleet::start(nodes + spare).unwrap();
    drop(client(&fleet, 0..nodes, 0).init_blocking().unwrap());
    fleet
}

/// A client with these servers as its nodes, which are the node set with this number.
fn client(fleet: &RedisFleet, nodes: impl IntoIterator<Item = usize>, number: u64) -> LocksBuilder {
    let urls = nodes.into_iter().map(|node| fleet.server(node).url());
    let patience = Duration::from_secs(1);
    Locks::builder().nodes(urls).ttl(MAX).max_ttl(MAX).node_timeout(patience).node_set(number)
}

/// The nodes come by the environment, as those with a password should.
fn command(fleet: &RedisFleet, nodes: &[usize], number: u64, words: &[&str]) -> Command {
    let urls: Vec<String> = nodes.iter().map(|&node| fleet.server(node).url()).collect();
    let mut command = redlock();
    command.arg("nodes").args(words).args(["--max-ttl", "2s"]);
    command.env("REDLOCK_NODES", urls.join(","));
    command.env("REDLOCK_NODE_SET", number.to_string());
    command
}

fn run(fleet: &RedisFleet, nodes: &[usize], number: u64, words: &[&str]) -> Ran {
    finish(&mut command(fleet, nodes, number, words))
}

#[track_caller]
fn ends(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{}\n{}", ran.stdout, ran.stderr);
}

/// Until the lock is had.
#[track_caller]
fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(started.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_dead_node_is_replaced_while_a_lock_is_held_in_three_runs_of_one_command() {
    let fleet = start(3, 1);
    let replace = ["replace", &fleet.server(0).address(), &fleet.server(3).url(), "--yes"];
    let replace = || run(&fleet, &[0, 1, 2], 0, &replace);
    let old = client(&fleet, 0..3, 0).build_blocking().unwrap();
    let held = old.lock("a").acquire().unwrap();
    fleet.server(0).kill();
    ends(&replace(), 75, "nodeSet = 1");
    // A holder with the old list goes on, and one with the new list waits for it.
    let until = held.valid_until();
    eventually("it is renewed", || (held.valid_until() > until).then_some(()));
    let next = client(&fleet, [1, 2], 1).build_blocking().unwrap();
    assert!(next.lock("a").try_acquire().is_ok_and(|guard| guard.is_none()));
    held.release().unwrap();
    let held = next.lock("a").wait_at_most(LIMIT).acquire().unwrap();

    ends(&replace(), 75, "nodeSet = 2");
    assert!(held.is_valid(), "a holder with the new list keeps its lock");
    eventually("whoever has the old list is told", || {
        matches!(old.lock("a").try_acquire(), Err(AcquireError::NodeSetChanged { ours: 0, theirs: 1.. }))
            .then_some(())
    });
    let refused = client(&fleet, [0, 1, 2], 0).build_blocking();
    assert!(matches!(refused, Err(BuildError::NodeSetChanged { ours: 0, .. })), "{refused:?}");
    let last = client(&fleet, [1, 2, 3], 2).build_blocking().unwrap();
    assert!(last.lock("a").try_acquire().is_ok_and(|guard| guard.is_none()));
    drop(held);

    ends(&replace(), 0, "Node set 2 is in force");
    ends(&replace(), 0, "Node set 2 is in force");
    ends(&run(&fleet, &[1, 2, 3], 2, &["status"]), 0, "Node set 2 (3 nodes) is in force");
    drop(last.lock("a").wait_at_most(LIMIT).acquire().unwrap());
}

#[test]
fn a_node_is_added_and_removed_and_an_interrupted_change_goes_on_where_it_was() {
    let fleet = start(2, 1);
    let third = fleet.server(2).url();
    let add = ["add", &third, "--yes"];
    ends(&run(&fleet, &[0, 1], 0, &add), 75, "127.0.0.1");
    ends(&run(&fleet, &[0, 1], 0, &["status"]), 0, "clients of node sets 0 and 1 work");
    // Cut short while it waits.
    let mut child = command(&fleet, &[0, 1], 0, &add).stdout(Stdio::null()).spawn().unwrap();
    eventually("the old clients are shut out", || {
        let status = run(&fleet, &[0, 1], 0, &["status"]);
        status.stdout.contains("are being shut out").then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // With the list of after the change, too.
    ends(&run(&fleet, &[0, 1, 2], 1, &add), 0, "Node set 1 is in force");
    let three = client(&fleet, 0..3, 1).build_blocking().unwrap();
    drop(three.lock("a").wait_at_most(LIMIT).acquire().unwrap());
    let remove = ["remove", &fleet.server(0).address(), "--yes"];
    let removing = || finish(&mut command(&fleet, &[0, 1, 2], 1, &remove));
    ends(&removing(), 75, "nodeSet = 2");
    ends(&removing(), 0, "Node set 2 is in force");
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let fleet = start(3, 2);
    let [first, spare] = [fleet.server(0).address(), fleet.server(3).url()];
    let before = fleet.all_keys().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let unguarded = format!("file://{}", directory.path().display());
    for (nodes, number, words, code, said) in [
        (&[0, 1, 2][..], 0, &["remove", &first][..], 64, "--yes"),
        (&[0, 1, 2], 0, &["add", &first, "--yes"], 78, "is one of the nodes already"),
        (&[0, 1, 2], 0, &["remove", &spare, "--yes"], 78, "is none of the nodes"),
        (&[0, 1, 2], 3, &["remove", &first, "--yes"], 78, "the nodes have node set 0"),
        (&[3, 4], 0, &["remove", &spare, "--yes"], 78, "no client has used these nodes yet"),
        (&[0, 1, 2], 0, &["add"], 64, "<URL>"),
        (&[0, 1, 2], 0, &["add", &unguarded, "--yes"], 78, "keeps no marker of its memory"),
    ] {
        ends(&run(&fleet, nodes, number, words), code, said);
    }
    assert_eq!(fleet.all_keys().unwrap(), before);
    drop(client(&fleet, [3, 4], 0).init_blocking().unwrap());
    ends(&run(&fleet, &[0, 1, 2], 0, &["add", &spare, "--yes"]), 78, "is in use as a node of another set");
    fleet.server(1).kill();
    fleet.server(2).kill();
    ends(&run(&fleet, &[0, 1, 2], 0, &["remove", &first, "--yes"]), 69, "nodes are needed");
}
