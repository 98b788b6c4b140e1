//! What the znodes hold: short texts, which an operator can read.

use std::time::Duration;

use crate::id::OwnerToken;
use crate::node::Description;

/// A name's fencing counter: `VALUE KEEP_UNTIL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counter {
    /// 0: there is none.
    pub(super) value: u64,
    /// In milliseconds of the leader's clock.
    pub(super) keep_until: u64,
}

impl Counter {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let (value, keep_until) = std::str::from_utf8(data).ok()?.split_once(' ')?;
        Some(Self { value: value.parse().ok()?, keep_until: keep_until.parse().ok()? })
    }

    pub(super) fn text(self) -> String {
        format!("{} {}", self.value, self.keep_until)
    }
}

/// Who has a name: `OWNER TTL_MILLIS SESSION`, and what it says of itself on the lines behind.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// The token's text. A secret.
    pub(super) owner: String,
    /// For how long from the last write on.
    pub(super) ttl: Duration,
    /// The marker of the session that the znode belongs to.
    pub(super) session: String,
    pub(super) said: Option<Description>,
}

impl Holder {
    pub(super) fn new(owner: &OwnerToken, ttl: Duration, session: &str, said: Option<Description>) -> Self {
        Self { owner: owner.to_hex(), ttl, session: session.to_owned(), said }
    }

    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let line = data.iter().position(|&byte| byte == b'\n');
        let (data, said) = match line.and_then(|end| data.split_at_checked(end)) {
            Some((line, said)) => (line, said.get(1..).and_then(Description::from_stored)),
            None => (data, None),
        };
        let mut words = std::str::from_utf8(data).ok()?.split(' ');
        let (owner, ttl, session) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let is_session = !session.is_empty() && session.bytes().all(|byte| byte.is_ascii_hexdigit());
        let owner = owner.to_owned();
        (is_session && words.next().is_none()).then(|| Self {
            owner,
            ttl: Duration::from_millis(ttl),
            session: session.to_owned(),
            said,
        })
    }

    pub(super) fn text(&self) -> String {
        // Rounded up: nobody is to think it shorter than it is.
        let millis = self.ttl.as_nanos().div_ceil(1_000_000);
        let line = format!("{} {millis} {}", self.owner, self.session);
        match &self.said {
            Some(said) => format!("{line}\n{}", said.as_str()),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_back() {
        let counter = Counter { value: u64::MAX, keep_until: 1_700_000_000_000 };
        assert_eq!(Counter::parse(counter.text().as_bytes()), Some(counter));
        let owner = OwnerToken::from_bytes([7; 20]);
        let said = Description::new("web-3 1 2\nand more\n");
        let holder = Holder::new(&owner, Duration::from_micros(1_500), "1f", Some(said.clone()));
        let read = Holder::parse(holder.text().as_bytes()).unwrap();
        assert_eq!((read.ttl, read.session.as_str()), (Duration::from_millis(2), "1f"));
        assert_eq!(read.owner, owner.to_hex());
        assert_eq!(read.said, Some(said));
        let silent = Holder { said: None, ..holder };
        assert_eq!(Holder::parse(silent.text().as_bytes()).unwrap().said, None);
        assert!(Holder::parse(b"owner 1 1f\n\xff").unwrap().said.is_some());
    }

    #[test]
    fn what_no_lock_has_written_is_not_taken_for_one() {
        for data in [&b""[..], b"1", b"1 x", b"-1 0", b"1 2 3", b"\xff 1"] {
            assert_eq!(Counter::parse(data), None);
        }
        for data in
            [&b""[..], b"owner", b"owner 1", b"owner x 1f", b"owner 1 ", b"owner 1 1f x", b"owner 1 ../x"]
        {
            assert!(Holder::parse(data).is_none());
        }
    }
}
