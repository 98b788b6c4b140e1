//! Answers of the scripts. A server may send anything: what is not exactly as expected is never a grant.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::Resp3Frame;

use super::auxiliary::Seen;
use super::scripts::code;
use crate::id::FencingToken;
use crate::node::{Grant, Inspection, Refusal, RefusalReason, Reply};

/// Lua counts exactly up to here; no clock is beyond (year 2255).
const LARGEST: u64 = 1 << 53;

/// An answer in the form that all scripts share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    code: i64,
    /// The server's clock when the script ran, in microseconds.
    pub(super) clock: u64,
    /// A grant's fencing counter, or what PTTL said of the holder, if the script asked.
    number: Option<i64>,
    /// The fencing counter of an inspection.
    counter: Option<i64>,
    /// Of an inspection, or of a refusal: who has the name.
    seen: Option<Seen>,
}

/// An answer that no script of ours gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) &'static str);

/// What a server says to one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Answer(Answer),
    /// An error reply.
    Refused(Arc<str>),
    Nonsense(Nonsense),
}

impl Told {
    /// To one that was sent alone.
    pub(super) fn of_one(frame: &Resp3Frame) -> Self {
        match error(frame) {
            Some(text) => Self::Refused(text.into()),
            None => Answer::read(frame).map_or_else(Self::Nonsense, Self::Answer),
        }
    }
}

/// What a server says to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// Its clock, if it says anything of the kind.
    pub(super) clock: Option<u64>,
    /// To each operation, in their order.
    pub(super) each: Vec<Told>,
}

/// Reads the answer to a batch of `count` operations. One odd value, or one too many or too few, makes all of it nonsense: nobody
/// can tell then what belongs to whom.
pub(super) fn of_batch(frame: &Resp3Frame, count: usize) -> Batch {
    let all = |told| Batch { clock: None, each: vec![told; count] };
    if let Some(text) = error(frame) {
        return all(Told::Refused(text.into()));
    }
    let read = || {
        let Resp3Frame::Array { data, .. } = frame else { return Err(Nonsense("not an array")) };
        let [clock, each @ ..] = data.as_slice() else { return Err(Nonsense("an empty array")) };
        if each.len() != count {
            return Err(Nonsense("an array of another length than the batch"));
        }
        let clock = in_range(number(clock)?)?;
        let each = each.iter().map(|frame| in_batch(frame, clock)).collect::<Result<_, _>>()?;
        Ok(Batch { clock: Some(clock), each })
    };
    read().unwrap_or_else(|nonsense| all(Told::Nonsense(nonsense)))
}

fn in_batch(frame: &Resp3Frame, clock: u64) -> Result<Told, Nonsense> {
    let done = |number| Answer { code: code::DONE, clock, number, counter: None, seen: None };
    Ok(match frame {
        Resp3Frame::Number { data: 0, .. } => Told::Answer(done(None)),
        Resp3Frame::Number { data: counter @ 1.., .. } => Told::Answer(done(Some(*counter))),
        Resp3Frame::BlobString { data, .. } => Told::Refused(String::from_utf8_lossy(data).into()),
        Resp3Frame::Array { data, .. } => match data.as_slice() {
            [code, rest @ ..] => Told::Answer(Answer::with(number(code)?, clock, rest)?),
            [] => return Err(Nonsense("an empty array in a batch")),
        },
        _ => return Err(Nonsense("an element of a batch that is neither number, text nor array")),
    })
}

fn in_range(clock: i64) -> Result<u64, Nonsense> {
    let clock = u64::try_from(clock).ok().filter(|clock| (1..LARGEST).contains(clock));
    clock.ok_or(Nonsense("a clock out of range"))
}

impl Answer {
    pub(super) fn read(frame: &Resp3Frame) -> Result<Self, Nonsense> {
        let Resp3Frame::Array { data, .. } = frame else { return Err(Nonsense("not an array")) };
        match data.as_slice() {
            [code, clock, rest @ ..] => Self::with(number(code)?, in_range(number(clock)?)?, rest),
            _ => Err(WRONG_LENGTH),
        }
    }

    /// `rest`: up to two numbers, behind one of them a text or none, and behind both of them two texts or none.
    fn with(code: i64, clock: u64, rest: &[Resp3Frame]) -> Result<Self, Nonsense> {
        let (numbers, seen) = match rest {
            [number, Resp3Frame::BlobString { data, .. }] => (from_ref(number), Some(Seen::of(data, b""))),
            [] | [_] | [_, _] => (rest, None),
            [_, _, main, auxiliary] => (rest, Some(Seen::of(bytes(main)?, bytes(auxiliary)?))),
            _ => return Err(WRONG_LENGTH),
        };
        let optional = |index: usize| numbers.get(index).map(number).transpose();
        Ok(Self { code, clock, number: optional(0)?, counter: optional(1)?, seen })
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
        let owner = self.seen.map(|seen| seen.owner);
        Ok(Reply::Refused(Refusal { owner, ..Refusal::new(reason, remaining) }))
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
        match (self.code, self.number, self.seen) {
            (code::HELD, Some(pttl), Some(Seen { owner, description })) => {
                let held = Inspection::new(true, remaining(pttl)?).with_counter(counter);
                Ok(held.of_owner(owner, description))
            }
            (code::MISSING, Some(_), None) => Ok(Inspection::new(false, None).with_counter(counter)),
            _ => Err(UNEXPECTED),
        }
    }
}

fn token(counter: i64) -> Result<FencingToken, Nonsense> {
    let token = u64::try_from(counter).ok().and_then(FencingToken::new);
    token.ok_or(Nonsense("a fencing counter out of range"))
}

const WRONG_LENGTH: Nonsense = Nonsense("an array of a length that no answer has");
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

/// A string of any bytes.
fn bytes(frame: &Resp3Frame) -> Result<&[u8], Nonsense> {
    match frame {
        Resp3Frame::BlobString { data, .. } => Ok(data),
        _ => Err(Nonsense("an element that is not a string")),
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
    use crate::node::OwnerId;

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
        let named = array(vec![int(1), int(NOW), int(7), string("0a")]);
        let Ok(Reply::Refused(named)) = Answer::read(&named).unwrap().vote() else { panic!("a refusal") };
        assert_eq!(
            (named.remaining, named.owner),
            (Some(Duration::from_millis(7)), Some(OwnerId::of_stored(b"0a")))
        );
        assert_eq!(vote(&[2, NOW]), refused(RefusalReason::Missing, None));
        assert_eq!(vote(&[3, NOW]), refused(RefusalReason::Stale, None));
        let numbers = [1, NOW, i64::MAX, 9].map(int);
        let answer = |texts: [&[u8]; 2]| {
            let texts =
                texts.map(|text| Resp3Frame::BlobString { data: text.to_vec().into(), attributes: None });
            Answer::read(&array(numbers.iter().cloned().chain(texts).collect())).unwrap()
        };
        let described = answer([b"0123456789", b"01234567 web-3 1 2"]).inspection().unwrap();
        assert_eq!(described.description.unwrap().as_str(), "web-3 1 2");
        let answer = answer([b"\xff", b""]);
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

    #[test]
    fn an_answer_to_a_batch_is_one_to_each_of_its_operations_or_to_none() {
        let read = |frames: Vec<Resp3Frame>, count| of_batch(&array(frames), count);
        let told = read(vec![int(NOW), int(0), int(7), ints(&[1, 5]), string("WRONGTYPE x")], 4);
        assert_eq!(told.clock, u64::try_from(NOW).ok());
        let answer = |numbers: &[i64]| Told::Answer(Answer::read(&ints(numbers)).unwrap());
        let refused = Told::Refused("WRONGTYPE x".into());
        assert_eq!(told.each, [answer(&[0, NOW]), answer(&[0, NOW, 7]), answer(&[1, NOW, 5]), refused]);
        for (odd, count) in [
            (vec![], 1),
            (vec![int(NOW)], 1),
            (vec![int(NOW), int(0), int(0)], 1),
            (vec![int(0), int(0)], 1),
            (vec![int(NOW), int(0), int(-1)], 2),
            (vec![int(NOW), int(0), Resp3Frame::Null], 2),
            (vec![int(NOW), int(0), array(vec![])], 2),
            (vec![int(NOW), int(0), ints(&[1, 2, 3, 4])], 2),
            (vec![int(NOW), int(0), array(vec![string("1")])], 2),
        ] {
            let told = read(odd, count);
            assert!(told.clock.is_none() && told.each.len() == count);
            assert!(told.each.iter().all(|told| matches!(told, Told::Nonsense(_))), "{told:?}");
        }
        let error = Resp3Frame::SimpleError { data: "NOSCRIPT x".into(), attributes: None };
        assert_eq!(of_batch(&error, 2).each, vec![Told::Refused("NOSCRIPT x".into()); 2]);
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
