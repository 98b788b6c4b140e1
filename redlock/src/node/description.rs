//! What a holder leaves on a node beside its lock, for people; and whose lock it is, to be compared and nothing else.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, OnceLock};

use crate::id::OwnerToken;

/// What an owner has a node keep beside its lock, for people to read: who it is, and since when. A node never acts on it.
///
/// Up to [`Description::MAX_BYTES`] of text. What it says is in [`Holder`](crate::Holder). Cloning it is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Description(Arc<str>);

impl Description {
    /// The longest description, in bytes.
    pub const MAX_BYTES: usize = 1_024;

    /// Wraps a text; what is beyond [`Description::MAX_BYTES`] is cut off, between two characters.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(shortened(text.as_ref(), Self::MAX_BYTES).into())
    }

    /// What a store keeps, which may be anything; `None` where there is nothing.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        // So much of it is enough: invalid bytes only grow when they are replaced.
        let bytes = bytes.get(..Self::MAX_BYTES).unwrap_or(bytes);
        (!bytes.is_empty()).then(|| Self::new(String::from_utf8_lossy(bytes)))
    }

    /// The text as it is stored: it may contain control characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Description {
    /// Readable in a terminal whatever the text is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Readable(&self.0).fmt(f)
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A text of others, as it can be shown: control characters, and those that reverse or hide what is around them, are escaped.
pub(crate) struct Readable<'a>(pub(crate) &'a str);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_odd(c) { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// As much of a text as fits.
pub(crate) fn shortened(text: &str, most: usize) -> &str {
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end));
    if text.len() <= most { text } else { end.and_then(|end| text.get(..end)).unwrap_or_default() }
}

/// Whose lock it is: equal where the owner is the same, on whatever kind of node, and of no other use. It changes with every
/// process, and tells nothing of the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId(u64);

impl OwnerId {
    /// Of what a node keeps to know the owner by: of our clients' tokens the text of [`OwnerToken::to_hex`], of foreign clients'
    /// whatever they write.
    pub fn of_stored(owner: &[u8]) -> Self {
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        Self(KEYS.get_or_init(RandomState::new).hash_one(owner))
    }

    /// How many of these are one and the same, at most.
    pub(crate) fn most(owners: impl Iterator<Item = Self> + Clone) -> usize {
        owners.clone().map(|one| owners.clone().filter(|&other| other == one).count()).max().unwrap_or(0)
    }
}

impl From<&OwnerToken> for OwnerId {
    fn from(owner: &OwnerToken) -> Self {
        Self::of_stored(owner.to_hex().as_bytes())
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerId(_)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let long = Description::new("é".repeat(600));
        assert_eq!(long.as_str(), "é".repeat(512));
        assert_eq!(Description::new(format!("x{}", "é".repeat(600))).as_bytes().len(), 1_023);
    }

    #[test]
    fn whatever_a_store_has_can_be_shown() {
        let stored = Description::from_stored(b"a\x1b[2J\n\xff\xe2\x80\xaeb").unwrap();
        assert_eq!(stored.to_string(), "a\\u{1b}[2J\\n\u{fffd}\\u{202e}b");
        assert!(Description::from_stored(b"").is_none());
        assert!(Description::from_stored(&[0xff; 5_000]).unwrap().as_bytes().len() <= Description::MAX_BYTES);
    }

    #[test]
    fn an_owner_is_known_by_its_token_in_any_form_and_is_not_shown() {
        let token = OwnerToken::from_bytes([7; OwnerToken::BYTES]);
        let id = OwnerId::from(&token);
        assert_eq!(id, OwnerId::of_stored(token.to_hex().as_bytes()));
        assert_ne!(id, OwnerId::of_stored(b"a foreign client's"));
        assert_eq!(format!("{id:?}"), "OwnerId(_)");
    }
}
