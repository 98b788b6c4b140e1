//! The record of one lock: a few lines of text, always of the same length for one name, so that a write replaces all of it.

use std::time::Duration;

use super::name::{Key, hash};
use crate::id::{Instant, OwnerToken};
use crate::node::Description;

/// Who has a lock, and where its fencing counter stands. Times are of this boot's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    pub(super) owner: Option<OwnerToken>,
    /// The end of the owner's TTL.
    pub(super) ends: Instant,
    /// When this was written.
    pub(super) written: Instant,
    /// 0: it was never used.
    pub(super) counter: u64,
    /// Until then nobody may forget the counter.
    pub(super) kept: Instant,
    /// What the owner says of itself.
    pub(super) said: Option<Description>,
}

const TITLE: &str = "redlock lock 2";
/// What earlier versions wrote, without what the owner says.
const SILENT_TITLE: &str = "redlock lock 1";
/// What stands in the place of an owner where there is none.
const NOBODY: &str = "----------------------------------------";

impl Record {
    /// Who has it now.
    pub(super) fn holder(&self, now: Instant) -> Option<(OwnerToken, Instant)> {
        self.owner.filter(|_| now < self.ends).map(|owner| (owner, self.ends))
    }

    /// What the holder has left.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.holder(now).map(|(_, ends)| ends.saturating_since(now))
    }

    pub(super) fn encode(&self, key: &Key) -> Vec<u8> {
        let said = self.said.as_ref().map(Description::as_str).unwrap_or_default();
        let text =
            format!("said {:04}\n{said}{:pad$}\n", said.len(), "", pad = Description::MAX_BYTES - said.len());
        checked(self.body(TITLE, key) + &text)
    }

    fn body(&self, title: &str, key: &Key) -> String {
        let owner = self.owner.map_or_else(|| NOBODY.to_owned(), |owner| owner.to_hex());
        let [ends, written, kept] = [self.ends, self.written, self.kept].map(Instant::as_nanos);
        format!(
            "{title}\nname {}\nowner {owner}\nends {ends:020}\nwritten {written:020}\ncounter {:020}\nkept {kept:020}\n",
            key.text, self.counter
        )
    }

    /// The record in a file with this name, whatever its key.
    pub(super) fn decode_any(bytes: &[u8], file: &str) -> Option<Self> {
        let text = body(bytes)?.lines().nth(1)?.strip_prefix("name ")?;
        Self::decode(bytes, &Key::from_text(text)).filter(|_| Key::from_text(text).file == file)
    }

    /// `None` if it is none of this key: torn, damaged, another lock's, or something else altogether.
    pub(super) fn decode(bytes: &[u8], key: &Key) -> Option<Self> {
        let body = body(bytes)?;
        let mut lines = body.lines();
        let is_silent = lines.clone().next() == Some(SILENT_TITLE);
        let mut value = |label: &str| lines.next()?.strip_prefix(label);
        value(if is_silent { SILENT_TITLE } else { TITLE })?;
        value("name ").filter(|name| *name == key.text)?;
        let owner = match value("owner ")? {
            NOBODY => None,
            hex => Some(owner(hex)?),
        };
        let mut number = |label| value(label)?.parse().ok();
        let (ends, written) = (number("ends ")?, number("written ")?);
        let (counter, kept) = (number("counter ")?, number("kept ")?);
        let [ends, written, kept] = [ends, written, kept].map(Instant::from_nanos);
        let mut record = Self { owner, ends, written, counter, kept, said: None };
        if is_silent {
            return (checked(record.body(SILENT_TITLE, key)) == bytes).then_some(record);
        }
        let length: usize = value("said ")?.parse().ok()?;
        // It may have lines of its own: it is found from the end.
        let from = body.len().checked_sub(Description::MAX_BYTES + 1)?;
        record.said = Description::from_stored(body.get(from..from.checked_add(length)?)?.as_bytes());
        // Whatever else it might be taken for.
        (record.encode(key) == bytes).then_some(record)
    }
}

/// A number that is kept for the whole directory.
pub(super) fn encode_number(number: u64) -> Vec<u8> {
    checked(format!("redlock number 1\n{number:020}\n"))
}

/// `None` if it is none.
pub(super) fn decode_number(bytes: &[u8]) -> Option<u64> {
    let number = body(bytes)?.lines().nth(1)?.parse().ok()?;
    (encode_number(number) == bytes).then_some(number)
}

fn checked(mut body: String) -> Vec<u8> {
    let check = format!("check {:032x}\n", hash(body.as_bytes()));
    body.push_str(&check);
    body.into_bytes()
}

/// What stands above the check, which is compared by encoding it again.
fn body(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.rsplit_once("check ").map(|(body, _)| body)
}

fn owner(hex: &str) -> Option<OwnerToken> {
    let mut bytes = [0; OwnerToken::BYTES];
    if !hex.is_ascii() || hex.len() != 2 * OwnerToken::BYTES {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(OwnerToken::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> [Record; 3] {
        let at = Instant::from_nanos;
        let full = Record {
            owner: Some(OwnerToken::from_bytes([0xa7; 20])),
            ends: at(u64::MAX),
            written: at(5),
            counter: (1 << 53) - 1,
            kept: at(7),
            said: Some(Description::new("web-3 1 2 a\nsaid 7\ncheck b ")),
        };
        [Record::default(), full.clone(), Record { owner: None, said: None, ..full }]
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_has_one_length() {
        let key = Key::new("p", b"a\nb");
        for record in records() {
            let bytes = record.encode(&key);
            assert_eq!(Record::decode(&bytes, &key), Some(record.clone()));
            let silent = Record { said: None, ..record };
            let earlier = checked(silent.body(SILENT_TITLE, &key));
            assert_eq!(Record::decode(&earlier, &key), Some(silent));
            assert_eq!(bytes.len(), Record::default().encode(&key).len());
        }
    }

    #[test]
    fn a_record_of_which_any_byte_is_changed_or_missing_is_none() {
        let key = Key::new("p", b"a");
        for record in records() {
            let good = record.encode(&key);
            for at in 0..good.len() {
                for other in [0, b'0', b'9', b'\n', b'-', 0xff, good[at] ^ 1, good[at] ^ 0x20] {
                    let mut bad = good.clone();
                    bad[at] = other;
                    assert_eq!(Record::decode(&bad, &key).is_some(), bad == good, "byte {at} as {other}");
                }
                assert_eq!(Record::decode(&good[..at], &key), None);
                assert_eq!(Record::decode(&good[at + 1..], &key), None);
            }
            assert_eq!(Record::decode(&[&good[..], b"\n"].concat(), &key), None);
            assert_eq!(Record::decode(&good, &Key::new("p", b"b")), None);
        }
    }

    #[test]
    fn half_an_old_and_half_a_new_record_is_none() {
        let key = Key::new("p", b"a");
        let [_, old, new] = records().map(|record| record.encode(&key));
        let differ = |at: usize| old[..at] != new[..at] && old[at..] != new[at..];
        for at in (0..old.len()).filter(|at| differ(*at)) {
            assert_eq!(Record::decode(&[&new[..at], &old[at..]].concat(), &key), None, "torn at {at}");
        }
    }

    #[test]
    fn a_number_comes_back_as_it_was_or_not_at_all() {
        for number in [0, 1, u64::MAX] {
            let bytes = encode_number(number);
            assert_eq!(decode_number(&bytes), Some(number));
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert_eq!(decode_number(&bad), None);
            }
        }
        assert_eq!(decode_number(b""), None);
    }
}
