//! The marker that a server keeps about its own memory, as text (design, section 4, "Restart guard").
//!
//! One line of fields with one blank between them: `1`, incarnation, fleet, epoch (`e`: settled, `e-n-q`: open to clients of the set before,
//! of n nodes and quorum q, `e-`: closed to them), nodes, quorum, maxExpiration in ms, birth and end of the
//! quarantine in the server's microseconds, floor (`-`: in quarantine), `a` if every write is on disk before it is answered
//! (else `-`), `run_id`, `master_replid`. Whoever changes a marker compares the whole text first, so that of two clients one is
//! first.

use std::time::Duration;

use crate::id::{Charter, Incarnation, Marker, Stage};

/// A marker with what the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) marker: Marker,
    /// When it was made, in the server's microseconds.
    pub(crate) born: u64,
    pub(crate) durable: bool,
    /// The process that it was made in.
    pub(crate) process: String,
    /// Changes when the server takes over another's data.
    pub(crate) history: String,
}

/// The longest marker; no field is longer than a number or a server's identity.
const LONGEST: usize = 400;

/// The fields before birth.
pub(crate) fn head(incarnation: Incarnation, charter: &Charter) -> String {
    let Charter { fleet, epoch, nodes, quorum, max_ttl, .. } = charter;
    let stage = match charter.stage {
        Stage::Settled => String::new(),
        Stage::Open { nodes, quorum } => format!("-{nodes}-{quorum}"),
        Stage::Closed => "-".to_owned(),
    };
    format!("1 {incarnation} {fleet:016x} {epoch}{stage} {nodes} {quorum} {}", max_ttl.as_millis())
}

/// The field behind the end of the quarantine.
pub(crate) fn floor(floor: Option<u64>) -> String {
    floor.map_or_else(|| "-".to_owned(), |floor| floor.to_string())
}

/// The fields behind the floor.
pub(crate) fn tail(durable: bool, process: &str, history: &str) -> String {
    let durable = if durable { "a" } else { "-" };
    format!("{durable} {process} {history}")
}

/// Whether a text may become part of a script.
pub(crate) fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b" -".contains(&byte);
    text.len() <= LONGEST && text.bytes().all(plain)
}

/// Whether it is a marker that only a later version of this library can read. What it says may matter, so that it must not be
/// replaced.
pub(crate) fn is_of_a_later_version(text: &str) -> bool {
    let version = text.split_once(' ').and_then(|(version, _)| version.parse::<u32>().ok());
    version.is_some_and(|version| version > 1)
}

/// Reads a marker. What is not exactly one is none: something else has written the key.
pub(crate) fn parse(text: &str) -> Option<Text> {
    if !is_plain(text) {
        return None;
    }
    let fields: Vec<&str> = text.split(' ').collect();
    let [
        version,
        incarnation,
        fleet,
        epoch,
        nodes,
        quorum,
        max,
        born,
        until,
        floor,
        durable,
        process,
        history,
    ] = fields.as_slice()
    else {
        return None;
    };
    let hex = |text: &str| u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16);
    let (number, stage) = parse_epoch(epoch)?;
    let charter = Charter::new(
        hex(fleet)?,
        number,
        nodes.parse().ok()?,
        quorum.parse().ok()?,
        Duration::from_millis(max.parse().ok()?),
    )
    .at(stage);
    let floor = if *floor == "-" { None } else { Some(floor.parse().ok()?) };
    let marker = Marker::new(Incarnation::new(hex(incarnation)?), charter, until.parse().ok()?, floor);
    let durable = match *durable {
        "a" => true,
        "-" => false,
        _ => return None,
    };
    let (process, history) = ((*process).to_owned(), (*history).to_owned());
    (*version == "1").then_some(Text { marker, born: born.parse().ok()?, durable, process, history })
}

/// The number of the node set, and how far the change to it has come.
fn parse_epoch(text: &str) -> Option<(u64, Stage)> {
    let Some((number, stage)) = text.split_once('-') else {
        return Some((text.parse().ok()?, Stage::Settled));
    };
    let stage = match stage.split_once('-') {
        None if stage.is_empty() => Stage::Closed,
        None => return None,
        Some((nodes, quorum)) => Stage::Open { nodes: nodes.parse().ok()?, quorum: quorum.parse().ok()? },
    };
    Some((number.parse().ok()?, stage))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> String {
        let charter = Charter::new(0xfeed, 2, 5, 3, Duration::from_secs(30));
        format!(
            "{} 1700000000000000 1700000030302000 {} {}",
            head(Incarnation::new(0xabc), &charter),
            floor(Some(77)),
            tail(true, "0a1b", "cdef")
        )
    }

    #[test]
    fn a_marker_is_read_as_it_is_written() {
        let read = parse(&text()).unwrap();
        assert_eq!(read.marker.incarnation, Incarnation::new(0xabc));
        assert_eq!(read.marker.charter, Charter::new(0xfeed, 2, 5, 3, Duration::from_secs(30)));
        assert_eq!((read.marker.until, read.marker.floor), (1_700_000_030_302_000, Some(77)));
        assert_eq!((read.born, read.durable), (1_700_000_000_000_000, true));
        assert_eq!((read.process.as_str(), read.history.as_str()), ("0a1b", "cdef"));
    }

    #[test]
    fn a_change_of_the_node_set_is_read_at_every_stage() {
        for (epoch, stage) in
            [("2", Stage::Settled), ("2-", Stage::Closed), ("2-5-3", Stage::Open { nodes: 5, quorum: 3 })]
        {
            let written = text().replace(" 2 5 3 ", &format!(" {epoch} 5 3 "));
            let charter = parse(&written).unwrap().marker.charter;
            assert_eq!((charter.epoch, charter.stage), (2, stage), "{epoch}");
            assert!(written.starts_with(&head(Incarnation::new(0xabc), &charter)), "{epoch}");
        }
        for epoch in ["-", "2-5", "2-5-", "2--", "2-5-3-", "-5-3"] {
            assert_eq!(parse(&text().replace(" 2 5 3 ", &format!(" {epoch} 5 3 "))), None, "{epoch}");
        }
    }

    #[test]
    fn what_is_no_marker_is_none() {
        let good = text();
        for bad in [
            "",
            "1",
            "x",
            &good.replace("1 ", "2 "),
            &good.replace(" 77 ", " 7'7 "),
            &good.replace(" a ", " b "),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse(&format!("{good} x")), None);
        assert_eq!(parse(&good.replace("abc", "ab")), None);
        assert_eq!(parse(&"1 ".repeat(500)), None);
    }

    #[test]
    fn a_later_version_is_told_from_this_one_and_from_what_is_no_marker() {
        assert!(is_of_a_later_version(&text().replacen("1 ", "2 ", 1)));
        for other in ["", "2", "x", "1 x", "0 x", "-2 x", " 2", &text()] {
            assert!(!is_of_a_later_version(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_can_leave_its_quotes(text in ".{0,120}") {
            if parse(&text).is_some() {
                prop_assert!(!text.contains(['\'', '\\', '\n']));
            }
        }
    }
}
