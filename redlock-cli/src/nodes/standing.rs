//! How a node stands, in words.

use std::sync::Arc;

use redlock::Instant;
use redlock::node::{Charter, ClockReading, Node, Stage, Standing};

/// A line for each node.
pub(crate) fn list(nodes: &[Arc<dyn Node>]) {
    let width = nodes.iter().map(|node| node.address().len()).max().unwrap_or(0);
    for node in nodes {
        println!("  {:width$}  {}", node.address(), describe(node.standing(), node.clock()));
    }
}

pub(crate) fn describe(standing: Standing, clock: Option<ClockReading>) -> String {
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
    let Charter { fleet, epoch, nodes, max_ttl, stage, .. } = charter;
    let set = match (epoch, stage) {
        (0, Stage::Settled) => String::new(),
        (_, Stage::Settled) => format!("node set {epoch}, "),
        (_, Stage::Open { .. }) => {
            format!("node set {epoch}, open to clients of {} too, ", epoch.saturating_sub(1))
        }
        (_, Stage::Closed) => format!("node set {epoch}, not settled yet, "),
    };
    format!("fleet {fleet:016x} ({set}{nodes} nodes, maxExpiration {max_ttl:?})")
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
        let second = Charter::new(0xabc, 2, 3, 2, Duration::from_secs(30));
        for (charter, set) in [
            (second, "node set 2, 3 nodes"),
            (second.at(Stage::Closed), "node set 2, not settled yet, 3 nodes"),
            (second.at(Stage::Open { nodes: 4, quorum: 3 }), "node set 2, open to clients of 1 too, 3 nodes"),
        ] {
            assert!(of(charter).contains(set), "{} instead of {set}", of(charter));
        }
        let lost = describe(Standing::Unmarked(Some(charter)), clock);
        assert!(lost.contains("has lost its memory") && lost.ends_with(fleet), "{lost}");
    }

    #[test]
    fn a_rest_is_rounded_up() {
        assert_eq!([seconds(1), seconds(1_000_000), seconds(11_200_000)], ["1 s", "1 s", "12 s"]);
    }
}
