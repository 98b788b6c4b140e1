//! One fault, from when to when.

use std::str::FromStr;

use crate::fault::FaultKind;
use crate::history::{FaultId, Target};

/// One fault.
#[derive(Debug)]
pub(in crate::report) struct Fault<'a> {
    pub(in crate::report) id: FaultId,
    pub(in crate::report) at: u64,
    pub(in crate::report) kind: &'a str,
    pub(in crate::report) target: Target,
    pub(in crate::report) detail: &'a str,
    /// When it was undone; `None` if it lasted a moment.
    pub(in crate::report) healed: Option<u64>,
    /// Why it could not be done, or undone.
    pub(in crate::report) failed: Option<&'a str>,
}

impl<'a> Fault<'a> {
    pub(super) const fn new(id: FaultId, at: u64, kind: &'a str, target: Target, detail: &'a str) -> Self {
        Self { id, at, kind, target, detail, healed: None, failed: None }
    }

    /// Its end.
    pub(in crate::report) fn end(&self) -> u64 {
        self.healed.unwrap_or(self.at).max(self.at)
    }

    /// Which pattern it is drawn with.
    pub(in crate::report) fn look(&self) -> &'static str {
        use FaultKind as Kind;
        match FaultKind::from_str(self.kind) {
            _ if self.failed.is_some() && self.healed.is_none() => "undone",
            Ok(Kind::Kill | Kind::Amnesia | Kind::Power | Kind::ClientKill) => "down",
            Ok(Kind::Pause | Kind::ClientPause) => "paused",
            Ok(Kind::Partition | Kind::ReplyLost | Kind::Reset) => "cut",
            Ok(Kind::Delay) => "late",
            Ok(Kind::Flush | Kind::Promote | Kind::Clock | Kind::Slew) | Err(_) => "other",
        }
    }

    /// Whether its node has another memory, or another process, afterwards, and so grants nothing new for a while.
    pub(in crate::report) fn is_followed_by_quarantine(&self) -> bool {
        use FaultKind as Kind;
        let kind = FaultKind::from_str(self.kind);
        self.failed.is_none()
            && matches!(kind, Ok(Kind::Kill | Kind::Amnesia | Kind::Power | Kind::Flush | Kind::Promote))
    }

    /// What is written beside it.
    pub(in crate::report) fn label(&self) -> String {
        let what = if (1..=24).contains(&self.detail.chars().count()) { self.detail } else { self.kind };
        match self.target {
            Target::Way { node, .. } => format!("n{node} {what}"),
            Target::Node(_) | Target::Client(_) => what.to_owned(),
        }
    }
}
