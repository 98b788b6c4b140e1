//! What a terminal can show, and wants to be shown.

use std::env;
use std::fmt;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// What a piece of text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Heading,
    Good,
    Bad,
    Warning,
    Faint,
}

/// Whether text is coloured: on a terminal that can, unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colours(bool);

impl Colours {
    /// No colours.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self(false);

    pub(crate) fn of(out: &impl IsTerminal) -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self(out.is_terminal() && wanted && !is_dumb())
    }

    /// The text, coloured if colours are wanted.
    pub(crate) fn paint(self, tone: Tone, text: impl fmt::Display) -> String {
        if !self.0 {
            return text.to_string();
        }
        let code = match tone {
            Tone::Heading => "1",
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Warning => "33",
            Tone::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether the terminal takes no control sequences (`TERM=dumb`).
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Columns and rows of a terminal, where they are known.
pub(crate) fn size(out: &impl AsFd) -> Option<(usize, usize)> {
    let size = tcgetwinsize(out.as_fd()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

/// The columns of a terminal.
pub(crate) fn width(out: &impl AsFd) -> Option<usize> {
    size(out).map(|(columns, _)| columns)
}
