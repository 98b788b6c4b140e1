//! What a fault looks like: everything random about it.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::FaultKind;
use super::limits::Limits;
use super::schedule::Plan;
use super::strike::{Figures, Strike};
use crate::history::Target;
use crate::network::{Direction, Protocol};

/// One in so many faults may take a majority away.
const BOLD: u32 = 8;

/// By how much a clock jumps: anything between, small jumps as often as large ones.
const JUMPS: (f64, f64) = (0.005, 300.0);

/// As fast as chrony may slew a clock, in millionths.
const FASTEST: i32 = 80_000;

/// The random source of a schedule.
pub(super) struct Draw<'a> {
    plan: &'a Plan,
    random: StdRng,
}

impl<'a> Draw<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, random: StdRng::seed_from_u64(plan.seed) }
    }

    pub(super) fn shuffle(&mut self, kinds: &mut [FaultKind]) {
        kinds.shuffle(&mut self.random);
    }

    pub(super) fn is_bold(&mut self) -> bool {
        self.random.random_ratio(1, BOLD)
    }

    /// A fault of this kind, anywhere. The kind has something to strike.
    pub(super) fn strike(&mut self, kind: FaultKind, limits: &Limits<'_>) -> Strike {
        let room = limits.last().saturating_sub(limits.first());
        let lasts = self.lasts(kind).map(|lasts| lasts.min(room * 4 / 5));
        let after =
            limits.first() + self.between(Duration::ZERO, room.saturating_sub(lasts.unwrap_or_default()));
        let (target, figures) = (self.target(kind), self.figures(kind));
        Strike { id: 0, after, lasts, kind, target, figures }
    }

    /// The same for so many nodes, nearly at once, that the rest is no quorum; one fault, if its kind does not strike nodes.
    pub(super) fn burst(&mut self, kind: FaultKind, limits: &Limits<'_>) -> Vec<Strike> {
        let first = self.strike(kind, limits);
        let Target::Node(_) = first.target else { return vec![first] };
        let enough = self.plan.nodes - limits.quorum() + 1;
        let count = self.random.random_range(enough..=self.plan.nodes);
        let mut nodes: Vec<_> = (0..self.plan.nodes).collect();
        nodes.shuffle(&mut self.random);
        let apart = self.plan.ttl / 10;
        let others = nodes.into_iter().take(count).map(|node| {
            let after = first.after.saturating_sub(self.between(Duration::ZERO, apart)).max(limits.first());
            Strike { after, target: Target::Node(node), ..first.clone() }
        });
        others.collect()
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        self.random.random_range(from..=to.max(from))
    }

    fn lasts(&mut self, kind: FaultKind) -> Option<Duration> {
        let Plan { ttl, max_ttl, .. } = *self.plan;
        let (from, to) = match kind {
            FaultKind::Kill | FaultKind::Amnesia => (max_ttl / 20, max_ttl),
            FaultKind::Pause => (ttl / 10, ttl * 3 / 2),
            FaultKind::Slew => (max_ttl / 2, max_ttl * 3 / 2),
            FaultKind::Partition => (ttl / 5, ttl * 2),
            FaultKind::Delay => (ttl / 2, ttl * 3),
            // Until then there is something to reply to, most likely.
            FaultKind::ReplyLost => (ttl / 2, ttl),
            FaultKind::ClientPause if self.random.random_ratio(2, 3) => (ttl * 11 / 10, ttl * 5 / 2),
            FaultKind::ClientPause => (ttl / 50, ttl * 4 / 5),
            FaultKind::Power
            | FaultKind::Flush
            | FaultKind::Promote
            | FaultKind::Clock
            | FaultKind::Reset
            | FaultKind::ClientKill => return None,
        };
        Some(self.between(from, to))
    }

    fn target(&mut self, kind: FaultKind) -> Target {
        let node = self.random.random_range(0..self.plan.nodes.max(1));
        let client = self.random.random_range(0..self.plan.clients.max(1));
        match kind {
            FaultKind::ClientKill | FaultKind::ClientPause => Target::Client(client),
            FaultKind::ReplyLost => Target::Way { client, node },
            FaultKind::Partition | FaultKind::Delay | FaultKind::Reset => {
                match self.random.random_range(0..4) {
                    0 => Target::Node(node),
                    1 => Target::Client(client),
                    _ => Target::Way { client, node },
                }
            }
            _ => Target::Node(node),
        }
    }

    fn figures(&mut self, kind: FaultKind) -> Figures {
        match kind {
            FaultKind::Clock => {
                let (least, most) = JUMPS;
                let by = least * (most / least).powf(self.random.random());
                let back = self.random.random();
                // Whole milliseconds, so that it can be read.
                Figures::Jump {
                    back,
                    by: Duration::from_millis(Duration::from_secs_f64(by).as_millis() as u64),
                }
            }
            FaultKind::Slew => {
                let rate = match self.random.random_bool(0.5) {
                    true => FASTEST,
                    false => self.random.random_range(FASTEST / 8..FASTEST),
                };
                Figures::Rate(if self.random.random() { rate } else { -rate })
            }
            FaultKind::Partition => {
                let directions = [Direction::Requests, Direction::Replies, Direction::Both];
                Figures::Cut(directions[self.random.random_range(0..3)])
            }
            FaultKind::Delay => {
                let most = self.between(self.plan.ttl / 100, self.plan.ttl / 4);
                let least = self.between(Duration::ZERO, most / 2);
                Figures::Late(least..most, self.random.random())
            }
            FaultKind::ReplyLost => {
                let is_chosen = self.random.random_ratio(3, 4) && self.plan.store.protocol == Protocol::Resp;
                Figures::ReplyTo(is_chosen.then(|| "EVALSHA".to_owned()))
            }
            _ => Figures::None,
        }
    }
}
