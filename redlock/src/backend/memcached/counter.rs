//! Fencing counters: text of the form `<counter> <owner>`, the owner being the one for whom it was counted last; what that owner says
//! of itself follows behind a space.
//!
//! The owner is there because lock and counter are stored one after the other: who finds its own token in a lock must know whether its counter was
//! counted too, or take the token of the holder before for its own.

use std::time::Duration;

use super::clock::LATEST_END;
use super::codec::{Answer, Item, Pipeline};
use super::keys;
use super::shard::{Memory, Session, Shard};
use crate::id::FencingToken;
use crate::node::fence::{keep_for, next_counter};
use crate::node::{Description, Effect, Fence, NodeError, Raise};
use crate::protections::Protections;

/// A counter that is no further ahead than this of what the server's clock showed last, in microseconds, is within what `ceiling` says of
/// every counter: a second of lead, and what that clock may be behind.
const UNNOTED_LEAD: u64 = 10_000_000;
const TRIES: usize = 16;

/// A counter as it is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counter {
    /// 0: there is none.
    pub(super) value: u64,
    pub(super) owner: String,
    pub(super) said: Option<Description>,
}

impl Counter {
    /// `Err`: something else has written the item.
    pub(super) fn read(item: Option<&Item>) -> Result<Self, ()> {
        let Some(item) = item else { return Ok(Self::default()) };
        let mut parts = item.value.as_deref().ok_or(())?.splitn(3, |&byte| byte == b' ');
        let mut next = || std::str::from_utf8(parts.next().ok_or(())?).map_err(|_| ());
        let (number, owner) = (next()?, next()?);
        let said = parts.next().and_then(Description::from_stored);
        let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let value = number.parse().ok().filter(|&value| is_plain && value <= FencingToken::MAX).ok_or(())?;
        Ok(Self { value, owner: owner.to_owned(), said })
    }

    /// What `owner` says of itself, if the counter was counted for it.
    pub(super) fn said_by(&self, owner: &[u8]) -> Option<&Description> {
        self.said.as_ref().filter(|_| self.owner.as_bytes() == owner)
    }
}

/// A counter as it is stored.
pub(super) fn text(value: u64, owner: &str, said: Option<&Description>) -> String {
    match said {
        Some(said) => format!("{value} {owner} {}", said.as_str()),
        None => format!("{value} {owner}"),
    }
}

/// What a request asks of a counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    how: How,
    ttl: Duration,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Up(Fence),
    To(Raise),
}

/// Where a counter is to stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) value: u64,
    /// It stands there already, counted for this owner.
    pub(super) is_there: bool,
}

impl Count {
    pub(super) fn up(fence: Fence, ttl: Duration) -> Self {
        Self { how: How::Up(fence), ttl }
    }

    pub(super) fn to(raise: Raise, ttl: Duration) -> Self {
        Self { how: How::To(raise), ttl }
    }

    /// Where the counter goes for this owner, at `now` in the server's microseconds; `None`: it is at its end.
    /// The counter has `left` to live.
    pub(super) fn next(
        &self,
        counter: &Counter,
        left: Duration,
        owner: &str,
        now: u64,
        floor: u64,
        protections: &Protections,
    ) -> Option<Next> {
        match &self.how {
            How::Up(_) if counter.owner == owner && counter.value > 0 && protections.fence_once() => {
                Some(Next { value: counter.value, is_there: true })
            }
            How::Up(fence) => {
                let value = next_counter(counter.value.max(floor), fence, now, protections)?;
                Some(Next { value, is_there: false })
            }
            How::To(raise) => {
                let value = counter.value.max(raise.to.min(FencingToken::MAX));
                let is_there = counter.value == value && left >= self.keep_for(value, now);
                Some(Next { value, is_there })
            }
        }
    }

    /// For how long a counter that stands there must be kept.
    fn keep_for(&self, value: u64, now: u64) -> Duration {
        keep_for(value, now, self.ttl, self.retention())
    }

    /// For how long it is stored: longer, so that not every renewal has to store it anew.
    pub(super) fn stored_for(&self, value: u64, now: u64) -> Duration {
        self.keep_for(value, now).saturating_add(self.retention() / 4)
    }

    fn retention(&self) -> Duration {
        match &self.how {
            How::Up(fence) => fence.retention,
            How::To(raise) => raise.retention,
        }
    }
}

/// No counter is above this where the server's clock shows `shown` seconds, and `noted` is the highest that was noted.
pub(super) fn ceiling(shown: u64, noted: u64, floor: u64) -> u64 {
    let unnoted = shown.saturating_mul(1_000_000).saturating_add(UNNOTED_LEAD);
    unnoted.max(noted).max(floor).min(FencingToken::MAX)
}

/// Notes a counter that is further ahead of the server's time than counters are by themselves, before it is stored.
pub(super) async fn note_top(shard: &Shard, session: &Session, value: u64) -> Result<(), NodeError> {
    let shown = shard.clock().least().saturating_mul(1_000_000);
    if session.memory == Memory::Unguarded || value <= shown.saturating_add(UNNOTED_LEAD) {
        return Ok(());
    }
    let unknown = |error: NodeError| NodeError { effect: Effect::Unknown, ..error };
    for _ in 0..TRIES {
        let mut pipeline = Pipeline::new();
        pipeline.get(keys::TOP);
        let answered = shard.run(session, pipeline).await.map_err(unknown)?;
        let there = match answered.answers.as_slice() {
            [Answer::Item(item)] => Some(item),
            [Answer::Missing] => None,
            _ => return Err(shard.nonsense(session)),
        };
        if noted(there) >= value {
            return Ok(());
        }
        let mut pipeline = Pipeline::new();
        match there {
            Some(item) => pipeline.swap(keys::TOP, &value.to_string(), LATEST_END, item.cas),
            None => pipeline.add(keys::TOP, &value.to_string(), LATEST_END),
        }
        let answered = shard.run(session, pipeline).await.map_err(unknown)?;
        match answered.answers.as_slice() {
            [Answer::Stored] => return Ok(()),
            [Answer::NotStored | Answer::Changed | Answer::Missing] => {}
            [Answer::Refused(_)] => return Err(shard.full(Effect::Unknown)),
            _ => return Err(shard.nonsense(session)),
        }
    }
    let detail = "the note of the highest counter was changed by others each time";
    Err(NodeError::with_unknown_effect(&shard.node, crate::node::NodeErrorKind::NotReady, detail))
}

/// The highest counter that was noted; 0 if there is none, or something else in its place.
pub(super) fn noted(item: Option<&Item>) -> u64 {
    let text = item.and_then(|item| std::str::from_utf8(item.value.as_deref()?).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000;

    fn item(text: &str) -> Item {
        Item { value: Some(text.as_bytes().to_vec()), cas: 1, left: Some(1) }
    }

    #[test]
    fn a_counter_is_read_as_it_is_written_and_nothing_else_is() {
        let read = |text: &str| Counter::read(Some(&item(text)));
        let counter = |said: Option<&str>| Counter {
            value: 7,
            owner: "me".to_owned(),
            said: said.map(Description::new),
        };
        assert_eq!(read(&text(7, "me", None)), Ok(counter(None)));
        let said = counter(Some("web-3 1 2 a\nb"));
        assert_eq!(read(&text(7, "me", said.said.as_ref())), Ok(counter(Some("web-3 1 2 a\nb"))));
        assert!(said.said_by(b"me").is_some() && said.said_by(b"you").is_none());
        assert_eq!(Counter::read(None), Ok(Counter::default()));
        for bad in ["", "7", "x me", "-1 me", "+1 me", "1e3 me", " me", "9007199254740992 me"] {
            assert_eq!(read(bad), Err(()), "{bad}");
        }
        assert_eq!(Counter::read(Some(&Item { value: None, ..item("") })), Err(()));
    }

    #[test]
    fn a_repetition_counts_once_and_a_token_that_was_counted_for_another_is_never_taken() {
        let count = Count::up(Fence::new(NOW, 1, Duration::ZERO), Duration::from_secs(1));
        let of = |owner: &str| Counter { value: NOW + 5, owner: owner.to_owned(), said: None };
        let next = |owner| count.next(&of(owner), Duration::ZERO, "me", NOW, 0, &Default::default());
        assert_eq!(next("me"), Some(Next { value: NOW + 5, is_there: true }));
        assert_eq!(next("other"), Some(Next { value: NOW + 6, is_there: false }));
    }

    #[test]
    fn a_raise_stores_a_counter_anew_only_where_it_is_too_low_or_would_end_too_soon() {
        let (ttl, retention) = (Duration::from_secs(10), Duration::from_secs(600));
        let count = Count::to(Raise::new(NOW, retention), ttl);
        let next = |value, left| {
            let counter = Counter { value, owner: "other".to_owned(), said: None };
            count.next(&counter, Duration::from_secs(left), "me", NOW, 0, &Default::default()).unwrap()
        };
        assert_eq!(next(NOW - 1, 10_000), Next { value: NOW, is_there: false });
        assert_eq!(next(NOW + 1, 600), Next { value: NOW + 1, is_there: false });
        assert_eq!(next(NOW + 1, 612), Next { value: NOW + 1, is_there: true });
        assert_eq!(count.stored_for(NOW, NOW), Duration::from_secs(761));
    }

    #[test]
    fn counters_begin_above_the_floor_and_end() {
        let count = Count::up(Fence::new(NOW, 1, Duration::ZERO), Duration::from_secs(1));
        let next =
            |floor| count.next(&Counter::default(), Duration::ZERO, "me", NOW, floor, &Default::default());
        assert_eq!(next(NOW + 9).unwrap().value, NOW + 10);
        assert_eq!(next(FencingToken::MAX), None);
    }
}
