//! Exit codes, the environment of the command, and the lock around it.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use redlock::Locks;
use redlock::testing::servers::RedisFleet;

use super::stage::{Stage, finish, redlock, start};

#[test]
fn the_exit_code_is_that_of_the_command_and_128_more_than_the_signal_that_has_ended_it() {
    let stage = Stage::new();
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let ran = finish(&mut stage.run(["a", "--", "sh", "-c", script]));
        assert_eq!(ran.code, Some(code), "{script}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{script}");
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_be_executed_is_126() {
    let stage = Stage::new();
    fs::write(stage.path("plain"), "text").unwrap();
    for (program, code) in [("no-such-command", 127), ("./no-such-file", 127), ("./plain", 126), ("/", 126)] {
        let ran = finish(&mut stage.run(["a", program]));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("redlock: {program}: ")), "{}", ran.stderr);
    }
    assert!(stage.is_free("a"));
}

#[test]
fn a_lock_that_was_not_acquired_is_1_or_what_was_asked_for_and_nothing_is_said() {
    let stage = Stage::new();
    let mut holder = start(&mut stage.run(["a", "sh", "-c", "echo held; exec sleep 1000"]));
    assert_eq!(holder.line(), "held");
    for (options, code) in [
        (&["-n"][..], 1),
        (&["--no-wait", "-E", "9"], 9),
        (&["-w", "0.05"], 1),
        (&["--wait", "50ms", "--conflict-exit-code", "0"], 0),
        (&["-w", "0"], 1),
    ] {
        let mut command = redlock();
        command.args(["run", "--nodes", &stage.nodes()]).args(options).args(["a", "echo", "no"]);
        let ran = finish(&mut command);
        assert_eq!(ran.code, Some(code), "{options:?}: {}", ran.stderr);
        assert_eq!((ran.stdout, ran.stderr), (String::new(), String::new()), "{options:?}");
    }
    for options in ["-n", "-w0.05"] {
        let told = finish(&mut stage.run(["-v", options, "a", "true"]));
        assert!(
            told.stderr.starts_with("redlock: a ") && told.stderr.contains("held by "),
            "{}",
            told.stderr
        );
        assert!(told.stderr.contains(" (sh) for ") && !told.stderr.contains("sleep"), "{}", told.stderr);
    }
    assert_eq!(finish(&mut stage.run(["-n", "b", "true"])).code, Some(0), "another name");
}

#[test]
fn the_lock_is_waited_for_and_is_free_when_the_command_has_ended() {
    let stage = Stage::new();
    let mut holder = start(stage.run(["a", "sh", "-c", "echo held; read go"]).stdin(Stdio::piped()));
    assert_eq!(holder.line(), "held");
    let waiter = start(&mut stage.run(["-w", "1000", "a", "echo", "next"]));
    assert!(!stage.is_free("a"));
    holder.stdin().write_all(b"go\n").unwrap();
    assert_eq!(holder.code(), Some(0));
    let ran = waiter.end();
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "next\n"), "{}", ran.stderr);
    assert!(stage.is_free("a"));
}

#[test]
fn the_command_is_told_the_name_and_a_token_that_rises() {
    let stage = Stage::new();
    let mut last = 0;
    for _ in 0..3 {
        let ran = finish(&mut stage.run(["a b", "-c", "echo \"$REDLOCK_NAME/$REDLOCK_FENCING_TOKEN\""]));
        let token: u64 = ran.stdout.trim_end().strip_prefix("a b/").unwrap().parse().unwrap();
        assert!(token > last);
        last = token;
    }
    // A lock without a token does not show that of a lock around it.
    let file = stage.path("etc.toml");
    fs::write(&file, "[lock.file]\ndirectory = 'other'\nfencing = false\n").unwrap();
    let ran = finish(
        redlock()
            .args(["run", "--config"])
            .arg(&file)
            .args(["a", "-c", "echo \"$REDLOCK_NAME/$REDLOCK_FENCING_TOKEN\""])
            .env("REDLOCK_FENCING_TOKEN", "1"),
    );
    assert_eq!(ran.stdout, "a/\n", "{}", ran.stderr);
}

#[test]
fn stdin_and_output_are_the_command_s_and_its_arguments_are_passed_as_they_are() {
    let stage = Stage::new();
    let mut cat = start(stage.run(["a", "cat"]).stdin(Stdio::piped()));
    cat.stdin().write_all(b"through\n").unwrap();
    assert_eq!(cat.line(), "through");
    cat.close_stdin();
    assert_eq!(cat.code(), Some(0));
    let ran = finish(&mut stage.run(["a", "--", "printf", "%s|", "-n", "--", "-w", "a b"]));
    assert_eq!(ran.stdout, "-n|--|-w|a b|");
    let ran = finish(&mut stage.run(["-v", "a", "-c", "echo out; echo err >&2"]));
    assert_eq!(ran.stdout, "out\n");
    assert!(ran.stderr.contains("redlock: a is held, fencing token") && ran.stderr.contains("err\n"));
    assert!(ran.stderr.ends_with("redlock: released\n"), "{}", ran.stderr);
}

#[test]
fn fifty_at_once_lose_no_update() {
    let stage = Stage::new();
    fs::write(stage.path("counter"), "0\n").unwrap();
    let add = "n=$(cat counter); echo $((n + 1)) > counter; echo $n >> history";
    let all: Vec<_> = (0..50).map(|_| start(&mut stage.run(["--ttl", "30", "a", "-c", add]))).collect();
    for one in all {
        let ran = one.end();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert_eq!(fs::read_to_string(stage.path("counter")).unwrap(), "50\n");
    let history = fs::read_to_string(stage.path("history")).unwrap();
    let expected: String = (0..50).map(|n| format!("{n}\n")).collect();
    assert_eq!(history, expected);
}

#[test]
fn a_command_line_that_cannot_be_understood_is_64() {
    let stage = Stage::new();
    for wrong in [
        &["a"][..],
        &[],
        &["", "true"],
        &["-n", "-w", "1", "a", "true"],
        &["-w", "soon", "a", "true"],
        &["-E", "256", "a", "true"],
        &["-c", "true", "a", "true"],
        &["--local", "a", "true"],
        &["--no-such", "a", "true"],
        &["--grace", "6", "a", "true"],
        &["--ttl", "0.1", "a", "true"],
    ] {
        let mut command = redlock();
        command.args(["run", "--nodes", &stage.nodes()]).args(wrong);
        let ran = finish(&mut command);
        assert_eq!(ran.code, Some(64), "{wrong:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{wrong:?}");
    }
    let grace = finish(&mut stage.run(["--grace", "6", "a", "true"]));
    assert!(grace.stderr.contains("at most 4s"), "{}", grace.stderr);
}

#[test]
fn nodes_that_are_not_there_are_69() {
    let fleet = RedisFleet::start(3).unwrap();
    drop(Locks::builder().nodes(fleet.urls()).init_blocking().unwrap());
    let run = || finish(redlock().args(["run", "a", "true"]).env("REDLOCK_NODES", fleet.urls().join(",")));
    fleet.server(0).kill();
    let ran = run();
    assert_eq!(ran.code, Some(0), "two of three will do: {}", ran.stderr);
    fleet.server(1).kill();
    let ran = run();
    assert_eq!(ran.code, Some(69), "{}", ran.stderr);
    assert!(ran.stderr.contains("no quorum") && ran.stderr.contains(&fleet.server(1).address()));
}
