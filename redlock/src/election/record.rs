//! What a leader leaves on the nodes beside its lock, for those who look.

use std::fmt;
use std::sync::Arc;

use super::candidate::Candidate;
use crate::FencingToken;

/// The text that describes the holder of an election's lock, as in
/// `leads web-3:812:1700000000000:00c0ffee00c0ffee epoch 1700000000123456 rev 2 for scheduler: http://web-3:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) candidate: Candidate,
    pub(super) epoch: FencingToken,
    /// How many times the value was changed: of two that one leader has left, the later has the greater.
    pub(super) revision: u64,
    /// What people are shown besides.
    pub(super) description: Description,
    pub(super) value: String,
}

/// What a candidate says of itself besides. Cloning it is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description(Arc<str>);

impl Description {
    /// So much goes on the nodes beside the longest value.
    pub(super) const MAX_BYTES: usize = 64;

    /// Cut off at the end, and without what would be taken for the end.
    pub(super) fn new(text: &str) -> Self {
        let fits = |&(at, c): &(usize, char)| at + c.len_utf8() <= Self::MAX_BYTES;
        let text: String = text.char_indices().take_while(fits).map(|(_, c)| c).collect();
        Self(text.replace(": ", "; ").into())
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " for {}", self.0) }
    }
}

/// What a candidate leaves on the nodes before it knows its epoch. It is no leader yet.
pub(super) fn of_winner(candidate: &Candidate, description: &Description) -> String {
    format!("wins {candidate}{description}")
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { candidate, epoch, revision, description, value } = self;
        write!(f, "leads {candidate} epoch {} rev {revision}{description}: {value}", epoch.get())
    }
}

impl Record {
    /// `None`: it is not what a leader leaves.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("leads ")?;
        let (candidate, rest) = rest.split_once(" epoch ")?;
        let (epoch, rest) = rest.split_once(" rev ")?;
        let (revision, value) = rest.split_once(": ")?;
        let (revision, description) = revision.split_once(" for ").unwrap_or((revision, ""));
        let epoch = FencingToken::new(epoch.parse().ok()?)?;
        Some(Self {
            candidate: Candidate::named(candidate),
            epoch,
            revision: revision.parse().ok()?,
            description: Description::new(description),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(
            value in "\\PC{0,300}",
            said in "([:; ]| for |\\PC){0,40}",
            epoch in 1_u64..1 << 53,
            revision: u64,
        ) {
            let (epoch, description) = (FencingToken::new(epoch).unwrap(), Description::new(&said));
            let record = Record { candidate: Candidate::named("h:1:2:3"), epoch, revision, description, value };
            prop_assert_eq!(Record::parse(&record.to_string()), Some(record));
        }

        #[test]
        fn anything_can_be_read(text in "\\PC{0,100}") {
            let _ = Record::parse(&text);
            let _ = Record::parse(&format!("leads {text}"));
        }
    }

    #[test]
    fn a_winner_is_no_leader_yet() {
        assert_eq!(Record::parse(&of_winner(&Candidate::named("h:1:2:3"), &Description::new("x"))), None);
    }
}
