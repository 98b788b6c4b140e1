//! Times and places as text.

use std::time::Duration;

/// A duration for people: three digits or so.
pub(super) fn readable(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_nanos() {
        0 => "0".to_owned(),
        1..1_000_000 => format!("{} µs", time.as_micros()),
        1_000_000..10_000_000 => format!("{:.1} ms", seconds * 1e3),
        10_000_000..1_000_000_000 => format!("{:.0} ms", seconds * 1e3),
        1_000_000_000..10_000_000_000 => format!("{seconds:.2} s"),
        10_000_000_000..60_000_000_000 => format!("{seconds:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// From here to there, for people.
pub(super) fn between(from: u64, to: u64) -> String {
    readable(Duration::from_nanos(to.saturating_sub(from)))
}

/// How many of what, in the right number.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The run's time, and where it is in the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// The clock at the beginning.
    pub(super) from: u64,
    /// The clock at the end, later than the beginning.
    pub(super) to: u64,
}

impl Scale {
    /// So many pixels does the picture have at least, for the text in it.
    const PIXELS: f64 = 820.0;

    /// Seconds since the beginning, for people.
    pub(super) fn moment(self, at: u64) -> String {
        format!("{:.3} s", self.since(at) as f64 / 1e9)
    }

    /// Milliseconds since the beginning: the coordinates of what is stretched.
    pub(super) fn x(self, at: u64) -> String {
        trimmed(format!("{:.2}", self.since(at) as f64 / 1e6))
    }

    /// The width of a span in these coordinates.
    pub(super) fn width(self, from: u64, to: u64) -> String {
        trimmed(format!("{:.2}", self.since(to).saturating_sub(self.since(from)) as f64 / 1e6))
    }

    /// The coordinates of what is stretched, for `viewBox`.
    pub(super) fn view_box(self, height: usize) -> String {
        format!("0 0 {} {height}", self.x(self.to))
    }

    /// The place of what keeps its shape.
    pub(super) fn percent(self, at: u64) -> String {
        trimmed(format!("{:.4}", self.share(self.since(at)))) + "%"
    }

    /// The width of a span of what keeps its shape.
    pub(super) fn percent_wide(self, from: u64, to: u64) -> String {
        trimmed(format!("{:.4}", self.share(self.since(to).saturating_sub(self.since(from))))) + "%"
    }

    /// How long a time it takes to have room for a text.
    pub(super) fn room(self, text: &str) -> u64 {
        let pixels = text.chars().count() as f64 * 5.8 + 10.0;
        (pixels / Self::PIXELS * (self.to - self.from) as f64) as u64
    }

    fn since(self, at: u64) -> u64 {
        at.clamp(self.from, self.to) - self.from
    }

    fn share(self, time: u64) -> f64 {
        time as f64 / (self.to - self.from) as f64 * 100.0
    }
}

fn trimmed(number: String) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}
