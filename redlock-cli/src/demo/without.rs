//! Which safeguard a run does without, to show that the demo would notice.

use std::str::FromStr;

use redlock::Protections;

/// What is switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Without {
    /// Nothing: the lock as it is.
    #[default]
    Nothing,
    /// The lock itself: contenders increment without it.
    Lock,
    /// One of the library's safeguards.
    Protection(&'static str),
}

const LOCK: &str = "lock";

impl Without {
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Lock => Some(LOCK),
            Self::Protection(name) => Some(name),
        }
    }

    pub(super) fn protections(self) -> Protections {
        match self {
            Self::Protection(name) => Protections::without(name).unwrap_or_default(),
            Self::Nothing | Self::Lock => Protections::default(),
        }
    }
}

impl FromStr for Without {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == LOCK {
            return Ok(Self::Lock);
        }
        let known = Protections::NAMES.iter().find(|name| **name == text);
        known.map(|name| Self::Protection(name)).ok_or_else(|| {
            format!("expected `{LOCK}` or one of the safeguards {}", Protections::NAMES.join(", "))
        })
    }
}
