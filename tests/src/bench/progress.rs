//! How far a benchmark is, on stderr: a bar in a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where stderr is no terminal, this long passes between two lines.
const SELDOM: Duration = Duration::from_secs(10);

/// One stretch of work of known length; what was shown is gone when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    said: Instant,
}

impl Progress {
    /// Begins `what`, which takes so many steps.
    pub fn start(what: impl Into<String>, steps: impl TryInto<u64>) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(steps.try_into().ok(), target);
        // A template of one's own that is wrong shows nothing: the default one is good enough.
        if let Ok(style) =
            ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {pos}/{len}  {prefix}  {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        let progress = Self { bar, is_terminal, said: Instant::now() };
        progress.bar.set_prefix(what.into());
        progress.bar.tick();
        if !is_terminal {
            eprintln!("{}", progress.bar.prefix());
        }
        progress
    }

    /// What is being done in this step.
    pub fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// A step is done.
    pub fn step(&mut self) {
        self.bar.inc(1);
        if !self.is_terminal && self.said.elapsed() >= SELDOM {
            self.said = Instant::now();
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{}: {done} of {all}", self.bar.prefix());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
