//! Signals to `redlock run`, and what becomes of the command when one of its processes is killed.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::stage::{Stage, children, finish, is_alive, send, start, until, until_gone};

/// Prints the process ids of a command, of a child of it, and of one in a session of its own; all ignore what can be ignored.
const FAMILY: &str = r#"
    trap '' TERM HUP INT
    sh -c 'trap "" TERM HUP INT; echo $$; while :; do sleep 1000; done' &
    setsid sh -c 'trap "" TERM HUP INT; echo $$; while :; do sleep 1000; done' &
    echo $$
    while :; do sleep 1000; done
"#;

#[test]
fn signals_are_passed_on() {
    let stage = Stage::new();
    let signals = [
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("TERM", Signal::TERM),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("ALRM", Signal::ALARM),
        ("WINCH", Signal::WINCH),
        ("CONT", Signal::CONT),
    ];
    let traps: String = signals.map(|(name, _)| format!("trap 'echo {name}' {name};")).concat();
    // For a short time: the shell does not see to a signal that comes just before it begins to wait, until the wait is over.
    let script = format!("{traps} trap 'exit 3' URG; echo ready; while :; do sleep 0.2; done");
    let mut command = start(&mut stage.run(["a", "bash", "-c", &script]));
    assert_eq!(command.line(), "ready");
    for (name, signal) in signals {
        command.signal(signal);
        assert_eq!(command.line(), name);
    }
    command.signal(Signal::URG);
    assert_eq!(command.code(), Some(3));
}

#[test]
fn a_command_that_is_ended_by_a_signal_that_was_passed_on_shows_it() {
    let stage = Stage::new();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::USR1, 138)] {
        // Its children, too, are told: all of its group.
        let mut command =
            start(&mut stage.run(["a", "--", "sh", "-c", "sh -c 'echo $$; exec sleep 1000' & wait"]));
        let child = command.number();
        command.signal(signal);
        assert_eq!(command.code(), Some(code));
        assert!(!is_alive(child));
    }
    assert!(stage.is_free("a"));
}

#[test]
fn what_is_ignored_at_the_start_stays_ignored() {
    let stage = Stage::new();
    let binary = env!("CARGO_BIN_EXE_redlock");
    let script = format!(
        "trap '' HUP; exec {binary} run --nodes {} a sh -c 'echo ready; kill -HUP $$; read go; echo alive'",
        stage.nodes()
    );
    let mut nohup = start(std::process::Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()));
    assert_eq!(nohup.line(), "ready");
    nohup.signal(Signal::HUP);
    nohup.close_stdin();
    assert_eq!(nohup.line(), "alive");
    assert_eq!(nohup.code(), Some(0));
}

#[test]
fn a_signal_ends_the_wait_and_nothing_is_held_then() {
    let stage = Stage::new();
    let mut holder = start(stage.run(["a", "sh", "-c", "echo held; read go"]).stdin(Stdio::piped()));
    assert_eq!(holder.line(), "held");
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::USR2, 140)] {
        let waiter = start(&mut stage.run(["a", "echo", "no"]));
        // Its keeper is there, so that signals are caught.
        until("the keeper was started", || !children(waiter.pid()).is_empty());
        waiter.signal(signal);
        let ran = waiter.end();
        assert_eq!((ran.code, &*ran.stdout), (Some(code), ""), "{}", ran.stderr);
    }
    holder.close_stdin();
    assert!(holder.code().is_some());
    assert!(stage.is_free("a"));
}

#[test]
fn a_signal_to_all_of_its_group_ends_it_whatever_it_is_just_doing() {
    let stage = Stage::new();
    let mut holder = start(stage.run(["a", "sh", "-c", "echo held; read go"]).stdin(Stdio::piped()));
    assert_eq!(holder.line(), "held");
    for moment in 0..200 {
        let waiter = start(stage.run(["a", "echo", "no"]).process_group(0));
        // At every moment of its start.
        thread::sleep(Duration::from_micros(50 * moment));
        kill_process_group(Pid::from_raw(waiter.pid()).unwrap(), Signal::INT).unwrap();
        let (status, stderr) = waiter.ends();
        let is_right = status.code() == Some(130) || status.signal() == Some(Signal::INT.as_raw());
        assert!(is_right && stderr.is_empty(), "{status:?}: {stderr}");
    }
    holder.close_stdin();
    assert!(holder.code().is_some());
    assert!(stage.is_free("a"));
}

#[test]
fn when_it_is_killed_nothing_is_left_running_and_the_lock_is_released() {
    let stage = Stage::new();
    let mut command = start(&mut stage.run(["a", "bash", "-c", FAMILY]));
    let family = [command.number(), command.number(), command.number()];
    command.signal(Signal::KILL);
    assert_eq!(command.code(), None);
    for pid in family {
        until_gone("a process of the command", pid);
    }
    // It is not only the TTL that frees it; but whoever comes then finds none of them.
    let next = finish(&mut stage.run(["a", "echo", "next"]));
    assert_eq!(next.stdout, "next\n", "{}", next.stderr);
}

#[test]
fn when_the_keeper_is_killed_nothing_is_left_running_and_it_says_that_the_lock_is_lost() {
    let stage = Stage::new();
    let mut command = start(&mut stage.run(["a", "bash", "-c", FAMILY]));
    let family = [command.number(), command.number(), command.number()];
    let [keeper] = children(command.pid())[..] else { panic!("there is not one keeper") };
    send(keeper, Signal::KILL);
    let ran = command.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(family.into_iter().all(|pid| !is_alive(pid)));
    assert!(ran.stderr.contains("was killed"), "{}", ran.stderr);
    assert!(!stage.is_free("a"), "nobody has released it");
}

#[test]
fn when_both_are_killed_the_command_dies_too() {
    let stage = Stage::new();
    let mut command = start(&mut stage.run(["a", "sh", "-c", "echo $$; exec sleep 1000"]));
    let pid = command.number();
    let [keeper] = children(command.pid())[..] else { panic!("there is not one keeper") };
    // Neither is there to see to it when the other has gone.
    send(keeper, Signal::STOP);
    command.signal(Signal::STOP);
    send(keeper, Signal::KILL);
    command.signal(Signal::KILL);
    until_gone("the command", pid);
}

#[test]
fn when_the_keeper_is_stopped_everything_is_killed_before_somebody_else_holds_the_lock() {
    let stage = Stage::new();
    let mut command = start(&mut stage.run(["--ttl", "3", "a", "bash", "-c", FAMILY]));
    let family = [command.number(), command.number(), command.number()];
    let [keeper] = children(command.pid())[..] else { panic!("there is not one keeper") };
    send(keeper, Signal::STOP);
    let check = format!("for pid in {} {} {}; do", family[0], family[1], family[2])
        + " case $(cut -d')' -f2 /proc/$pid/stat 2>/dev/null) in ''|' Z'*) ;; *) echo $pid runs;; esac; done";
    let next = finish(&mut stage.run(["a", "bash", "-c", &check]));
    assert_eq!((next.code, &*next.stdout), (Some(0), ""), "{}", next.stderr);
    let ran = command.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
}

#[test]
fn while_it_is_stopped_the_lock_is_kept() {
    let stage = Stage::new();
    let mut command = start(
        stage.run(["--ttl", "5", "a", "sh", "-c", "echo ready; read go; echo done"]).stdin(Stdio::piped()),
    );
    assert_eq!(command.line(), "ready");
    command.signal(Signal::STOP);
    // For longer than the lock would last without renewal.
    let waited = finish(&mut stage.run(["-w", "7", "a", "true"]));
    assert_eq!(waited.code, Some(1), "{}", waited.stderr);
    command.signal(Signal::CONT);
    command.close_stdin();
    assert_eq!(command.line(), "done");
    assert_eq!(command.code(), Some(0));
}
