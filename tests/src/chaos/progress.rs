//! How far a run is, on stderr: a bar in a terminal, a line for each thing elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::history::{RunEvent, Target};

/// How far a run is.
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    started: Instant,
}

impl Progress {
    /// Begins to show it.
    pub fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        // A template of one's own that is wrong shows nothing: the default one is good enough.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, is_terminal: io::stderr().is_terminal(), started: Instant::now() }
    }

    /// Something else begins.
    pub fn stage(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.line(what);
    }

    /// Now things go wrong, for so long.
    pub(super) fn faults(&self, length: Duration) {
        self.bar.set_length(length.as_secs());
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {len} s  {msg}") {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.reset_elapsed();
        self.bar.set_position(0);
    }

    /// Time passes.
    pub(super) fn passes(&self, elapsed: Duration) {
        self.bar.set_position(elapsed.as_secs());
    }

    /// Something was done to nodes, ways or clients.
    pub(super) fn happens(&self, what: &RunEvent) {
        let text = match what {
            RunEvent::Fault { kind, target, detail, .. } => {
                format!("{kind}: {} {detail}", of(*target)).trim_end().to_owned()
            }
            RunEvent::Failed { why, .. } => format!("could not be done: {why}"),
            _ => return,
        };
        self.bar.set_message(text.clone());
        self.line(&text);
    }

    /// The end of it; what was shown in a terminal is gone.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        if !self.is_terminal {
            eprintln!("{:7.1} s  {text}", self.started.elapsed().as_secs_f64());
        }
    }
}

fn of(target: Target) -> String {
    match target {
        Target::Node(node) => format!("node {node}"),
        Target::Client(client) => format!("client {client}"),
        Target::Way { client, node } => format!("client {client} to node {node}"),
    }
}
