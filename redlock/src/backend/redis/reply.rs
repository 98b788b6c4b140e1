//! Answers of the scripts. A server may send anything: what is not exactly as expected is never a grant.

use std::time::Duration;

use fred::interfaces::Resp3Frame;

use super::scripts::code;
use crate::id::FencingToken;
use crate::node::{Grant, Inspection, Refusal, RefusalReason, Reply};

/// Lua counts exactly up to here; no clock is beyond (year 2255).
const LARGEST: u64 = 1 << 53;

/// An answer in the form that all scripts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    code: i64,
    /// The server's clock when the script ran, in microseconds.
    pub(super) clock: u64,
    /// A grant's fencing counter, or what PTTL said of the holder, if the script asked.
    number: Option<i64>,
    /// The fencing counter of an inspection.
    counter: Option<i64>,
}

/// An answer that no script of ours gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) &'static str);

impl Answer {
    pub(super) fn read(frame: &Resp3Frame) -> Result<Self, Nonsense> {
        let Resp3Frame::Array { data, .. } = frame else { return Err(Nonsense("not an array")) };
        let (code, clock, rest) = match data.as_slice() {
            [code, clock, rest @ ..] if rest.len() <= 2 => (number(code)?, number(clock)?, rest),
            _ => return Err(Nonsense("an array of another length than two to four")),
        };
        let optional = |index| rest.get(index).map(number).transpose();
        let (first, second) = (optional(0)?, optional(1)?);
        let clock = u64::try_from(clock).ok().filter(|clock| (1..LARGEST).contains(clock));
        let clock = clock.ok_or(Nonsense("a clock out of range"))?;
        Ok(Self { code, clock, number: first, counter: second })
    }

    /// Whether the server's marker is not the one that the script was made for.
    pub(super) fn is_unmarked(&self) -> bool {
        self.code == code::UNMARKED
    }

    /// Of a look at the server: no fencing counter is above this, where it keeps a marker.
    pub(super) fn ceiling(self) -> Result<Option<u64>, Nonsense> {
        match (self.code, self.number, self.counter) {
            (code::DONE, None, None) => Ok(None),
            (code::DONE, Some(ceiling), None) => Ok(Some(token(ceiling)?.get())),
            _ => Err(UNEXPECTED),
        }
    }

    /// Of a change of the marker: whether it was changed. It is not before its time.
    pub(super) fn marked(self) -> Result<bool, Nonsense> {
        match (self.code, self.number, self.counter) {
            (code::DONE, None, None) => Ok(true),
            (code::QUARANTINED, None, None) => Ok(false),
            _ => Err(UNEXPECTED),
        }
    }

    /// Of acquire and extend without a fence.
    pub(super) fn vote(self) -> Result<Reply, Nonsense> {
        match self.fenced_vote()? {
            Reply::Granted(Grant { counter: Some(_), .. }) => Err(UNEXPECTED),
            reply => Ok(reply),
        }
    }

    /// Of acquire, extend and raise with a fence. A grant without a counter settles no token, and so is not in the way.
    pub(super) fn fenced_vote(self) -> Result<Reply, Nonsense> {
        let (reason, remaining) = match (self.code, self.number, self.counter) {
            (code::DONE, None, None) => return Ok(Reply::Granted(Grant::default())),
            (code::DONE, Some(counter), None) => {
                return Ok(Reply::Granted(Grant::with_counter(token(counter)?.get())));
            }
            (code::HELD, Some(pttl), None) => (RefusalReason::Held, remaining(pttl)?),
            (code::MISSING, None, None) => (RefusalReason::Missing, None),
            (code::STALE, None, None) => (RefusalReason::Stale, None),
            (code::EXHAUSTED, None, None) => (RefusalReason::Exhausted, None),
            (code::QUARANTINED, Some(left), None) => (RefusalReason::Quarantined, remaining(left)?),
            _ => return Err(UNEXPECTED),
        };
        Ok(Reply::Refused(Refusal::new(reason, remaining)))
    }

    /// Of release: whether the owner had the name.
    pub(super) fn was_held(self) -> Result<bool, Nonsense> {
        match (self.code, self.number, self.counter) {
            (code::DONE, None, None) => Ok(true),
            (code::MISSING, None, None) => Ok(false),
            _ => Err(UNEXPECTED),
        }
    }

    pub(super) fn inspection(self) -> Result<Inspection, Nonsense> {
        let counter = match self.counter {
            Some(0) => None,
            Some(counter) => Some(token(counter)?.get()),
            None => return Err(UNEXPECTED),
        };
        match (self.code, self.number) {
            (code::HELD, Some(pttl)) => Ok(Inspection::new(true, remaining(pttl)?).with_counter(counter)),
            (code::MISSING, Some(_)) => Ok(Inspection::new(false, None).with_counter(counter)),
            _ => Err(UNEXPECTED),
        }
    }
}

fn token(counter: i64) -> Result<FencingToken, Nonsense> {
    let token = u64::try_from(counter).ok().and_then(FencingToken::new);
    token.ok_or(Nonsense("a fencing counter out of range"))
}

const UNEXPECTED: Nonsense = Nonsense("a code that this script does not give");

/// The command TIME: seconds and microseconds, as strings.
pub(super) fn time(frame: &Resp3Frame) -> Option<u64> {
    let Resp3Frame::Array { data, .. } = frame else { return None };
    let [seconds, micros] = data.as_slice() else { return None };
    let micros = text(micros)?.parse::<u64>().ok().filter(|&micros| micros < 1_000_000)?;
    let total = text(seconds)?.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?;
    Some(total).filter(|total| (1..LARGEST).contains(total))
}

/// A string answer; an error is none.
pub(super) fn text(frame: &Resp3Frame) -> Option<&str> {
    match frame {
        Resp3Frame::SimpleString { data, .. }
        | Resp3Frame::BlobString { data, .. }
        | Resp3Frame::VerbatimString { data, .. } => std::str::from_utf8(data).ok(),
        _ => None,
    }
}

/// The value in an answer of a name and its value.
pub(super) fn second(frame: &Resp3Frame) -> Option<&str> {
    match frame {
        Resp3Frame::Array { data, .. } => data.get(1).and_then(text),
        _ => None,
    }
}

/// A list of strings; what is no string in it is empty.
pub(super) fn texts(frame: &Resp3Frame) -> Option<Vec<&str>> {
    let Resp3Frame::Array { data, .. } = frame else { return None };
    Some(data.iter().map(|item| text(item).unwrap_or_default()).collect())
}

/// An error answer.
pub(super) fn error(frame: &Resp3Frame) -> Option<String> {
    match frame {
        Resp3Frame::SimpleError { data, .. } => Some(data.to_string()),
        Resp3Frame::BlobError { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    }
}

fn number(frame: &Resp3Frame) -> Result<i64, Nonsense> {
    match frame {
        Resp3Frame::Number { data, .. } => Ok(*data),
        _ => Err(Nonsense("an element that is not an integer")),
    }
}

/// -1 is a key without an end. A key that is gone (-2) cannot be held.
fn remaining(pttl: i64) -> Result<Option<Duration>, Nonsense> {
    match u64::try_from(pttl) {
        Ok(millis) => Ok(Some(Duration::from_millis(millis))),
        Err(_) if pttl == -1 => Ok(None),
        Err(_) => Err(Nonsense("a negative TTL")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn int(data: i64) -> Resp3Frame {
        Resp3Frame::Number { data, attributes: None }
    }

    fn array(data: Vec<Resp3Frame>) -> Resp3Frame {
        Resp3Frame::Array { data, attributes: None }
    }

    fn ints(numbers: &[i64]) -> Resp3Frame {
        array(numbers.iter().copied().map(int).collect())
    }

    fn string(data: &str) -> Resp3Frame {
        Resp3Frame::BlobString { data: data.to_owned().into(), attributes: None }
    }

    const NOW: i64 = 1_700_000_000_000_000;

    #[test]
    fn answers_mean_what_the_scripts_say() {
        let vote = |numbers: &[i64]| Answer::read(&ints(numbers)).unwrap().vote().unwrap();
        let refused = |reason, remaining| Reply::Refused(Refusal::new(reason, remaining));
        assert_eq!(vote(&[0, NOW]), Reply::Granted(Grant::default()));
        let fenced = |numbers: &[i64]| Answer::read(&ints(numbers)).unwrap().fenced_vote();
        assert_eq!(fenced(&[0, NOW, 7]), Ok(Reply::Granted(Grant::with_counter(7))));
        assert!(Answer::read(&ints(&[0, NOW, 7])).unwrap().vote().is_err(), "nobody asked for a counter");
        for counter in [0, -1, 1 << 53, i64::MAX] {
            assert!(fenced(&[0, NOW, counter]).is_err(), "{counter}");
        }
        assert_eq!(vote(&[4, NOW]), refused(RefusalReason::Exhausted, None));
        assert_eq!(vote(&[1, NOW, 7]), refused(RefusalReason::Held, Some(Duration::from_millis(7))));
        assert_eq!(vote(&[1, NOW, -1]), refused(RefusalReason::Held, None));
        assert_eq!(vote(&[2, NOW]), refused(RefusalReason::Missing, None));
        assert_eq!(vote(&[3, NOW]), refused(RefusalReason::Stale, None));
        let answer = Answer::read(&ints(&[1, NOW, i64::MAX, 9])).unwrap();
        assert_eq!(answer.clock, 1_700_000_000_000_000);
        let inspection = answer.inspection().unwrap();
        assert!(inspection.held && inspection.counter == Some(9));
    }

    #[test]
    fn the_time_of_a_server_is_read_exactly_or_not_at_all() {
        assert_eq!(time(&array(vec![string("1700000000"), string("5")])), Some(1_700_000_000_000_005));
        for (seconds, micros) in
            [("-1", "0"), ("1", "1000000"), ("18446744073709551615", "0"), ("", "0"), ("0", "0")]
        {
            assert_eq!(time(&array(vec![string(seconds), string(micros)])), None, "{seconds} {micros}");
        }
        assert_eq!(time(&ints(&[1, 2])), None);
        assert_eq!(time(&string("1")), None);
    }

    fn frame() -> impl Strategy<Value = Resp3Frame> {
        let number = prop_oneof![0..5_i64, Just(NOW), Just(-1), Just(i64::MIN), Just(i64::MAX), any::<i64>()];
        let leaf = prop_oneof![
            8 => number.prop_map(int),
            1 => "[0-9a-z-]{0,6}".prop_map(|text| string(&text)),
            1 => Just(Resp3Frame::Null),
            1 => "[A-Z ]{0,9}".prop_map(|text| Resp3Frame::SimpleError { data: text.into(), attributes: None }),
        ];
        leaf.prop_recursive(2, 16, 4, |inner| vec(inner, 0..5).prop_map(array))
    }

    proptest! {
        #[test]
        fn only_the_exact_answer_is_a_grant(frame in frame()) {
            let reply = Answer::read(&frame).and_then(Answer::vote);
            let _ = Answer::read(&frame).and_then(Answer::fenced_vote);
            let exact = matches!(&frame, Resp3Frame::Array { data, .. } if matches!(data.as_slice(),
                [Resp3Frame::Number { data: 0, .. }, Resp3Frame::Number { data: 1..0x20_0000_0000_0000, .. }]));
            prop_assert_eq!(matches!(reply, Ok(Reply::Granted(_))), exact);
            let _ = Answer::read(&frame).and_then(Answer::was_held);
            let _ = Answer::read(&frame).and_then(Answer::inspection);
            let _ = time(&frame);
        }
    }
}
