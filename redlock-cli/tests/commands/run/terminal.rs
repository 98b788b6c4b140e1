//! On a terminal: whose turn it is, Ctrl-C and Ctrl-Z.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::stage::Stage;

/// A terminal, and what runs on it as a session of its own.
struct Terminal {
    keyboard: File,
    screen: Vec<u8>,
    child: Child,
}

impl Terminal {
    /// Runs a script of `sh`, in which `$RUN` is `redlock run` on the locks of this stage.
    fn run(stage: &Stage, options: &str, script: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let child = Command::new("setsid")
            .args(["--ctty", "dash", options, script])
            .env("RUN", format!("{} run --nodes {}", env!("CARGO_BIN_EXE_redlock"), stage.nodes()))
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        Self { keyboard: File::from(master), screen: Vec::new(), child }
    }

    /// Reads until a text has been shown; what was before it is forgotten.
    fn shows(&mut self, text: &str) {
        loop {
            let seen = String::from_utf8_lossy(&self.screen).into_owned();
            if let Some(at) = seen.find(text) {
                self.screen = seen.split_at(at + text.len()).1.as_bytes().to_vec();
                return;
            }
            let mut bytes = [0; 1_024];
            let count = self.keyboard.read(&mut bytes).unwrap_or(0);
            assert!(count > 0, "{text:?} is not in {seen:?}");
            self.screen.extend_from_slice(&bytes[..count]);
        }
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_command_has_the_terminal_and_afterwards_the_caller_has_it_again() {
    let stage = Stage::new();
    let script = "$RUN a sh -c 'ps -o stat= -p $$; read x; echo got-$x'; echo code-$?; read y; echo then-$y";
    let mut terminal = Terminal::run(&stage, "-c", script);
    // In the foreground.
    terminal.shows("+");
    terminal.types("one\n");
    terminal.shows("got-one");
    terminal.shows("code-0");
    terminal.types("two\n");
    terminal.shows("then-two");
}

#[test]
fn ctrl_c_ends_the_command_and_the_lock_is_free() {
    let stage = Stage::new();
    let mut terminal =
        Terminal::run(&stage, "-c", "$RUN a sh -c 'echo ready; exec sleep 1000'; echo code-$?");
    terminal.shows("ready");
    terminal.types("\u{3}");
    terminal.shows("code-130");
    assert!(stage.is_free("a"));
}

#[test]
fn a_command_may_do_something_about_ctrl_c() {
    let stage = Stage::new();
    // No `read`: the shell does not see to a signal that comes just before it begins to, until something was read.
    let script = "$RUN a bash -c 'trap \"echo caught; exit 5\" INT; echo ready; while :; do sleep 0.2; done'; echo code-$?";
    let mut terminal = Terminal::run(&stage, "-c", script);
    terminal.shows("ready");
    terminal.types("\u{3}");
    terminal.shows("caught");
    terminal.shows("code-5");
}

#[test]
fn ctrl_c_ends_the_wait_for_the_lock() {
    let stage = Stage::new();
    let script = "$RUN a sh -c 'echo held; exec $RUN a echo never'; echo code-$?";
    let mut terminal = Terminal::run(&stage, "-c", script);
    terminal.shows("held");
    terminal.types("\u{3}");
    terminal.shows("code-130");
}

#[test]
fn ctrl_z_stops_it_with_the_command_and_the_lock_is_kept_until_it_goes_on() {
    let stage = Stage::new();
    // A shell that controls jobs, as people have it.
    let script = "$RUN a sh -c 'echo ready; read x; echo got-$x'; echo stopped-$?; read y; echo typed-$y; fg; echo code-$?";
    let mut terminal = Terminal::run(&stage, "-mc", script);
    terminal.shows("ready");
    terminal.types("\u{1a}");
    terminal.shows("stopped-1");
    terminal.types("mine\n");
    assert!(!stage.is_free("a"));
    terminal.shows("typed-mine");
    terminal.types("yours\n");
    terminal.shows("got-yours");
    terminal.shows("code-0");
    assert!(stage.is_free("a"));
}

#[test]
fn ctrl_z_without_anybody_to_let_it_go_on_is_ignored() {
    let stage = Stage::new();
    let mut terminal = Terminal::run(&stage, "-c", "exec $RUN a sh -c 'echo ready; read x; echo got-$x'");
    terminal.shows("ready");
    terminal.types("\u{1a}");
    terminal.types("on\n");
    terminal.shows("got-on");
}

#[test]
fn in_the_background_it_leaves_the_terminal_alone() {
    let stage = Stage::new();
    let script = "$RUN a sh -c 'sleep 0.1; echo done' & read x; echo got-$x; wait $!; echo code-$?";
    let mut terminal = Terminal::run(&stage, "-mc", script);
    terminal.shows("done");
    terminal.types("mine\n");
    terminal.shows("got-mine");
    terminal.shows("code-0");
}
