//! What the auxiliary key of a name holds: `counter`, or `counter mark description`, one string.
//!
//! The mark is the beginning of the token of the owner who is described: what an earlier owner said of itself is there until the
//! next grant, and must not be taken for what a foreign client says, or one without a fence, who write the main key alone. Of 160
//! random bits the mark shows 32, to whoever may read the main key, which shows them all; nobody else is shown it.

use crate::id::OwnerToken;
use crate::node::{Description, OwnerId};

/// How much of the token's text the mark is.
const MARK: usize = 8;

/// What is stored for an owner with its counter, without being put together.
pub(super) struct Described<'a> {
    counter: Digits,
    /// Between two spaces.
    mark: [u8; MARK + 2],
    description: &'a Description,
}

impl<'a> Described<'a> {
    pub(super) fn new(counter: u64, owner: &OwnerToken, description: &'a Description) -> Self {
        let mut mark = [b' '; MARK + 2];
        mark.iter_mut().skip(1).take(MARK).zip(owner.hex()).for_each(|(to, character)| *to = character);
        Self { counter: Digits::new(counter), mark, description }
    }

    /// One behind the other.
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [self.counter.as_bytes(), &self.mark, self.description.as_bytes()]
    }
}

/// A number in decimal digits.
pub(super) struct Digits {
    digits: [u8; 20],
    first: usize,
}

impl Digits {
    pub(super) fn new(mut value: u64) -> Self {
        let mut digits = [0; 20];
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            first -= 1;
            if value == 0 {
                break;
            }
        }
        Self { digits, first }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or_default()
    }
}

/// Who has a name by what its keys hold: the main key, and the auxiliary key behind its counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) owner: OwnerId,
    pub(super) description: Option<Description>,
}

impl Seen {
    pub(super) fn of(main: &[u8], behind_counter: &[u8]) -> Self {
        let said = behind_counter.split_at_checked(MARK).filter(|(mark, _)| main.starts_with(mark));
        let text = said.and_then(|(_, text)| text.strip_prefix(b" "));
        Self { owner: OwnerId::of_stored(main), description: text.and_then(Description::from_stored) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_that_of_the_owner_it_was_written_for() {
        let owner = |byte| OwnerToken::from_bytes([byte; OwnerToken::BYTES]);
        let said = Description::new("web-3 1 2");
        let stored = Described::new(7, &owner(1), &said).parts().concat();
        let stored = String::from_utf8(stored).unwrap();
        let (counter, rest) = stored.split_once(' ').unwrap();
        assert_eq!(counter, "7");
        let seen = |by: &[u8]| Seen::of(by, rest.as_bytes()).description;
        assert_eq!(seen(owner(1).to_hex().as_bytes()).unwrap().as_str(), "web-3 1 2");
        assert_eq!(seen(owner(2).to_hex().as_bytes()), None);
        assert_eq!(seen(b"foreign"), None);
        for odd in [&b""[..], b"0101", b"01010101", b"01010101x", b"01010101 "] {
            assert_eq!(Seen::of(owner(1).to_hex().as_bytes(), odd).description, None);
        }
    }
}
