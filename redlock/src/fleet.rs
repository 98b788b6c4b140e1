//! The guard over the nodes of one `Locks`: whose memory is new, and whose clock is wrong (design, section 4, "Restart guard"
//! and "Clocks of nodes").
//!
//! What is to be done is decided by pure code (`quorum::restart`, `quorum::clocks`); here it is done, by one service in the
//! background, which looks at the nodes now and then, and at once when a vote has shown something odd.

mod clocks;
mod memories;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::driver::Driver;
use crate::env::{jitter, random_number};
use crate::id::{Charter, Incarnation, Instant, Standing, Ttl};
use crate::node::{ClockReading, Mark, MarkRequest, Node, NodeError, NodeErrorKind, RefusalReason, Reply};
use crate::protections::Protections;
use crate::quorum::restart::{self, Misfit, Seen};
use crate::quorum::{Clocks, DriftFactor, Quorum, Trust};
use crate::renewal::Renewal;
use crate::telemetry::events;

/// No counter is further ahead of its node's time than this, unless the node has noted it, in microseconds.
const SECOND: u64 = 1_000_000;

/// A node is asked who it is after this time, whatever its votes have shown: not all of it shows in votes.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What is known of the nodes, shared by all rounds.
#[derive(Debug)]
pub(crate) struct Fleet {
    quorum: Quorum,
    protections: Protections,
    /// What this client's nodes should have in their markers, but for the fleet, where there is one.
    wanted: Charter,
    /// How long a node with a new memory grants nothing new.
    quarantine: Duration,
    /// The nodes whose clocks can be set, and are therefore watched.
    watched: Vec<bool>,
    state: Mutex<State>,
    /// A vote has shown something odd, or the guard is to end.
    wake: Notify,
    closed: AtomicBool,
    /// How many times our own clock was found wrong.
    own_moves: AtomicU64,
    /// The node set that has taken the place of this client's: it gets no lock any more.
    replaced: OnceLock<u64>,
}

#[derive(Debug)]
struct State {
    clocks: Clocks,
    nodes: Vec<Known>,
}

/// What is known of a node besides its clock.
#[derive(Debug, Clone, Default)]
struct Known {
    misfit: Option<Misfit>,
    /// Its fencing counters must begin there: its clock was ahead of that before it was set back.
    floor: u64,
    /// When it was asked last who it is.
    asked: Option<Instant>,
    /// What was said about it last, so that it is said once.
    said: Option<Said>,
    /// When the jump of its clock that was said last was noticed.
    moved: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Quarantined(Incarnation),
    Admitted(Incarnation),
    Foreign(Misfit),
}

impl Fleet {
    /// `fleet`: a random number, for nodes that belong to none yet; `node_set`: the number of the client's node set.
    pub(crate) fn new(
        quorum: Quorum,
        (ttl, max_ttl): (Ttl, Ttl),
        drift: DriftFactor,
        protections: Protections,
        nodes: &[Arc<dyn Node>],
        (fleet, node_set): (u64, u64),
    ) -> Self {
        let whole = Duration::from_millis(crate::id::millis_up(max_ttl.get()));
        let size = |nodes: usize| u32::try_from(nodes).unwrap_or(u32::MAX);
        let wanted = Charter::new(fleet, node_set, size(quorum.nodes()), size(quorum.size()), whole);
        let quarantine = whole.saturating_add(drift.allowance(max_ttl));
        let clocks = Clocks::new(quorum, quarantine, ttl, drift);
        let state = Mutex::new(State { clocks, nodes: vec![Known::default(); quorum.nodes()] });
        let (wake, closed, own_moves) = (Notify::new(), AtomicBool::new(false), AtomicU64::new(0));
        let watched = nodes.iter().map(|node| node.abilities().settable_clock).collect();
        let replaced = OnceLock::new();
        Self { quorum, protections, wanted, quarantine, watched, state, wake, closed, own_moves, replaced }
    }

    /// How many times our own clock was found wrong: what was begun before counts for nothing.
    pub(crate) fn own_moves(&self) -> u64 {
        self.own_moves.load(Ordering::SeqCst)
    }

    /// The numbers of this client's node set and of the one that has taken its place, once so many nodes refuse this client that
    /// it gets no lock any more.
    pub(crate) fn replaced(&self) -> Option<(u64, u64)> {
        self.replaced.get().map(|&theirs| (self.wanted.epoch, theirs))
    }

    /// For good: a node that forgets must not make an exception of it.
    fn note_replaced(&self, theirs: Option<u64>) {
        if let Some(theirs) = theirs {
            self.replaced.get_or_init(|| theirs);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a node's clock is watched.
    fn is_watched(&self, node: usize) -> bool {
        self.protections.clock_guard() && self.watched.get(node).is_some_and(|&is_watched| is_watched)
    }

    /// Ends the guard's service.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// What a node's answer counts for: a grant of a node that cannot be relied on counts for nothing.
    pub(crate) fn weigh(
        &self,
        node: usize,
        address: &Arc<str>,
        reading: Option<ClockReading>,
        now: Instant,
        answer: Result<Reply, NodeError>,
    ) -> Result<Reply, NodeError> {
        match &answer {
            Ok(Reply::Granted(grant)) => {
                // By the marker under which it was granted: what is known of the node may be older, or newer.
                let has_epochs = self.protections.node_set_epoch();
                let unfit =
                    grant.charter.and_then(|theirs| restart::unfit(&theirs, &self.wanted, has_epochs));
                if let Some(misfit) = unfit {
                    self.wake.notify_one();
                    let detail = misfit.to_string();
                    return Err(NodeError::with_unknown_effect(address, NodeErrorKind::Foreign, detail));
                }
            }
            Ok(Reply::Refused(refusal)) => {
                if refusal.reason == RefusalReason::Quarantined {
                    self.wake.notify_one();
                }
                return answer;
            }
            Err(error) => {
                if error.kind == NodeErrorKind::NotReady {
                    self.wake.notify_one();
                }
                return answer;
            }
        }
        let mut state = self.state();
        if let Some(misfit) = state.nodes.get(node).and_then(|known| known.misfit) {
            return Err(NodeError::with_unknown_effect(address, NodeErrorKind::Foreign, misfit.to_string()));
        }
        if !self.is_watched(node) {
            return answer;
        }
        if let Some(reading) = reading {
            state.clocks.observe(node, reading.least, reading.most, reading.taken);
        }
        let trust = state.clocks.trust(node, now);
        drop(state);
        let detail = match trust {
            Trust::Trusted => return answer,
            Trust::Moved(moved) => {
                self.wake.notify_one();
                format!(
                    "its clock has moved and is {} of what it was; its vote does not count",
                    Shift(moved.by)
                )
            }
            Trust::Unwatched(distance) => {
                let window = self.quarantine;
                let why = match distance {
                    Some(distance) => format!("is {} of the median of the nodes'", Shift(distance)),
                    None => "cannot be compared with those of a quorum of nodes yet".to_owned(),
                };
                format!("its clock {why}; its vote counts once the clock was watched for {window:.1?}")
            }
        };
        Err(NodeError::with_unknown_effect(address, NodeErrorKind::Clock, detail))
    }

    /// Runs until it is closed.
    pub(crate) async fn run(self: Arc<Self>, driver: Arc<Driver>, renewal: Arc<Renewal>) {
        loop {
            let odd = self.look(&driver, Some(&renewal)).await;
            let share = if odd { self.quarantine / 64 } else { self.quarantine / 8 };
            let longest = if odd { Duration::from_millis(250) } else { Duration::from_secs(2) };
            let pause = share.clamp(Duration::from_millis(5), longest);
            // Less up to a quarter, so that clients do not look together.
            let quarter = u64::try_from((pause / 4).as_nanos()).unwrap_or(u64::MAX).max(1);
            let pause = pause.saturating_sub(Duration::from_nanos(jitter(&*driver.env) % quarter));
            let timer = driver.env.sleep_until(driver.env.now().saturating_add(pause));
            tokio::select! {
                () = self.wake.notified() => {
                    // Whatever the votes of many rounds have shown at once is looked at once.
                    let moment = Duration::from_millis(1);
                    driver.env.sleep_until(driver.env.now().saturating_add(moment)).await;
                }
                () = timer => {}
            }
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Looks at all nodes once, and does what is to be done. Returns whether something is odd, and so worth another look soon.
    pub(crate) async fn look(&self, driver: &Driver, renewal: Option<&Renewal>) -> bool {
        let nodes = 0..self.quorum.nodes();
        let before: Vec<Standing> = driver.nodes().iter().map(|node| node.standing()).collect();
        let patience = Duration::from_millis(500).min(self.quarantine);
        let now = driver.env.now();
        let fresh = now.saturating_sub(self.quarantine / 10);
        // Whose quarantine is over before anybody is asked: only then is every token that they may have forgotten stored
        // by those who say now how far theirs have come.
        let is_ripe = |node: usize| self.is_ripe(before[node], driver.nodes()[node].clock(), now);
        let ripe: Vec<bool> = nodes.clone().map(is_ripe).collect();
        let must_ask_all = self.state().clocks.any_moved() || ripe.contains(&true);
        let due: Vec<usize> = {
            let mut state = self.state();
            let due = nodes.clone().filter(|&node| {
                let is_fresh = driver.nodes()[node].clock().is_some_and(|reading| reading.taken >= fresh);
                let asked = &mut state.nodes[node].asked;
                let is_due = must_ask_all
                    || (self.watched[node] && !is_fresh)
                    || asked.is_none_or(|asked| now.saturating_since(asked) >= ASK_EVERY);
                if is_due {
                    *asked = Some(now);
                }
                is_due
            });
            due.collect()
        };
        let mut seen: Vec<Seen> =
            vec![Seen { standing: Standing::Unknown, ceiling: None }; self.quorum.nodes()];
        for (node, answer) in driver.survey(due, patience).await {
            match answer {
                Ok(identity) => seen[node].ceiling = identity.ceiling,
                Err(error) => events::node_said_nothing(&error),
            }
        }
        for node in nodes {
            seen[node].standing = driver.nodes()[node].standing();
            if seen[node].standing != before[node] {
                // What it said may be of another memory, or from before it was admitted.
                seen[node].ceiling = None;
            }
        }
        let clocks_are_odd = self.look_at_clocks(driver, renewal, &seen, patience).await;
        self.look_at_memories(driver, &seen, &ripe, patience).await || clocks_are_odd
    }

    /// Whether a node's quarantine is over by its clock.
    fn is_ripe(&self, standing: Standing, reading: Option<ClockReading>, now: Instant) -> bool {
        match (standing, reading) {
            (Standing::Marked(marker), Some(reading)) => {
                marker.floor.is_none() && reading.at(now) >= marker.until
            }
            _ => false,
        }
    }

    /// Whether a quarantine lasts longer than any that is made: the node's clock was set back in it.
    fn is_endless(&self, standing: Standing, reading: Option<ClockReading>, now: Instant) -> bool {
        let (Standing::Marked(marker), Some(reading)) = (standing, reading) else { return false };
        // Clients may set different shares aside for drift, up to half.
        let longest = u64::try_from((2 * self.quarantine).as_micros()).unwrap_or(u64::MAX);
        marker.until > reading.at(now).saturating_add(longest)
    }

    /// The nodes that cannot be used by this client, and why, if that is a reason not to begin. Nodes that were away when the set was
    /// changed are none as long as there are enough others.
    pub(crate) fn misfits(&self, driver: &Driver) -> Vec<NodeError> {
        let state = self.state();
        let misfits = || state.nodes.iter().filter_map(|known| known.misfit);
        let behind = misfits().filter(|misfit| matches!(misfit, Misfit::Behind { .. })).count();
        if behind == misfits().count() && !self.quorum.blocked_by(behind) {
            return Vec::new();
        }
        let nodes = driver.nodes().iter().zip(&state.nodes);
        nodes
            .filter_map(|(node, known)| {
                let detail = known.misfit?.to_string();
                Some(NodeError::without_effect(&node.address().into(), NodeErrorKind::Foreign, detail))
            })
            .collect()
    }

    /// Which of these nodes could not be used by this client, and why, as they stand now. Asks and changes nothing.
    pub(crate) fn foreign(&self, nodes: &[Arc<dyn Node>]) -> Vec<NodeError> {
        let seen = nodes.iter().map(|node| Seen { standing: node.standing(), ceiling: None });
        let has_epochs = self.protections.node_set_epoch();
        let agreed = restart::agree(self.wanted, &seen.collect::<Vec<_>>(), has_epochs);
        let misfits =
            nodes.iter().filter_map(|node| match restart::step(node.standing(), agreed, has_epochs) {
                restart::Step::Foreign(misfit) => Some((node, misfit)),
                _ => None,
            });
        let misfits: Vec<_> = misfits.collect();
        // As when it is built: a change of the node set has not come to them yet, and the others are enough.
        let are_behind = misfits.iter().all(|(_, misfit)| matches!(misfit, Misfit::Behind { .. }));
        if are_behind && !self.quorum.blocked_by(misfits.len()) {
            return Vec::new();
        }
        let foreign = misfits.into_iter().map(|(node, misfit)| {
            NodeError::without_effect(&node.address().into(), NodeErrorKind::Foreign, misfit.to_string())
        });
        foreign.collect()
    }

    /// Admits every node at once, in a fleet of its own: the operator says that nobody holds a lock. Changes nothing unless every
    /// node answers; returns why it was not done.
    pub(crate) async fn init(&self, driver: &Driver, patience: Duration) -> Vec<NodeError> {
        let (mut floor, mut silent) = (0, Vec::new());
        for (_, answer) in driver.survey(0..self.quorum.nodes(), patience).await {
            match answer {
                Ok(identity) => floor = floor.max(identity.ceiling.unwrap_or(0)),
                Err(error) => silent.push(error),
            }
        }
        if !silent.is_empty() {
            return silent;
        }
        let guarded = |node: &usize| driver.nodes()[*node].standing() != Standing::Unguarded;
        let requests = (0..self.quorum.nodes()).filter(guarded).map(|node| {
            let mark = Mark::Init { incarnation: new_incarnation(driver), floor };
            (node, MarkRequest::new(self.wanted, mark))
        });
        driver.mark(requests.collect::<Vec<_>>(), patience).await
    }
}

fn new_incarnation(driver: &Driver) -> Incarnation {
    Incarnation::new(random_number(&*driver.env))
}

/// A difference between clocks in microseconds, for people.
struct Shift(i64);

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let duration = Duration::from_micros(self.0.unsigned_abs());
        write!(f, "{duration:.1?} {}", if self.0 < 0 { "short" } else { "ahead" })
    }
}
