//! What the demo prints: plain lines, and one that is rewritten on a terminal.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Where the run is told. Printing never fails: a reader that has gone (`| head`) changes neither the run nor its exit
/// code.
pub(super) struct Screen {
    out: Box<dyn Write + Send>,
    is_terminal: bool,
    colours: bool,
    /// The progress line is on screen.
    live: bool,
    /// Quarters of the way that were told where there is no terminal.
    quarters: u64,
}

/// What a piece of text is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    Heading,
    Good,
    Bad,
    Warning,
}

const BAR: usize = 30;

impl Screen {
    pub(super) fn stdout() -> Self {
        Self::on(io::stdout())
    }

    /// For a run whose stdout is for a program to read.
    pub(super) fn stderr() -> Self {
        Self::on(io::stderr())
    }

    fn on(out: impl Write + IsTerminal + Send + 'static) -> Self {
        let is_terminal = out.is_terminal();
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colours = is_terminal && wanted && !dumb;
        Self { out: Box::new(out), is_terminal, colours, live: false, quarters: 0 }
    }

    pub(super) fn line(&mut self, text: impl fmt::Display) {
        self.clear();
        let _ = writeln!(self.out, "{text}");
    }

    /// The text, coloured if the terminal wants colours.
    pub(super) fn toned(&self, tone: Tone, text: impl fmt::Display) -> String {
        if !self.colours {
            return text.to_string();
        }
        let code = match tone {
            Tone::Heading => "1",
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Warning => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// How far the run is: rewritten in place on a terminal, a line at every quarter elsewhere.
    pub(super) fn progress(&mut self, made: u64, total: u64, elapsed: Duration) {
        if self.is_terminal {
            let filled =
                usize::try_from(made.saturating_mul(BAR as u64) / total.max(1)).unwrap_or(BAR).min(BAR);
            let (done, left) = ("#".repeat(filled), ".".repeat(BAR - filled));
            let _ = write!(self.out, "\r\x1b[K{} [{done}{left}] {made} of {total}", stamp(elapsed));
            let _ = self.out.flush();
            self.live = true;
            return;
        }
        let quarters = made.saturating_mul(4) / total.max(1);
        if quarters > self.quarters {
            self.quarters = quarters;
            self.line(format_args!("{} {made} of {total} increments", stamp(elapsed)));
        }
    }

    /// Takes the progress line away.
    pub(super) fn clear(&mut self) {
        if self.live {
            let _ = write!(self.out, "\r\x1b[K");
            self.live = false;
        }
    }
}

/// The time of an entry in the log of a run.
pub(super) fn stamp(elapsed: Duration) -> String {
    format!("{:>7.2} s ", elapsed.as_secs_f64())
}

/// A duration as people read it.
pub(super) fn readable(time: Duration) -> String {
    match time {
        time if time < Duration::from_millis(10) => format!("{:.2} ms", time.as_secs_f64() * 1e3),
        time if time < Duration::from_secs(1) => format!("{:.0} ms", time.as_secs_f64() * 1e3),
        time => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// `1 node`, `2 nodes`.
pub(super) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
