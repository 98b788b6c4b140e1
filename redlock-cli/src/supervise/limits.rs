//! How long before the end of the validity a command must stop.

use std::time::Duration;

/// When a command is told to end, and when it is killed, counted back from the end of the validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long the command has between `SIGTERM` and `SIGKILL`.
    pub(crate) grace: Duration,
    /// How long before the end it is killed: what is killed takes a moment to be gone.
    pub(crate) kill: Duration,
    ttl: Duration,
}

impl Limits {
    /// The grace is a quarter of the TTL by default. With it half of the TTL must be left: renewals come every third of a
    /// TTL, and some may fail.
    pub(crate) fn new(ttl: Duration, grace: Option<Duration>) -> Result<Self, String> {
        let kill = (ttl / 10).clamp(Duration::from_millis(50), Duration::from_secs(1));
        let most = (ttl / 2).saturating_sub(kill);
        match grace {
            _ if ttl < Duration::from_millis(200) => Err(format!(
                "a TTL of {ttl:?} is too short to end a command in time; give --ttl 200ms or more"
            )),
            Some(grace) if grace > most => Err(format!(
                "--grace {grace:?} is too long for a TTL of {ttl:?}; it must be at most {most:?}, or --ttl at least {:?}",
                (grace * 5 / 2).max(Duration::from_millis(200))
            )),
            grace => Ok(Self { grace: grace.unwrap_or(ttl / 4), kill, ttl }),
        }
    }

    /// How long before the end it is told to end.
    pub(crate) fn term(&self) -> Duration {
        self.grace + self.kill
    }

    /// How long before the end the front kills everything, unless the keeper has done so.
    pub(super) fn front(&self) -> Duration {
        self.kill * 3 / 4
    }

    /// How often to see whether a renewal has moved the end.
    pub(crate) fn look(&self) -> Duration {
        (self.ttl / 10).min(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn half_of_the_ttl_is_left_for_renewals_that_fail() {
        let limits = Limits::new(ms(10_000), None).unwrap();
        assert_eq!((limits.grace, limits.kill, limits.term()), (ms(2_500), ms(1_000), ms(3_500)));
        assert_eq!(Limits::new(ms(10_000), Some(ms(4_000))).unwrap().term(), ms(5_000));
        let refused = Limits::new(ms(10_000), Some(ms(4_002))).unwrap_err();
        assert!(refused.contains("at most 4s") && refused.contains("at least 10.005s"), "{refused}");
        assert!(Limits::new(ms(10_005), Some(ms(4_002))).is_ok());
        assert_eq!(Limits::new(ms(200), None).unwrap().term(), ms(100));
        assert!(Limits::new(ms(199), None).is_err());
        assert!(Limits::new(ms(10), Some(ms(0))).is_err());
    }
}
