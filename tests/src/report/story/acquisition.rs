//! One acquisition, from wanting a lock to having let go of it.

use crate::history::{ClientEvent, HoldId, Write};

/// One acquisition. All times are of the history's clock.
#[derive(Debug)]
pub(in crate::report) struct Acquisition<'a> {
    pub(in crate::report) client: usize,
    pub(in crate::report) hold: HoldId,
    /// Which name, by its place in the story; `None` if the history does not say.
    pub(in crate::report) name: Option<usize>,
    pub(in crate::report) wants: Option<u64>,
    pub(in crate::report) acquired: Option<u64>,
    pub(in crate::report) token: Option<u64>,
    /// Held until here for certain.
    pub(in crate::report) certain_to: u64,
    /// The last promise of the library.
    pub(in crate::report) valid_until: u64,
    pub(in crate::report) fate: Fate<'a>,
    /// Its first event.
    pub(in crate::report) begin: u64,
    /// Its last event, or the end of its process.
    pub(in crate::report) end: u64,
    /// Writes under it that were refused for its token.
    pub(in crate::report) refused: usize,
    releases: Option<u64>,
    died: Option<u64>,
}

/// What became of an acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Fate<'a> {
    /// Nothing more is known.
    Open,
    /// It was given up: why.
    GaveUp(&'a str),
    /// It was lost: when, and why.
    Lost(u64, &'a str),
    /// It was released: what that came to.
    Released(&'a str),
}

impl<'a> Acquisition<'a> {
    pub(super) const fn new(client: usize, hold: HoldId, at: u64) -> Self {
        Self {
            client,
            hold,
            name: None,
            wants: None,
            acquired: None,
            token: None,
            certain_to: at,
            valid_until: at,
            fate: Fate::Open,
            begin: at,
            end: at,
            refused: 0,
            releases: None,
            died: None,
        }
    }

    /// What its client noticed.
    pub(super) fn takes(&mut self, at: u64, what: &'a ClientEvent) {
        self.end = self.end.max(at);
        match what {
            ClientEvent::GaveUp { why, .. } => self.fate = Fate::GaveUp(why),
            ClientEvent::Acquired { token, valid_until, .. } => {
                (self.acquired, self.token) = (Some(at), *token);
                (self.certain_to, self.valid_until) = (at, *valid_until);
            }
            ClientEvent::Holds { valid_until, .. } => {
                self.acquired.get_or_insert(at);
                (self.certain_to, self.valid_until) = (at, *valid_until);
            }
            ClientEvent::Lost { why, valid_until, .. } => {
                self.fate = Fate::Lost(at, why);
                self.valid_until = *valid_until;
            }
            ClientEvent::Releases { .. } => self.releases = Some(at),
            // A lost lock is let go of as well, and remains a lost one.
            ClientEvent::Released { outcome, .. } if !matches!(self.fate, Fate::Lost(..)) => {
                self.fate = Fate::Released(outcome);
            }
            ClientEvent::Added { fenced: Write::Refused, .. } => self.refused += 1,
            _ => {}
        }
    }

    pub(super) fn process_ends(&mut self, at: u64) {
        if self.is_open() {
            self.died = Some(at);
            self.end = self.end.max(at);
        }
    }

    pub(super) fn run_ends(&mut self, at: u64) {
        if self.is_open() && self.died.is_none() {
            self.end = self.end.max(at);
        }
    }

    fn is_open(&self) -> bool {
        self.fate == Fate::Open && self.releases.is_none()
    }

    /// Whether its process ended before it did.
    pub(in crate::report) const fn died(&self) -> bool {
        self.died.is_some()
    }

    /// While it waited.
    pub(in crate::report) fn wait(&self) -> Option<(u64, u64)> {
        Some((self.wants?, self.acquired.unwrap_or(self.end)))
    }

    /// While it held the lock for certain.
    pub(in crate::report) fn certain(&self) -> Option<(u64, u64)> {
        Some((self.acquired?, self.certain_to))
    }

    /// From the last time that it held the lock for certain until it let go, was lost, or was valid no more. A process
    /// that dies leaves the promise standing, for nobody else gets the lock before.
    pub(in crate::report) fn promised(&self) -> Option<(u64, u64)> {
        self.acquired?;
        let lost = if let Fate::Lost(at, _) = self.fate { Some(at) } else { None };
        let to = [self.releases, lost].into_iter().flatten().fold(self.valid_until, u64::min);
        (to > self.certain_to).then_some((self.certain_to, to))
    }

    /// Until when anything of it is drawn.
    pub(in crate::report) fn drawn_to(&self) -> u64 {
        self.promised().map_or(self.end, |(_, to)| to.max(self.end))
    }
}
