//! What is asked of one name: as the arguments of a script of its own, and as an entry of a batch.

use fred::bytes_utils::Str;
use fred::types::Value;

use super::auxiliary::{Described, Digits};
use super::scripts::Script;
use crate::id::OwnerToken;
use crate::node::Description;

/// An operation on a name, in the numbers that the scripts take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Acquire { terms: Terms, fence: Option<Count> },
    Extend { terms: Terms, fence: Option<Least>, restore: bool },
    Raise { terms: Terms, fence: Least },
    Release { owner: OwnerToken },
    Inspect,
}

/// Who may have a name, for how long, and until when it may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) owner: OwnerToken,
    /// In milliseconds.
    pub(super) ttl: u64,
    /// In the server's microseconds.
    pub(super) deadline: u64,
}

/// How far a counter is to be counted up, and for how long it is kept, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) keep: u64,
    /// The last token of the span that the hint gives: as a rule it is what is stored, and goes there as it came.
    pub(super) last: u64,
    pub(super) span: u64,
    /// Who the owner is, stored with the last token.
    pub(super) description: Option<Description>,
}

/// Where a counter is to stand at least, and for how long it is kept, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Least {
    pub(super) keep: u64,
    pub(super) to: u64,
    /// Who the owner is, stored with it.
    pub(super) description: Option<Description>,
}

impl Operation {
    pub(super) fn script(&self) -> Script {
        match self {
            Self::Acquire { .. } => Script::Acquire,
            Self::Extend { .. } => Script::Extend,
            Self::Raise { .. } => Script::Raise,
            Self::Release { .. } => Script::Release,
            Self::Inspect => Script::Inspect,
        }
    }

    /// Whether it touches the counter.
    fn has_fence(&self) -> bool {
        match self {
            Self::Acquire { fence, .. } => fence.is_some(),
            Self::Extend { fence, .. } => fence.is_some(),
            Self::Raise { .. } | Self::Inspect => true,
            Self::Release { .. } => false,
        }
    }

    /// What EVALSHA needs to run it alone.
    pub(super) fn alone(&self, hash: &Str, keys: Keys) -> Vec<Value> {
        let mut all = Vec::with_capacity(11);
        all.extend([hash.clone().into(), Value::Integer(2), keys.main.into(), keys.auxiliary.into()]);
        let terms = |all: &mut Vec<Value>, terms: &Terms| {
            all.extend([terms.owner.to_hex().into(), number(terms.ttl), number(terms.deadline)]);
        };
        match self {
            Self::Acquire { terms: these, fence } => {
                terms(&mut all, these);
                if let Some(it) = fence {
                    all.extend([
                        number(it.keep),
                        stored(it.last, these, it.description.as_ref()),
                        number(it.span),
                    ]);
                    all.extend(it.description.is_some().then(|| number(it.last)));
                }
            }
            Self::Extend { terms: these, fence, restore } => {
                terms(&mut all, these);
                let none = || ["", ""].map(|none| Value::String(Str::from_static(none)));
                all.extend(fence.as_ref().map_or_else(none, |it| {
                    [number(it.keep), stored(it.to, these, it.description.as_ref())]
                }));
                all.extend(restore.then(|| Value::String(Str::from_static("1"))));
            }
            Self::Raise { terms: these, fence } => {
                terms(&mut all, these);
                all.extend([number(fence.keep), stored(fence.to, these, fence.description.as_ref())]);
            }
            Self::Release { owner } => all.push(owner.to_hex().into()),
            Self::Inspect => {}
        }
        all
    }

    /// Adds it to what a batch is made of.
    pub(super) fn add_to(&self, keys: Keys, all_keys: &mut Vec<Value>, entries: &mut Entries) {
        all_keys.push(keys.main.into());
        let has_fence = self.has_fence();
        if has_fence {
            all_keys.push(keys.auxiliary.into());
        }
        entries.count += 1;
        entries.number(self.script() as u64 + 1);
        entries.boolean(has_fence);
        let terms = |entries: &mut Entries, terms: &Terms| {
            entries.owner(&terms.owner);
            entries.text(terms.ttl);
            entries.number(terms.deadline);
        };
        match self {
            Self::Acquire { terms: these, fence } => {
                terms(entries, these);
                match fence {
                    Some(it) => {
                        entries.text(it.keep);
                        match &it.description {
                            Some(said) => entries.described(Described::new(it.last, &these.owner, said)),
                            None => entries.text(it.last),
                        }
                        entries.number(it.last);
                        entries.number(it.span);
                    }
                    None => entries.nothing(4),
                }
            }
            Self::Extend { terms: these, fence, restore } => {
                terms(entries, these);
                entries.least(these, fence.as_ref());
                entries.boolean(*restore);
            }
            Self::Raise { terms: these, fence } => {
                terms(entries, these);
                entries.least(these, Some(fence));
                entries.nothing(1);
            }
            Self::Release { owner } => {
                entries.owner(owner);
                entries.nothing(6);
            }
            Self::Inspect => entries.nothing(7),
        }
    }
}

/// The keys of a name.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) main: Box<[u8]>,
    pub(super) auxiliary: Box<[u8]>,
}

/// What the operations of a batch are given: an array in MessagePack. Numbers that a command takes go as texts, which it would have to
/// be given anyway; numbers that Lua counts with go as such.
#[derive(Debug)]
pub(super) struct Entries {
    /// How many operations.
    count: u32,
    bytes: Vec<u8>,
}

/// How many values an operation has.
const WIDTH: u32 = 9;
/// How many bytes come before the first, and how many an operation has at most, unless its description is long.
const LEAD: usize = 5;
const USUAL: usize = 160;
/// The lead of an array with its length in four bytes.
const ARRAY: u8 = 0xdd;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
/// The leads of a number of eight bytes, and of a text of up to 255 bytes. A text shorter than 32 has its length in its lead.
const NUMBER: u8 = 0xcf;
const TEXT: u8 = 0xd9;
const SHORT_TEXT: u8 = 0xa0;
/// The lead of a text with its length in two bytes.
const LONG_TEXT: u8 = 0xda;

impl Entries {
    /// With room for so many operations.
    pub(super) fn new(expected: usize) -> Self {
        let mut bytes = Vec::with_capacity(LEAD + expected * USUAL);
        bytes.extend_from_slice(&[ARRAY, 0, 0, 0, 0]);
        Self { count: 0, bytes }
    }

    pub(super) fn finish(mut self) -> Box<[u8]> {
        let length = (self.count * WIDTH).to_be_bytes();
        self.bytes.iter_mut().skip(1).zip(length).for_each(|(to, from)| *to = from);
        self.bytes.into_boxed_slice()
    }

    /// What is above half of the range would be negative there.
    fn number(&mut self, value: u64) {
        let value = value.min(i64::MAX as u64);
        match u8::try_from(value) {
            Ok(small @ ..0x80) => self.bytes.push(small),
            _ => {
                self.bytes.push(NUMBER);
                self.bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// In decimal digits.
    fn text(&mut self, value: u64) {
        let digits = Digits::new(value);
        let digits = digits.as_bytes();
        self.bytes.push(SHORT_TEXT | digits.len() as u8);
        self.bytes.extend_from_slice(digits);
    }

    /// Its parts one after the other: it is far shorter than the 65,535 bytes that such a text can have.
    fn described(&mut self, described: Described<'_>) {
        self.bytes.push(LONG_TEXT);
        let length = described.parts().iter().map(|part| part.len()).sum::<usize>();
        self.bytes.extend_from_slice(&(length as u16).to_be_bytes());
        described.parts().iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    fn owner(&mut self, owner: &OwnerToken) {
        const LENGTH: u8 = 2 * OwnerToken::BYTES as u8;
        self.bytes.extend_from_slice(&[TEXT, LENGTH]);
        self.bytes.extend_from_slice(&owner.hex());
    }

    fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    fn nothing(&mut self, values: usize) {
        self.bytes.extend(std::iter::repeat_n(FALSE, values));
    }

    /// For how long, the text to be stored where there is a description, and the least value.
    fn least(&mut self, terms: &Terms, least: Option<&Least>) {
        match least {
            Some(least) => {
                self.text(least.keep);
                match &least.description {
                    Some(said) => self.described(Described::new(least.to, &terms.owner, said)),
                    None => self.nothing(1),
                }
                self.number(least.to);
            }
            None => self.nothing(3),
        }
    }
}

/// What is to be stored.
fn stored(counter: u64, terms: &Terms, description: Option<&Description>) -> Value {
    description.map_or_else(
        || number(counter),
        |said| Described::new(counter, &terms.owner, said).parts().concat().into_boxed_slice().into(),
    )
}

fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
