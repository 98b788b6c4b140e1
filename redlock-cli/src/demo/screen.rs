//! What the demo prints: plain lines, and on a terminal a few lines that are redrawn in place.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::view::{View, fit};
use crate::terminal::{Colours, is_dumb, size};

pub(super) use crate::terminal::Tone;

/// Redrawn so often at most: more cannot be read.
const REDRAW: Duration = Duration::from_millis(80);
/// Of what has happened, so much is shown below.
const RECENT: usize = 5;
/// What a terminal is taken for that does not say how wide it is.
const WIDTH: usize = 80;

/// Where the run is told. Printing never fails: a reader that has gone (`| head`) changes neither the run nor its exit
/// code.
///
/// The terminal is left as it was found, also when the process is killed: only lines of its own are drawn, no mode of the
/// terminal is changed, and the cursor is not hidden.
pub(super) struct Screen {
    out: Box<dyn Terminal>,
    colours: Colours,
    /// Whether lines are redrawn in place.
    lively: bool,
    live: Option<Live>,
    /// Quarters of the way that were told where nothing is redrawn.
    quarters: u64,
}

/// What is on the terminal, to be redrawn.
#[derive(Default)]
struct Live {
    drawn: Option<Instant>,
    /// So many lines are above the cursor.
    height: usize,
    /// What has happened; it is told for good at the end.
    events: Vec<(String, Tone, String)>,
}

/// What can be written to, and has a width if it is a terminal.
trait Terminal: Write + Send {
    /// Columns and rows, where they are known.
    fn size(&self) -> Option<(usize, usize)>;
}

impl<T: Write + AsFd + Send> Terminal for T {
    fn size(&self) -> Option<(usize, usize)> {
        size(self)
    }
}

impl Screen {
    pub(super) fn stdout(plain: bool) -> Self {
        Self::on(io::stdout(), plain)
    }

    /// For a run whose stdout is for a program to read.
    pub(super) fn stderr(plain: bool) -> Self {
        Self::on(io::stderr(), plain)
    }

    fn on(out: impl Write + IsTerminal + AsFd + Send + 'static, plain: bool) -> Self {
        let lively = out.is_terminal() && !is_dumb() && !plain;
        Self { colours: Colours::of(&out), out: Box::new(out), lively, live: None, quarters: 0 }
    }

    pub(super) fn line(&mut self, text: impl fmt::Display) {
        let _ = writeln!(self.out, "{text}");
    }

    /// The text, coloured if the terminal wants colours.
    pub(super) fn toned(&self, tone: Tone, text: impl fmt::Display) -> String {
        self.colours.paint(tone, text)
    }

    /// Something that has happened: below the view while there is one, a line elsewhere.
    pub(super) fn event(&mut self, elapsed: Duration, tone: Tone, what: impl fmt::Display) {
        let (stamp, what) = (stamp(elapsed), what.to_string());
        match &mut self.live {
            Some(live) => {
                live.events.push((stamp, tone, what));
                live.drawn = None;
            }
            None => self.line(format_args!("{stamp} {}", self.toned(tone, what))),
        }
    }

    /// How far the run is: redrawn in place on a terminal, a line at every quarter elsewhere.
    pub(super) fn progress(&mut self, made: u64, total: u64, elapsed: Duration, view: impl FnOnce() -> View) {
        if self.lively {
            let live = self.live.get_or_insert_default();
            if live.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
                self.draw(&view());
            }
            return;
        }
        let quarters = made.saturating_mul(4) / total.max(1);
        if quarters > self.quarters {
            self.quarters = quarters;
            self.line(format_args!("{} {made} of {total} increments", stamp(elapsed)));
        }
    }

    fn draw(&mut self, view: &View) {
        let Some(live) = &mut self.live else { return };
        let (columns, rows) = self.out.size().unwrap_or((WIDTH, usize::MAX));
        // A line that ends in the last column leaves it to the terminal where the cursor is.
        let width = columns.saturating_sub(1);
        let mut lines = view.lines(width, self.colours);
        let recent = live.events.iter().skip(live.events.len().saturating_sub(RECENT));
        for (stamp, tone, what) in recent {
            lines.push(fit(
                vec![(None, format!("{stamp} ")), (Some(*tone), what.clone())],
                width,
                self.colours,
            ));
        }
        // The cursor's own line is one more. What has scrolled off cannot be redrawn.
        lines.truncate(rows.saturating_sub(1).max(1));
        let mut frame = back(live.height);
        for line in &lines {
            frame += line;
            frame += "\x1b[K\n";
        }
        frame += "\x1b[J";
        (live.height, live.drawn) = (lines.len(), Some(Instant::now()));
        // At once, so that nobody sees a half of it.
        let _ = self.out.write_all(frame.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Takes the view away, and leaves what has happened as lines.
    pub(super) fn settle(&mut self) {
        let Some(live) = self.live.take() else { return };
        let _ = write!(self.out, "{}\x1b[J", back(live.height));
        for (stamp, tone, what) in live.events {
            self.line(format_args!("{stamp} {}", self.toned(tone, what)));
        }
        let _ = self.out.flush();
    }
}

/// From the line below the view to the first line of it; what somebody typed there is written over.
fn back(height: usize) -> String {
    if height == 0 { "\r".to_owned() } else { format!("\r\x1b[{height}A") }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.settle();
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
