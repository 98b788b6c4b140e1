//! The demo on a terminal: what is redrawn, what is left in the end, and that the terminal is as it was.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::terminal::{Shown, Terminal};

/// Longer than a busy machine takes for anything here.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much to do that there is time for some frames.
const LONG: [&str; 7] = ["--contenders", "10", "--rounds", "40", "--processes", "2", "--nodes=3"];

fn redlock(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redlock"));
    command.args(words).stdin(Stdio::null()).env("TERM", "xterm").env_remove("NO_COLOR");
    command
}

/// Runs a demo to its good end on a terminal as wide as that.
fn demo(columns: u16, words: &[&str], environment: &[(&str, &str)]) -> Shown {
    let screen = Terminal::new(columns, 24);
    let mut command = redlock(&[&["demo"], words].concat());
    command.envs(environment.iter().copied()).stdout(screen.end());
    let status = command.status().unwrap();
    drop(command);
    let shown = screen.finish();
    assert_eq!(status.code(), Some(0), "{}", shown.written);
    shown
}

/// The start of a frame that is drawn over another.
fn redraws(written: &str) -> usize {
    written
        .split("\x1b[")
        .filter(|sequence| sequence.starts_with(|first: char| first.is_ascii_digit()))
        .filter(|sequence| sequence.trim_start_matches(|digit: char| digit.is_ascii_digit()).starts_with('A'))
        .count()
}

#[test]
fn a_view_is_redrawn_in_place_and_what_is_left_are_the_lines_of_what_happened() {
    let shown = demo(100, &LONG, &[]);
    assert!(redraws(&shown.written) > 1, "{}", shown.written);
    for part in ["contenders  ", "holder      ", "nodes       ", " of 400", "\x1b[1;32m2 up", "10 done"] {
        assert!(shown.written.contains(part), "{part}: {}", shown.written);
    }
    let lines = shown.lines();
    let has = |begin: &str| lines.iter().any(|line| line.starts_with(begin));
    assert!(!has("contenders  ") && !has("holder   ") && !has("nodes   "), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("node 1 killed after ")).count(), 1, "{lines:#?}");
    assert!(has("OK: the counter is exact"), "{lines:#?}");
}

#[test]
fn a_narrow_terminal_is_not_wrapped_in() {
    let shown = demo(24, &LONG, &[("NO_COLOR", "1")]);
    assert!(redraws(&shown.written) > 1, "{}", shown.written);
    let lines = shown.lines();
    let rest = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
    assert_eq!((rest("contenders  "), rest("holder  "), rest("nodes   ")), (0, 0, 0), "{lines:#?}");
}

#[test]
fn without_colours_the_view_is_the_same_and_plain_or_on_a_dumb_terminal_there_is_none() {
    let shown = demo(80, &LONG, &[("NO_COLOR", "1")]);
    assert!(redraws(&shown.written) > 1, "{}", shown.written);
    assert!(!colours(&shown.written), "{}", shown.written);
    for (words, environment) in [(&["--plain"][..], ("NO_COLOR", "1")), (&[], ("TERM", "dumb"))] {
        let shown = demo(80, &[&LONG, words].concat(), &[environment]);
        assert!(!shown.written.contains('\x1b'), "{}", shown.written);
        assert!(shown.written.contains(" of 400 increments"), "{}", shown.written);
    }
    let shown = demo(80, &[&LONG, &["--plain"][..]].concat(), &[]);
    assert!(colours(&shown.written) && redraws(&shown.written) == 0, "{}", shown.written);
}

fn colours(written: &str) -> bool {
    written.split("\x1b[").skip(1).any(|sequence| {
        sequence.trim_start_matches(|part: char| part.is_ascii_digit() || part == ';').starts_with('m')
    })
}

#[test]
fn ctrl_c_takes_the_view_away_and_leaves_the_terminal_as_it_was() {
    let mut screen = Terminal::new(80, 24);
    let before = screen.modes();
    let mut command = Command::new("setsid");
    // With a terminal of its own, on which Ctrl-C is a signal for it.
    command.args([
        "--ctty",
        "--wait",
        env!("CARGO_BIN_EXE_redlock"),
        "demo",
        "--rounds",
        "10000",
        "--limit",
        "300",
    ]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    command.stdin(screen.end()).stdout(screen.end()).stderr(screen.end());
    let mut demo = command.spawn().unwrap();
    drop(command);
    let deadline = Instant::now() + PATIENCE;
    while redraws(&screen.so_far()) < 3 {
        assert!(Instant::now() < deadline && demo.try_wait().unwrap().is_none(), "{}", screen.so_far());
        thread::sleep(Duration::from_millis(10));
    }
    screen.type_in("\x03");
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    let after = screen.modes();
    assert_eq!(
        (before.local_modes, before.input_modes, before.output_modes),
        (after.local_modes, after.input_modes, after.output_modes)
    );
    let shown = screen.finish();
    // Nothing that would have to be undone: no hidden cursor, no other screen, no mode.
    assert!(!shown.written.contains("\x1b[?"), "{}", shown.written);
    let lines = shown.lines();
    assert!(lines.iter().any(|line| line.starts_with("Stopped by signal 2")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("holder  ")), "{lines:#?}");
}
