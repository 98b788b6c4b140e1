//! What contenders report, and how a worker process says it: one line each.

use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::time::Duration;

use redlock::Instant;

use super::votes::Votes;

/// Something that happened to a client's contenders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Connected; nobody contends before the word is given.
    Ready,
    /// A contender has the lock from now on, with this fencing token; 0 where the lock was skipped.
    Holding {
        /// Its number, from 1.
        contender: u32,
        token: u64,
    },
    /// One increment was made.
    Hold(Hold),
    /// A contender has given up; in one line.
    Failed(String),
    /// How a node, counted from 0, has voted.
    Votes(usize, Votes),
    /// All contenders have ended, and all votes are told.
    Done,
}

/// The time in which one contender had the lock, on the clock that all processes of a machine share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// Whose, by number from 1.
    pub(super) contender: u32,
    /// From asking for the lock to having it.
    pub(super) waited: Duration,
    /// Read right after the lock was acquired.
    pub(super) start: Instant,
    /// Read right before it was released.
    pub(super) end: Instant,
    /// The fencing token; 0 where the lock was skipped.
    pub(super) token: u64,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Holding { contender, token } => write!(f, "holding {contender} {token}"),
            Self::Hold(Hold { contender, waited, start, end, token }) => {
                let [waited, start, end] =
                    [waited.as_nanos(), start.as_nanos().into(), end.as_nanos().into()];
                write!(f, "hold {contender} {waited} {start} {end} {token}")
            }
            // Whatever an error says, it stays one line.
            Self::Failed(why) => write!(f, "failed {}", why.lines().collect::<Vec<_>>().join(" ")),
            Self::Votes(node, Votes { granted, refused, failed }) => {
                write!(f, "votes {node} {granted} {refused} {failed}")
            }
            Self::Done => f.write_str("done"),
        }
    }
}

/// A line that is no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("said {line:?}; expected `ready`, `holding`, `hold`, `failed`, `votes` or `done` with its numbers")]
pub(super) struct NoEvent {
    line: String,
}

impl FromStr for Event {
    type Err = NoEvent;

    fn from_str(line: &str) -> Result<Self, NoEvent> {
        parse(line.trim()).ok_or_else(|| NoEvent { line: line.to_owned() })
    }
}

fn parse(line: &str) -> Option<Event> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if word == "failed" {
        return Some(Event::Failed(rest.to_owned()));
    }
    let mut numbers = rest.split_ascii_whitespace();
    let event = match word {
        "ready" => Event::Ready,
        "holding" => {
            Event::Holding { contender: number(&mut numbers)?.try_into().ok()?, token: number(&mut numbers)? }
        }
        "hold" => Event::Hold(Hold {
            contender: number(&mut numbers)?.try_into().ok()?,
            waited: Duration::from_nanos(number(&mut numbers)?),
            start: Instant::from_nanos(number(&mut numbers)?),
            end: Instant::from_nanos(number(&mut numbers)?),
            token: number(&mut numbers)?,
        }),
        "votes" => {
            let node = number(&mut numbers)?.try_into().ok()?;
            let (granted, refused) = (number(&mut numbers)?, number(&mut numbers)?);
            Event::Votes(node, Votes { granted, refused, failed: number(&mut numbers)? })
        }
        "done" => Event::Done,
        _ => return None,
    };
    numbers.next().is_none().then_some(event)
}

fn number(numbers: &mut SplitAsciiWhitespace<'_>) -> Option<u64> {
    numbers.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_being_written_and_read() {
        let hold = Hold {
            contender: u32::MAX,
            waited: Duration::from_nanos(7),
            start: Instant::from_nanos(u64::MAX - 1),
            end: Instant::from_nanos(u64::MAX),
            token: 9,
        };
        let votes = Votes { granted: 1, refused: 2, failed: 3 };
        let why = "no quorum: 3 of 5".to_owned();
        for event in [
            Event::Ready,
            Event::Holding { contender: 1, token: u64::MAX },
            Event::Hold(hold),
            Event::Failed(why),
            Event::Votes(4, votes),
            Event::Done,
        ] {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
    }

    #[test]
    fn an_error_of_several_lines_becomes_one() {
        assert_eq!(Event::Failed("a\nb".to_owned()).to_string(), "failed a b");
    }

    #[test]
    fn a_line_that_is_no_event_is_quoted() {
        for line in [
            "",
            "hol",
            "hold 1 2",
            "hold 1 2 3 4 5 6",
            "hold 1 2 3 4 -5",
            "hold 4294967296 2 3 4 5",
            "holding 1",
            "votes 0 1 2",
            "done 1",
        ] {
            let error = line.parse::<Event>().unwrap_err();
            assert!(error.to_string().contains(&format!("{line:?}")), "{error}");
        }
    }
}
