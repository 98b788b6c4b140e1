//! What a command leaves running when it has ended.

use super::stage::{Stage, finish, is_alive, start};

#[test]
fn what_is_left_is_ended_before_the_lock_is_free_wherever_it_hides() {
    let stage = Stage::new();
    // A daemon as in the books: in a session of its own, its parent gone, deaf to SIGTERM, nothing open.
    let script = "setsid bash -c 'trap \"\" TERM; (while :; do sleep 1000; done) & echo $! > daemon' < /dev/null > /dev/null 2>&1; \
                  cat daemon";
    let mut command = start(&mut stage.run(["--grace", "0.1", "a", "bash", "-c", script]));
    let daemon = command.number();
    let ran = command.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!is_alive(daemon));
    assert!(ran.stderr.contains("left running"), "{}", ran.stderr);
    assert!(stage.is_free("a"));
}

#[test]
fn what_ends_by_itself_has_the_time_to() {
    let stage = Stage::new();
    // As with `exec > >(tee log)`.
    let script = "(read wait < fifo; echo written > log) & (echo go > fifo) & exit 4";
    std::process::Command::new("mkfifo").arg(stage.path("fifo")).status().unwrap();
    let ran = finish(&mut stage.run(["--ttl", "30", "--grace", "12", "a", "bash", "-c", script]));
    assert_eq!((ran.code, &*ran.stderr), (Some(4), ""));
    assert_eq!(std::fs::read_to_string(stage.path("log")).unwrap(), "written\n");
}
