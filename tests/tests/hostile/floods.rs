//! Answers that are too deep or too long. In a process of their own, which may fall.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redlock::node::Node;
use redlock::testing::servers::RedisServer;
use redlock_tests::hostile::{Deed, HostileServer};
use redlock_tests::support::eventually;

use crate::catalogue::nested;
use crate::{acquire, assert_heals, assert_no_panic, ends, environment, name, start};

/// How deep an answer may be for the client to refuse it as any other nonsense. Our own are one level deep.
const SURVIVED: usize = 1_000;

const PARAMETER: &str = "REDLOCK_HOSTILE_PARAMETER";

/// Runs one of the tests below that run only so.
fn run(test: &str, parameter: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", test, "--ignored", "--nocapture"];
    Command::new(program).args(arguments).env(PARAMETER, parameter).output().unwrap()
}

#[test]
fn an_answer_of_a_thousand_levels_is_refused() {
    let output = run("floods::child_nested", &SURVIVED.to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_nested() {
    let levels = std::env::var(PARAMETER).map_or(SURVIVED, |levels| levels.parse().unwrap());
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    let node = start(&server, &env);
    ends(&env, "connecting", Arc::clone(&node).probe()).unwrap();
    for answer in [nested(levels), format!("{}:0\r\n", "*2\r\n:0\r\n".repeat(levels)).into_bytes()] {
        eventually("the node is connected", || ends(&env, "probing", Arc::clone(&node).probe()).is_ok());
        server.on("EVALSHA", Deed::Replace(answer));
        assert!(ends(&env, "acquiring", acquire(Arc::clone(&node), "a")).is_err());
        server.be_honest();
        assert_heals(&env, &node);
    }
    assert_no_panic();
}

#[test]
fn a_flood_ends_with_the_connection_whether_anybody_waits_or_not() {
    for parameter in ["waiting", "idle"] {
        let output = run("floods::child_flooded", parameter);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        println!("{text}");
    }
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_flooded() {
    let idle = std::env::var(PARAMETER).is_ok_and(|parameter| parameter == "idle");
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    let node = start(&server, &env);
    ends(&env, "connecting", Arc::clone(&node).probe()).unwrap();
    let heads = [("$1000000000000\r\n", "x"), ("*1000000000\r\n", ":0\r\n"), ("+", "x"), ("", ":0\r\n")];
    // What nobody has asked for is found by a look at an idle connection, which comes seldom.
    for (head, again) in heads.into_iter().take(if idle { 1 } else { 4 }) {
        assert_heals(&env, &node);
        let before = peak();
        // An answer to nobody comes behind a true one.
        let truth = if idle { "*4\r\n:2\r\n:1700000000000000\r\n:-2\r\n:0\r\n" } else { "" };
        let head = format!("{truth}{head}");
        let chunk = again.repeat(100_000 / again.len());
        let already = server.sent();
        server.on("EVALSHA", Deed::Endless(head.clone().into(), chunk.into(), Duration::from_millis(10)));
        let started = Instant::now();
        let asked = Arc::clone(&node).inspect(name("a"));
        let _ = ends(&env, "inspecting", asked);
        server.be_honest();
        eventually("the flood has been ended", || {
            let sent = server.sent();
            std::thread::sleep(Duration::from_millis(100));
            server.sent() == sent
        });
        let (sent, grown) = ((server.sent() - already) / 1_024, peak() - before);
        println!(
            "{head:?}: ended after {:?}, {sent} KiB sent, peak of memory {grown} KiB higher",
            started.elapsed()
        );
    }
    assert_heals(&env, &node);
    assert_no_panic();
}

/// The most that this process has had in memory, in KiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
