//! What a run came to, for a terminal.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::history::Run;
use crate::oracle::{Percentiles, Terms, Updates, Verdict};

/// So many violations are told; the report has all of them.
const TOLD: usize = 10;

/// What a run came to, in a few lines.
pub struct Summary<'a> {
    /// What was run.
    pub run: &'a Run,
    /// What it came to.
    pub verdict: &'a Verdict,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, verdict } = self;
        let figures = &verdict.figures;
        if verdict.is_good() {
            writeln!(f, "GOOD: nothing happened that must not")?;
        } else {
            writeln!(f, "VIOLATED: {} times", verdict.violations.len())?;
            for violation in verdict.violations.iter().take(TOLD) {
                writeln!(f, "  {:?}: {}", violation.rule, violation.detail)?;
            }
            if verdict.violations.len() > TOLD {
                writeln!(f, "  ... and {} more", verdict.violations.len() - TOLD)?;
            }
        }
        line(f, "nodes", &format!("{} ({}, {})", run.nodes.len(), run.fleet, run.server))?;
        line(f, "faults", &counts(&figures.faults, figures.faults_failed))?;
        let locks = format!("{} acquired, {} given up", figures.acquired, figures.given_up);
        line(f, "locks", &locks)?;
        line(f, "lost", &counts(&figures.lost, 0))?;
        line(f, "waited", &percentiles(&figures.waits))?;
        line(f, "held", &percentiles(&figures.holds))?;
        if let Some(Terms { count, clients, lost, lasted, between }) = &figures.terms {
            line(f, "leaders", &format!("{count} terms of {clients} clients, {lost} lost"))?;
            line(f, "led", &percentiles(lasted))?;
            line(f, "nobody led", &percentiles(between))?;
        }
        line(f, "with fencing", &updates(&figures.fenced))?;
        line(f, "without", &updates(&figures.unfenced))?;
        if let Some(recovery) = figures.recovery {
            line(f, "recovery", &format!("{} after the last fault everybody had a lock", short(recovery)))?;
        }
        line(f, "seed", &run.seed.to_string())?;
        line(f, "again", &run.command)
    }
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {what:<13} {text}")
}

fn counts(counts: &[(String, usize)], failed: usize) -> String {
    let mut text = String::new();
    for (what, count) in counts {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{count} {what}");
    }
    if text.is_empty() {
        text.push_str("none");
    }
    if failed > 0 {
        let _ = write!(text, "; {failed} could not be done");
    }
    text
}

fn percentiles(figures: &Percentiles) -> String {
    let Percentiles { p50, p90, p99, max } = *figures;
    format!("median {}, 90 % {}, 99 % {}, longest {}", short(p50), short(p90), short(p99), short(max))
}

fn updates(updates: &Updates) -> String {
    let Updates { done, refused, lost } = updates;
    format!("{done} updates, {refused} refused, {lost} lost")
}

/// Milliseconds below a second, then seconds.
fn short(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
