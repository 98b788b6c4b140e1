//! What must not come together in a schedule.

use std::time::Duration;

use super::FaultKind;
use super::schedule::Plan;
use super::strike::{Strike, ways_of};
use crate::fleet::Servers;
use crate::history::Target;

/// Between two faults of the same thing.
const APART: Duration = Duration::from_millis(200);

/// How long the members of a store take to agree on a leader when one of them was away.
const SETTLED: Duration = Duration::from_secs(2);

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Span {
    const fn new(from: Duration, to: Duration) -> Self {
        Self { from, to }
    }

    fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    pub(super) fn length(self) -> Duration {
        self.to - self.from
    }
}

/// The limits of a plan.
pub(super) struct Limits<'a> {
    plan: &'a Plan,
    moves_clocks: bool,
}

impl<'a> Limits<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut limits = Self { plan, moves_clocks: false };
        limits.moves_clocks = plan.kinds.iter().any(|&kind| moves_clock(kind) && limits.allow(kind));
        limits
    }

    pub(super) const fn quorum(&self) -> usize {
        self.plan.nodes / 2 + 1
    }

    /// No fault begins before.
    pub(super) fn first(&self) -> Duration {
        (self.plan.length / 10).min(Duration::from_secs(1))
    }

    /// Every fault has ended by then.
    pub(super) fn last(&self) -> Duration {
        self.plan.length - (self.plan.length / 10).min(Duration::from_secs(1))
    }

    /// Whether there is anything that this kind may strike.
    pub(super) fn allow(&self, kind: FaultKind) -> bool {
        let has_nodes = self.plan.nodes > 0;
        match kind {
            _ if moves_clock(kind) => self.quorum() > 1,
            FaultKind::ClientKill | FaultKind::ClientPause => self.plan.clients > 0,
            FaultKind::Partition | FaultKind::Delay | FaultKind::Reset | FaultKind::ReplyLost => {
                has_nodes && self.plan.clients > 0
            }
            _ => has_nodes,
        }
    }

    /// Kinds that need the most room come first.
    pub(super) fn needs_room(&self, kind: FaultKind) -> u8 {
        match kind {
            FaultKind::Slew => 0,
            FaultKind::Clock => 1,
            _ if loses_memory(kind) => 2,
            FaultKind::Pause => 3,
            _ => 4,
        }
    }

    /// Whether a node counts as one without memory after such a fault. Members of a store have one another's.
    fn forgets(&self, kind: FaultKind) -> bool {
        self.plan.store.servers == Servers::Nodes && loses_memory(kind)
    }

    /// For clocks that are read now and then, TTLs that are rounded up, and whatever is slow.
    pub(super) fn margin(&self) -> Duration {
        self.plan.max_ttl / 5 + Duration::from_millis(500) + 3 * self.plan.store.granularity
    }

    /// The span in which the clocks of fewer than a quorum may be moved.
    pub(super) fn clock_window(&self) -> Duration {
        self.plan.max_ttl + self.margin()
    }

    /// For how long a majority may be away.
    pub(super) fn longest_dark(&self) -> Duration {
        4 * (self.plan.max_ttl + self.margin())
    }

    /// For how long a majority is there between two such spans.
    pub(super) fn light(&self, one: Span, other: Span) -> Duration {
        (2 * self.plan.max_ttl).max(one.length().max(other.length()) * 3 / 2)
    }

    /// The node that does not vote because of a fault, and when.
    pub(super) fn away(&self, strike: &Strike) -> Option<(usize, Span)> {
        let Target::Node(node) = strike.target else { return None };
        let after = match strike.kind {
            kind if self.forgets(kind) => self.plan.max_ttl + self.margin(),
            kind if moves_clock(kind) => 2 * self.plan.max_ttl + self.margin(),
            FaultKind::Reset => return None,
            kind if Place::of(kind) == Place::Node && self.plan.store.servers == Servers::Members => SETTLED,
            _ => Duration::ZERO,
        };
        Some((node, Span::new(strike.after, strike.ends() + after)))
    }

    /// Whether these may be added. Only bold ones may take a majority away.
    pub(super) fn admit(&self, new: &[Strike], placed: &[Strike], is_bold: bool) -> bool {
        let is_in_time = |strike: &Strike| self.first() <= strike.after && strike.ends() <= self.last();
        let all = || placed.iter().chain(new);
        new.iter().all(is_in_time)
            && new.iter().enumerate().all(|(index, strike)| {
                let others = placed.iter().chain(&new[..index]);
                others.into_iter().all(|other| !self.collide(strike, other))
            })
            && self.clocks_are_in_bounds(new, all())
            && self.clients_are_left(new, all())
            && self.nodes_are_left(new, placed, is_bold)
    }

    /// Whether two faults get into each other's way.
    pub(super) fn collide(&self, one: &Strike, other: &Strike) -> bool {
        let span = |strike: &Strike| Span::new(strike.after, strike.ends() + APART);
        if !span(one).meets(span(other)) {
            return false;
        }
        match (Place::of(one.kind), Place::of(other.kind)) {
            (Place::Ways, Place::Ways) => {
                let ways = |strike: &Strike| ways_of(strike.target, self.plan.clients, self.plan.nodes);
                let taken = ways(other);
                ways(one).iter().any(|way| taken.contains(way))
            }
            (Place::Ways, Place::Node) => leads_nowhere(one, other),
            (Place::Node, Place::Ways) => leads_nowhere(other, one),
            (place, another) => place == another && one.target == other.target,
        }
    }

    /// Fewer than a quorum in any window. A window touches a fault if it ends while that lasts, or less than its length later.
    fn clocks_are_in_bounds<'s>(&self, new: &[Strike], all: impl Iterator<Item = &'s Strike>) -> bool {
        let moved = all.filter(|strike| moves_clock(strike.kind)).filter_map(|strike| match strike.target {
            Target::Node(node) => Some((node, Span::new(strike.after, strike.ends() + self.clock_window()))),
            _ => None,
        });
        !new.iter().any(|strike| moves_clock(strike.kind))
            || most_at_once(&moved.collect::<Vec<_>>()) < self.quorum()
    }

    fn clients_are_left<'s>(&self, new: &[Strike], all: impl Iterator<Item = &'s Strike>) -> bool {
        let is_away = |strike: &&Strike| {
            matches!(strike.target, Target::Client(_))
                && matches!(strike.kind, FaultKind::ClientPause | FaultKind::Partition | FaultKind::Delay)
        };
        if self.plan.clients < 2 || !new.iter().any(|strike| is_away(&strike)) {
            return true;
        }
        let away = all.filter(is_away).filter_map(|strike| match strike.target {
            Target::Client(client) => Some((client, Span::new(strike.after, strike.ends()))),
            _ => None,
        });
        most_at_once(&away.collect::<Vec<_>>()) < self.plan.clients
    }

    fn nodes_are_left(&self, new: &[Strike], placed: &[Strike], is_bold: bool) -> bool {
        let spans: Vec<_> = new.iter().filter_map(|strike| self.away(strike)).map(|(_, span)| span).collect();
        let (Some(from), Some(to)) =
            (spans.iter().map(|span| span.from).min(), spans.iter().map(|span| span.to).max())
        else {
            return true;
        };
        // Whatever is further away has no bearing on these.
        let horizon = 3 * self.longest_dark();
        let near = Span::new(from.saturating_sub(horizon), to + horizon);
        let away: Vec<_> = placed
            .iter()
            .chain(new)
            .filter_map(|strike| {
                self.away(strike).map(|(node, span)| (node, span, self.forgets(strike.kind)))
            })
            .filter(|(_, span, _)| span.meets(near))
            .collect();
        let dark = self.dark(&away);
        let may_be_dark = is_bold || self.plan.nodes == self.quorum();
        let is_dark = |span: &Span| dark.iter().any(|dark| dark.meets(*span));
        (may_be_dark || !spans.iter().any(is_dark))
            && dark.iter().all(|span| span.length() <= self.longest_dark())
            && dark.windows(2).all(|pair| pair[1].from - pair[0].to >= self.light(pair[0], pair[1]))
            && (!self.moves_clocks || self.tokens_are_known(&away))
    }

    /// The spans in which fewer than a quorum of nodes is there.
    fn dark(&self, away: &[(usize, Span, bool)]) -> Vec<Span> {
        let mut dark: Vec<Span> = Vec::new();
        for (moment, count, _) in sweep(away) {
            let is_dark = count > self.plan.nodes - self.quorum();
            match dark.last_mut() {
                Some(last) if last.to == Duration::MAX && !is_dark => last.to = moment,
                Some(last) if last.to == Duration::MAX => {}
                _ if is_dark => dark.push(Span::new(moment, Duration::MAX)),
                _ => {}
            }
        }
        dark
    }

    /// While a node has forgotten, N - quorum + 1 others are there whose counters it may go by.
    fn tokens_are_known(&self, away: &[(usize, Span, bool)]) -> bool {
        sweep(away).iter().all(|&(_, count, forgotten)| forgotten == 0 || count < self.quorum())
    }
}

/// What a kind strikes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Node,
    Ways,
    Client,
}

impl Place {
    const fn of(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Partition | FaultKind::ReplyLost | FaultKind::Delay | FaultKind::Reset => Self::Ways,
            FaultKind::ClientKill | FaultKind::ClientPause => Self::Client,
            _ => Self::Node,
        }
    }
}

/// Faults that take a node's memory, or what the library must take for that.
const fn loses_memory(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Kill | FaultKind::Amnesia | FaultKind::Power | FaultKind::Flush | FaultKind::Promote
    )
}

/// Faults that move a node's clock.
pub(super) const fn moves_clock(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Clock | FaultKind::Slew)
}

/// Whether a fault of ways has nothing to strike, because the node at their end is down or stopped.
fn leads_nowhere(ways: &Strike, node: &Strike) -> bool {
    let is_down = matches!(node.kind, FaultKind::Kill | FaultKind::Amnesia | FaultKind::Pause);
    let is_there = match ways.target {
        Target::Node(at) | Target::Way { node: at, .. } => Target::Node(at) == node.target,
        Target::Client(_) => false,
    };
    is_down && is_there && ways.kind != FaultKind::Partition
}

/// How many different nodes or clients are in such a span at once, at most.
fn most_at_once(spans: &[(usize, Span)]) -> usize {
    let spans: Vec<_> = spans.iter().map(|&(one, span)| (one, span, false)).collect();
    sweep(&spans).into_iter().map(|(_, count, _)| count).max().unwrap_or(0)
}

/// At each moment at which that changes: how many different ones are in a span, and how many of those are marked.
fn sweep(spans: &[(usize, Span, bool)]) -> Vec<(Duration, usize, usize)> {
    let size = spans.iter().map(|(one, ..)| one + 1).max().unwrap_or(0);
    // Spans that touch are at once: what begins comes first.
    let begins = spans.iter().map(|&(one, span, marked)| (span.from, false, one, marked));
    let ends = spans.iter().map(|&(one, span, marked)| (span.to, true, one, marked));
    let mut changes: Vec<_> = begins.chain(ends).collect();
    changes.sort_unstable();
    let (mut open, mut marks) = (vec![0_usize; size], vec![0_usize; size]);
    let mut counts = Vec::with_capacity(changes.len());
    for (moment, is_end, one, marked) in changes {
        match is_end {
            true => (open[one], marks[one]) = (open[one] - 1, marks[one] - usize::from(marked)),
            false => (open[one], marks[one]) = (open[one] + 1, marks[one] + usize::from(marked)),
        }
        let some = |of: &[usize]| of.iter().filter(|&&count| count > 0).count();
        counts.push((moment, some(&open), some(&marks)));
    }
    counts
}
