//! How a node stands, in words.

use redlock::Instant;
use redlock::node::{Charter, ClockReading, Standing};

pub(super) fn describe(standing: Standing, clock: Option<ClockReading>) -> String {
    match standing {
        Standing::Unmarked(None) => "new".to_owned(),
        Standing::Unmarked(Some(charter)) => {
            format!("has lost its memory (restarted, flushed or promoted); it was in {}", of(charter))
        }
        Standing::Marked(marker) => {
            let fleet = of(marker.charter);
            let now = clock.map_or(0, |clock| clock.at(Instant::now()));
            match (marker.floor, marker.until.saturating_sub(now)) {
                (Some(_), _) => format!("admitted in {fleet}"),
                (None, 0) => format!("at the end of its quarantine in {fleet}"),
                (None, left) => format!("quarantined for another {} in {fleet}", seconds(left)),
            }
        }
        Standing::Unguarded => "without a restart guard".to_owned(),
        _ => "not reached".to_owned(),
    }
}

fn of(charter: Charter) -> String {
    let Charter { fleet, nodes, max_ttl, .. } = charter;
    format!("fleet {fleet:016x} ({nodes} nodes, maxExpiration {max_ttl:?})")
}

/// Rounded up: it is over then.
fn seconds(micros: u64) -> String {
    format!("{} s", micros.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redlock::node::{Incarnation, Marker};

    use super::*;

    #[test]
    fn every_standing_has_its_words() {
        let charter = Charter::new(0xabc, 0, 3, 2, Duration::from_secs(30));
        let marker = |until, floor| Standing::Marked(Marker::new(Incarnation::new(1), charter, until, floor));
        let now = Instant::now();
        let clock = Some(ClockReading::new(1_000_000, now, now));
        let fleet = "fleet 0000000000000abc (3 nodes, maxExpiration 30s)";
        for (standing, words) in [
            (Standing::Unknown, "not reached".to_owned()),
            (Standing::Unguarded, "without a restart guard".to_owned()),
            (Standing::Unmarked(None), "new".to_owned()),
            (marker(0, Some(1)), format!("admitted in {fleet}")),
            (marker(0, None), format!("at the end of its quarantine in {fleet}")),
            // Some of it may have passed since.
            (marker(3_600_000_000, None), "quarantined for another 3".to_owned()),
        ] {
            let found = describe(standing, clock);
            assert!(found.starts_with(&words), "{found} instead of {words}");
        }
        let lost = describe(Standing::Unmarked(Some(charter)), clock);
        assert!(lost.contains("has lost its memory") && lost.ends_with(fleet), "{lost}");
    }

    #[test]
    fn a_rest_is_rounded_up() {
        assert_eq!([seconds(1), seconds(1_000_000), seconds(11_200_000)], ["1 s", "1 s", "12 s"]);
    }
}
