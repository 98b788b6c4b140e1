//! One fault, and doing it.

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

use crate::fleet::{Action, ActionKind, Fleet};
use crate::history::{FaultId, Target};
use crate::network::{Direction, Network, Way};

use super::FaultKind;

/// A fault that strikes something at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Its number in the run.
    pub id: FaultId,
    /// When it begins, since the run's beginning.
    pub after: Duration,
    /// How long until it is undone; `None`: there is nothing to undo.
    pub lasts: Option<Duration>,
    /// Its kind.
    pub kind: FaultKind,
    /// What it strikes. What is about ways strikes all ways of a node or of a client where that is the target.
    pub target: Target,
    /// How, where its kind leaves that open.
    pub figures: Figures,
}

/// How a fault strikes, where its kind leaves that open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figures {
    /// The kind says it all.
    None,
    /// The clock jumps by so much.
    Jump {
        /// Back, not forward.
        back: bool,
        /// By how much.
        by: Duration,
    },
    /// The clock gains so many millionths.
    Rate(i32),
    /// Nothing passes in this direction.
    Cut(Direction),
    /// Messages are late by a duration of this range, drawn with this seed.
    Late(Range<Duration>, u64),
    /// The reply to this command is lost; `None`: to any.
    ReplyTo(Option<String>),
}

impl Strike {
    /// When it has been undone, since the run's beginning.
    pub fn ends(&self) -> Duration {
        self.after + self.lasts.unwrap_or_default()
    }

    /// What a person wants to know beyond its kind and target: `3s forward`; may be empty.
    pub fn detail(&self) -> String {
        match &self.figures {
            Figures::None => String::new(),
            Figures::Jump { back: false, by } => format!("{by:.1?} forward"),
            Figures::Jump { back: true, by } => format!("{by:.1?} back"),
            Figures::Rate(rate) => format!("{:+.1} %", f64::from(*rate) / 10_000.0),
            Figures::Cut(Direction::Requests) => "no requests".to_owned(),
            Figures::Cut(Direction::Replies) => "no replies".to_owned(),
            Figures::Cut(Direction::Both) => "nothing passes".to_owned(),
            Figures::Late(by, _) => format!("late by {:.0?} to {:.0?}", by.start, by.end),
            Figures::ReplyTo(None) => "the next reply".to_owned(),
            Figures::ReplyTo(Some(word)) => format!("the next reply to {word}"),
        }
    }
}

/// The clients' processes, which somebody else starts.
pub trait Crew: Send + Sync {
    /// SIGSTOP.
    ///
    /// # Errors
    /// If that cannot be done.
    fn pause(&self, client: usize) -> io::Result<()>;

    /// SIGCONT. Without effect on one that runs.
    ///
    /// # Errors
    /// If that cannot be done.
    fn resume(&self, client: usize) -> io::Result<()>;

    /// SIGKILL, and another process in its place.
    ///
    /// # Errors
    /// If that cannot be done.
    fn kill_and_replace(&self, client: usize) -> io::Result<()>;
}

/// Everything that faults strike.
pub struct Stage<'a> {
    /// The nodes.
    pub fleet: &'a dyn Fleet,
    /// The ways to them.
    pub network: &'a Network,
    /// The clients.
    pub crew: &'a dyn Crew,
}

impl fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("fleet", self.fleet)
            .field("network", self.network)
            .finish_non_exhaustive()
    }
}

impl Stage<'_> {
    /// Begins a fault, and returns once it has begun.
    ///
    /// # Errors
    /// Why it could not be done. Part of it may have been: [`Self::end`] undoes that.
    pub fn begin(&self, strike: &Strike) -> Result<(), String> {
        match (strike.kind, &strike.figures) {
            (FaultKind::Kill | FaultKind::Amnesia, _) => self.act(strike, Action::Kill),
            (FaultKind::Power, _) => self.act(strike, Action::LosePower),
            (FaultKind::Pause, _) => self.act(strike, Action::Pause),
            (FaultKind::Flush, _) => self.act(strike, Action::Flush),
            (FaultKind::Promote, _) => self.act(strike, Action::Promote),
            (FaultKind::Clock, Figures::Jump { back: false, by }) => {
                self.act(strike, Action::ClockForward(*by))
            }
            (FaultKind::Clock, Figures::Jump { back: true, by }) => self.act(strike, Action::ClockBack(*by)),
            (FaultKind::Slew, Figures::Rate(rate)) => self.act(strike, Action::ClockRate(*rate)),
            (FaultKind::Partition, Figures::Cut(direction)) => self.ways(strike, |way| way.cut(*direction)),
            (FaultKind::Delay, Figures::Late(by, seed)) => {
                self.ways(strike, |way| way.delay(Some(by.clone()), *seed))
            }
            (FaultKind::ReplyLost, Figures::ReplyTo(None)) => self.ways(strike, Way::lose_next_reply),
            (FaultKind::ReplyLost, Figures::ReplyTo(Some(word))) => {
                self.ways(strike, |way| way.lose_reply_to(word))
            }
            (FaultKind::Reset, _) => self.ways(strike, Way::reset),
            (FaultKind::ClientKill, _) => self.client(strike, |client| self.crew.kill_and_replace(client)),
            (FaultKind::ClientPause, _) => self.client(strike, |client| self.crew.pause(client)),
            (kind, figures) => Err(format!("the fault `{kind}` cannot strike with {figures:?}")),
        }
    }

    /// Undoes a fault that lasts, and returns once it is undone; does nothing about another.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn end(&self, strike: &Strike) -> Result<(), String> {
        match strike.kind {
            FaultKind::Kill => self.act(strike, Action::Start),
            FaultKind::Amnesia => self.act(strike, Action::StartEmpty),
            FaultKind::Pause => self.act(strike, Action::Resume),
            FaultKind::Slew => self.act(strike, Action::ClockRate(0)),
            FaultKind::Partition => self.ways(strike, Way::mend),
            FaultKind::Delay => self.ways(strike, |way| way.delay(None, 0)),
            FaultKind::ReplyLost => self.ways(strike, Way::lose_no_reply),
            FaultKind::ClientPause => self.client(strike, |client| self.crew.resume(client)),
            FaultKind::Power
            | FaultKind::Flush
            | FaultKind::Promote
            | FaultKind::Clock
            | FaultKind::Reset
            | FaultKind::ClientKill => Ok(()),
        }
    }

    /// Makes sure that a node runs after a fault that should have seen to it, and failed.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(super) fn revive(&self, strike: &Strike) -> Result<(), String> {
        match strike.kind {
            FaultKind::Power | FaultKind::Promote if self.fleet.actions().contains(&ActionKind::Start) => {
                self.act(strike, Action::Start)
            }
            _ => self.end(strike),
        }
    }

    fn act(&self, strike: &Strike, action: Action) -> Result<(), String> {
        let Target::Node(node) = strike.target else { return Err(misses(strike, "a node")) };
        self.fleet.act(node, action).map_err(|error| error.to_string())
    }

    fn client(&self, strike: &Strike, act: impl FnOnce(usize) -> io::Result<()>) -> Result<(), String> {
        let Target::Client(client) = strike.target else { return Err(misses(strike, "a client")) };
        act(client).map_err(|error| format!("client {client}: {error}"))
    }

    fn ways(&self, strike: &Strike, act: impl Fn(&Way)) -> Result<(), String> {
        for (client, node) in ways_of(strike.target, self.network.clients(), self.network.nodes()) {
            act(self.network.way(client, node));
        }
        Ok(())
    }
}

fn misses(strike: &Strike, expected: &str) -> String {
    format!("the fault `{}` cannot strike {:?}: it strikes {expected}", strike.kind, strike.target)
}

/// The ways that belong to a target: client and node.
pub(super) fn ways_of(target: Target, clients: usize, nodes: usize) -> Vec<(usize, usize)> {
    match target {
        Target::Node(node) => (0..clients).map(|client| (client, node)).collect(),
        Target::Client(client) => (0..nodes).map(|node| (client, node)).collect(),
        Target::Way { client, node } => vec![(client, node)],
    }
}
