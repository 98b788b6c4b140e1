//! Where a counter goes, and how long it is kept: for stores that do not do it in a script of their own.

use std::time::Duration;

use super::Fence;
use crate::id::FencingToken;
use crate::protections::Protections;

/// How far a hint may be from the node's own time, in microseconds. A client with a wrong hint must not push the
/// counter far ahead, nor let it fall behind.
pub(crate) const LARGEST_LEAD: u64 = 1_000_000;

/// Where a counter that stands at `counter` goes for `fence`, at `now` in the node's microseconds; `None` at its end.
pub(crate) fn next_counter(counter: u64, fence: &Fence, now: u64, protections: &Protections) -> Option<u64> {
    let hint = if protections.fence_clamp() {
        fence.hint.clamp(now.saturating_sub(LARGEST_LEAD), now.saturating_add(LARGEST_LEAD))
    } else {
        fence.hint
    };
    let span = fence.span.max(1);
    let next = counter.checked_add(span)?.max(hint.checked_add(span - 1)?);
    FencingToken::new(next).map(FencingToken::get)
}

/// For how long a counter must be kept so that a later one, which follows the node's time, is greater.
pub(crate) fn keep_for(counter: u64, now: u64, ttl: Duration, retention: Duration) -> Duration {
    ttl.saturating_add(retention).saturating_add(lead(counter, now))
}

/// How long it takes from `now` until even the least hint that the node follows is above the counter.
fn lead(counter: u64, now: u64) -> Duration {
    Duration::from_micros(counter.saturating_add(LARGEST_LEAD).saturating_sub(now))
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000;

    fn next(counter: u64, hint: u64, span: u64) -> Option<u64> {
        next_counter(counter, &Fence::new(hint, span, Duration::ZERO), NOW, &Default::default())
    }

    #[test]
    fn a_counter_follows_the_hint_and_always_grows() {
        assert_eq!(next(0, NOW, 1), Some(NOW));
        assert_eq!(next(NOW, NOW, 1), Some(NOW + 1));
        assert_eq!(next(NOW + 5, NOW, 3), Some(NOW + 8));
        assert_eq!(next(0, NOW, 3), Some(NOW + 2));
    }

    #[test]
    fn a_hint_that_is_an_hour_off_is_followed_for_a_second_at_most() {
        let hour = 3_600_000_000;
        assert_eq!(next(0, NOW + hour, 1), Some(NOW + LARGEST_LEAD));
        assert_eq!(next(0, NOW - hour, 1), Some(NOW - LARGEST_LEAD));
        assert_eq!(next(0, 0, 1), Some(NOW - LARGEST_LEAD));
        assert_eq!(next(0, u64::MAX, 1), Some(NOW + LARGEST_LEAD));
    }

    #[test]
    fn a_counter_at_its_end_gives_nothing() {
        assert_eq!(next(FencingToken::MAX - 1, NOW, 1), Some(FencingToken::MAX));
        assert_eq!(next(FencingToken::MAX, NOW, 1), None);
        assert_eq!(next(5, NOW, u64::MAX), None);
        assert_eq!(next(u64::MAX, NOW, 1), None);
    }

    #[test]
    fn a_counter_ahead_of_the_nodes_time_is_kept_for_that_long_too() {
        let (ttl, retention) = (Duration::from_secs(10), Duration::from_secs(600));
        assert_eq!(keep_for(NOW - LARGEST_LEAD, NOW, ttl, retention), ttl + retention);
        assert_eq!(keep_for(NOW + 2_000_000, NOW, ttl, retention), Duration::from_secs(613));
    }

    #[test]
    fn a_counter_that_has_expired_is_followed_by_a_greater_one() {
        for ahead in [0, LARGEST_LEAD, 3_600_000_000] {
            let counter = NOW + ahead;
            let kept = keep_for(counter, NOW, Duration::from_millis(10), Duration::ZERO);
            let expired = NOW + u64::try_from(kept.as_micros()).unwrap();
            let late = Fence::new(0, 1, Duration::ZERO);
            assert!(next_counter(0, &late, expired, &Default::default()) > Some(counter));
        }
    }
}
