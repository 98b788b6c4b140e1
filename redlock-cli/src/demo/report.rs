//! What a run came to, and how that is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::course::Course;
use super::event::Hold;
use super::screen::{Screen, Tone, count, readable};
use super::votes::Votes;

/// The outcome of a run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) expected: u64,
    /// What the file holds, or why it could not be read.
    pub(super) counter: Result<u64, String>,
    pub(super) course: Course,
    pub(super) addresses: Vec<String>,
    /// What became of the nodes that did not survive.
    pub(super) fate: &'static str,
}

struct Figures {
    time: Duration,
    /// Cycles per second.
    rate: f64,
    overlaps: usize,
    /// Fencing tokens that are not above all of earlier holds.
    repeats: usize,
    mean_wait: Duration,
    longest_wait: Duration,
}

impl Report {
    pub(super) fn all_is_well(&self) -> bool {
        self.faults().is_empty()
    }

    /// Tells everything, as people read it.
    pub(super) fn print(&self, screen: &mut Screen) {
        self.print_figures(screen);
        self.print_votes(screen);
        let faults = self.faults();
        if faults.is_empty() {
            let verdict = format!(
                "OK: the counter is exact, no two holders overlapped, tokens rose, {} of {} {} on the way",
                self.course.killed,
                count(self.addresses.len(), "node"),
                self.fate
            );
            screen.line(screen.toned(Tone::Good, verdict));
        } else {
            screen.line(screen.toned(Tone::Bad, format!("FAILED: {}", faults.join(", "))));
        }
    }

    /// The same as one JSON object; times in seconds.
    pub(super) fn to_json(&self) -> Value {
        let Figures { time, rate, overlaps, repeats, mean_wait, longest_wait } = self.figures();
        let node = |(index, (address, votes)): (usize, (&String, &Votes))| {
            let Votes { granted, refused, failed } = votes;
            let state = if index < self.course.killed { self.fate } else { "up" };
            json!({ "address": address, "granted": granted, "refused": refused, "failed": failed, "state": state })
        };
        let nodes: Vec<Value> = self.addresses.iter().zip(&self.course.votes).enumerate().map(node).collect();
        json!({
            "ok": self.all_is_well(),
            "faults": self.faults(),
            "expected": self.expected,
            "counter": self.counter.as_ref().ok(),
            "holds": self.course.holds.len(),
            "overlaps": overlaps,
            "repeatedTokens": repeats,
            "problems": self.course.problems,
            "time": time.as_secs_f64(),
            "cyclesPerSecond": rate,
            "meanWait": mean_wait.as_secs_f64(),
            "longestWait": longest_wait.as_secs_f64(),
            "nodes": nodes,
        })
    }

    fn figures(&self) -> Figures {
        let holds = &self.course.holds;
        let time = self.course.duration();
        let waits = || holds.iter().map(|hold| hold.waited);
        Figures {
            time,
            rate: if time.is_zero() { 0.0 } else { holds.len() as f64 / time.as_secs_f64() },
            overlaps: overlaps(holds),
            repeats: repeats(holds),
            mean_wait: waits().sum::<Duration>() / u32::try_from(holds.len().max(1)).unwrap_or(u32::MAX),
            longest_wait: waits().max().unwrap_or_default(),
        }
    }

    fn print_figures(&self, screen: &mut Screen) {
        let Figures { time, rate, overlaps, repeats, mean_wait, longest_wait } = self.figures();
        let (time, mean, longest) = (readable(time), readable(mean_wait), readable(longest_wait));
        let counter = match &self.counter {
            Ok(value) => format!("{value}, expected {}", self.expected),
            Err(why) => why.clone(),
        };
        screen.line("");
        screen.line(format_args!("counter  {counter}"));
        screen.line(format_args!("time     {time}, {rate:.1} cycles per second"));
        screen.line(format_args!("holds    {}, {overlaps} of them overlapping", self.course.holds.len()));
        let order = match repeats {
            0 => "rising in the order of the holds".to_owned(),
            repeats => format!("{repeats} of them not above all before"),
        };
        screen.line(format_args!("tokens   {order}"));
        screen.line(format_args!("wait     {mean} on average, {longest} at most"));
    }

    fn print_votes(&self, screen: &mut Screen) {
        let width = self.addresses.iter().map(String::len).max().unwrap_or_default().max("address".len());
        let heading = format!("node  {:width$}  granted  refused   failed  state", "address");
        screen.line("");
        let whose = if self.course.has_all_votes() { "" } else { ", of those who have finished" };
        screen.line(format_args!("Votes on requests to acquire{whose}; a process hands the lock on to its own contenders without them:"));
        screen.line(screen.toned(Tone::Heading, heading));
        for (index, (address, votes)) in self.addresses.iter().zip(&self.course.votes).enumerate() {
            let Votes { granted, refused, failed } = votes;
            let state =
                if index < self.course.killed { screen.toned(Tone::Warning, self.fate) } else { "up".into() };
            let row = format!(
                "{:>4}  {address:width$}  {granted:>7}  {refused:>7}  {failed:>7}  {state}",
                index + 1
            );
            screen.line(row);
        }
        screen.line("");
    }

    /// What is not as it should be.
    fn faults(&self) -> Vec<String> {
        let overlaps = overlaps(&self.course.holds);
        let mut faults = Vec::new();
        match &self.counter {
            Ok(value) if *value == self.expected => {}
            Ok(value) => faults.push(format!("the counter is {value} instead of {}", self.expected)),
            Err(_) => faults.push("the counter cannot be read".to_owned()),
        }
        if overlaps > 0 {
            faults.push(format!("{} overlapped with an earlier one", count(overlaps, "hold")));
        }
        let repeats = repeats(&self.course.holds);
        if repeats > 0 {
            faults.push(format!("{} did not rise", count(repeats, "fencing token")));
        }
        let made = self.course.holds.len() as u64;
        if made != self.expected {
            faults.push(format!("{made} of {} were made", count(self.expected, "increment")));
        }
        if self.course.problems > 0 {
            faults.push(count(self.course.problems, "problem"));
        }
        faults
    }
}

/// How many holds began before an earlier one had ended.
fn overlaps(holds: &[Hold]) -> usize {
    let mut sorted: Vec<&Hold> = holds.iter().collect();
    sorted.sort_by_key(|hold| hold.start);
    let mut free_from = None;
    let mut overlaps = 0;
    for hold in sorted {
        overlaps += usize::from(free_from.is_some_and(|free_from| hold.start < free_from));
        free_from = free_from.max(Some(hold.end));
    }
    overlaps
}

/// How many holds have a fencing token that is not above those of all earlier holds.
fn repeats(holds: &[Hold]) -> usize {
    let mut sorted: Vec<&Hold> = holds.iter().collect();
    sorted.sort_by_key(|hold| hold.start);
    let mut largest = 0;
    let mut repeats = 0;
    for hold in sorted {
        repeats += usize::from(hold.token <= largest);
        largest = largest.max(hold.token);
    }
    repeats
}

#[cfg(test)]
mod tests {
    use redlock::Instant;

    use super::*;

    fn holds<const N: usize>(times: [(u64, u64); N]) -> [Hold; N] {
        times.map(|(start, end)| Hold {
            contender: 1,
            waited: Duration::ZERO,
            start: Instant::from_nanos(start),
            end: Instant::from_nanos(end),
            token: start + 1,
        })
    }

    #[test]
    fn tokens_must_rise_in_the_order_of_the_holds_not_of_the_lines() {
        let mut holds = holds([(20, 30), (0, 10), (10, 20)]);
        assert_eq!(repeats(&holds), 0);
        holds[0].token = 11;
        assert_eq!(repeats(&holds), 1, "a token that stands still");
        holds[2].token = 0;
        assert_eq!(repeats(&holds), 1, "no token at all");
    }

    #[test]
    fn holds_that_follow_each_other_do_not_overlap_in_whatever_order_they_are_told() {
        assert_eq!(overlaps(&holds([(20, 30), (0, 10), (10, 20)])), 0);
    }

    #[test]
    fn a_hold_inside_a_long_one_is_found_also_behind_a_short_one() {
        assert_eq!(overlaps(&holds([(0, 100), (10, 20), (30, 40)])), 2);
        assert_eq!(overlaps(&holds([(0, 100), (100, 101), (99, 102)])), 2);
    }
}
