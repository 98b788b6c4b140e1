//! A change of the node set by one node, while locks are held (docs/protocol.md, "Changing the node set").

mod error;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::builder::LocksBuilder;
use crate::driver::Driver;
use crate::env::random_number;
use crate::id::{Charter, Incarnation, Stage, Standing};
use crate::node::{Mark, MarkRequest, Node};
use crate::quorum::Quorum;

pub use error::NodeSetError;
use view::View;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to change about the nodes. Both take an address as [`Node::address`] has it, or a URL, which is needed for a node that is not
/// in the list; without credentials it has those of the first node.
#[derive(Clone)]
#[non_exhaustive]
pub enum NodeChange {
    /// One more.
    Add(String),
    /// One less. It may be dead.
    Remove(String),
}

/// How far a change of the node set has come, as the nodes' markers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Nothing has been changed: [`open`](NodeSetChange::open) begins.
    NotBegun,
    /// Some nodes are open to the clients of the new set, too few for them: [`open`](NodeSetChange::open) again.
    Opening,
    /// Clients of both sets work. Restart them with the new list, one after the other, and then [`finish`](NodeSetChange::finish).
    Open,
    /// Clients of the old set are being shut out: [`finish`](NodeSetChange::finish) goes on.
    Closing,
    /// The new set is in force, and may be changed.
    Done,
}

/// Which clients a node is a node of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Members {
    /// All are nodes of both sets, but this one of the new set alone.
    Joins(usize),
    /// But this one of the old set alone.
    Leaves(usize),
}

/// What a change leads from and to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The number of the new set.
    pub(crate) number: u64,
    pub(crate) members: Members,
    pub(crate) before: Quorum,
    pub(crate) after: Quorum,
    /// The longest TTL, in whole milliseconds.
    pub(crate) max_ttl: Duration,
}

impl Plan {
    fn is_old(&self, node: usize) -> bool {
        !matches!(self.members, Members::Joins(one) if one == node)
    }

    fn is_new(&self, node: usize) -> bool {
        !matches!(self.members, Members::Leaves(one) if one == node)
    }

    fn charter(&self, fleet: u64, stage: Stage) -> Charter {
        let (nodes, quorum) = size(self.after);
        Charter::new(fleet, self.number, nodes, quorum, self.max_ttl).at(stage)
    }

    fn open(&self) -> Stage {
        let (nodes, quorum) = size(self.before);
        Stage::Open { nodes, quorum }
    }
}

fn size(quorum: Quorum) -> (u32, u32) {
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    (number(quorum.nodes()), number(quorum.size()))
}

/// A change of the node set by one node, while locks are held: from [`LocksBuilder::change_nodes`].
///
/// 1. [`open`](NodeSetChange::open): from now on the nodes serve clients of the new set **beside** those of the old one. Majorities of
///    sets that differ by one node intersect, so that no two of them hold one lock.
/// 2. Restart the clients one after the other, with the new list and number. Those that hold locks keep them until their turn.
/// 3. [`finish`](NodeSetChange::finish): clients of the old set are refused for good, also to renew. When all that they were granted has
///    ended, the new set is in force, and may be changed.
///
/// All state is in the markers of the nodes: whoever was interrupted looks ([`progress`](NodeSetChange::progress)) and goes on, from
/// wherever. Every call may be repeated, and two operators at once do no harm.
pub struct NodeSetChange {
    driver: Arc<Driver>,
    plan: Plan,
    wait: Duration,
    is_before: bool,
    after: LocksBuilder,
}

impl NodeSetChange {
    pub(crate) fn new(
        driver: Arc<Driver>,
        plan: Plan,
        wait: Duration,
        is_before: bool,
        after: LocksBuilder,
    ) -> Self {
        Self { driver, plan, wait, is_before, after }
    }

    /// The number of the new set.
    pub fn number(&self) -> u64 {
        self.plan.number
    }

    /// Whether the builder had the list of before the change.
    pub fn was_given_the_old_list(&self) -> bool {
        self.is_before
    }

    /// The nodes of both sets.
    pub fn nodes(&self) -> &[Arc<dyn Node>] {
        self.driver.nodes()
    }

    /// The nodes of the new set.
    pub fn new_nodes(&self) -> impl Iterator<Item = &Arc<dyn Node>> {
        self.nodes().iter().enumerate().filter(|(node, _)| self.plan.is_new(*node)).map(|(_, node)| node)
    }

    /// The configuration of clients after the change, for a further one.
    pub fn after(&self) -> LocksBuilder {
        self.after.clone()
    }

    /// How long [`finish`](NodeSetChange::finish) waits at least: the longest TTL and its drift.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// How far the change has come. Changes nothing. Cancel safe.
    ///
    /// # Errors
    /// [`NodeSetError`] if the nodes are not in a state that this change leads through.
    pub async fn progress(&self) -> Result<Progress, NodeSetError> {
        self.look().await?.progress()
    }

    /// Looks until nothing has changed meanwhile: what is known of a node's marker may be behind. Nodes that do not come to rest count as
    /// unknown.
    async fn look(&self) -> Result<View<'_>, NodeSetError> {
        let mut tries = 0;
        loop {
            let (view, is_fresh) = self.look_once().await;
            if is_fresh || tries == 20 {
                view.check(self.nodes())?;
                return Ok(view);
            }
            tries += 1;
            let env = &self.driver.env;
            env.sleep_until(env.now().saturating_add(Duration::from_millis(50))).await;
        }
    }

    async fn look_once(&self) -> (View<'_>, bool) {
        let before: Vec<Standing> = self.nodes().iter().map(|node| node.standing()).collect();
        let answers = self.driver.survey(0..self.nodes().len(), PATIENCE).await;
        let mut view = View::new(&self.plan, self.nodes());
        let mut is_fresh = true;
        for (node, answer) in answers {
            match answer {
                // A node says how far its counters have come if its marker is still the one that is known.
                Ok(identity)
                    if before[node] == view.standings[node]
                        && (identity.ceiling.is_some()
                            || !matches!(view.standings[node], Standing::Marked(_))) =>
                {
                    view.ceilings[node] = identity.ceiling;
                }
                Ok(_) => {
                    view.standings[node] = Standing::Unknown;
                    is_fresh = false;
                }
                Err(error) => {
                    view.standings[node] = Standing::Unknown;
                    view.failed.push(error);
                }
            }
        }
        (view, is_fresh)
    }

    /// Opens the nodes to the clients of the new set, beside those of the old one. A node that is added begins its quarantine. Nodes
    /// that cannot be reached are left out, as long as the others are a quorum of the new set; `finish` sees to them.
    ///
    /// Idempotent. Not cancel safe in that some nodes may be open and others not; no lock is in danger from that.
    ///
    /// # Errors
    /// [`NodeSetError`]; what was opened stays open.
    pub async fn open(&self) -> Result<(), NodeSetError> {
        let view = self.look().await?;
        let progress = view.progress()?;
        if matches!(progress, Progress::Closing | Progress::Done) {
            return Ok(());
        }
        let fleet = view.fleet()?;
        if let Members::Joins(node) = self.plan.members {
            view.can_join(node, self.nodes())?;
        }
        self.bring_to(&view, fleet, self.plan.open(), 0).await;
        let view = self.look().await?;
        match view.progress()? {
            Progress::NotBegun | Progress::Opening => {
                Err(view.too_few(self.plan.after.size(), view.opened()))
            }
            _ => Ok(()),
        }
    }

    /// Shuts out the clients of the old set, waits until whatever they were granted has ended, and puts the new set into force. Takes
    /// [`wait`](NodeSetChange::wait) and a moment, and longer if nodes lose their memory meanwhile.
    ///
    /// Clients that have not been restarted get no lock any more, and lose what they hold at the end of its validity.
    ///
    /// Idempotent. Not cancel safe in that a dropped future may leave the change half-way; repeated, it waits anew.
    ///
    /// # Errors
    /// [`NodeSetError`]; what was done stays done.
    pub async fn finish(&self) -> Result<(), NodeSetError> {
        loop {
            let view = self.look().await?;
            match view.progress()? {
                Progress::NotBegun | Progress::Opening => return Err(NodeSetError::NotOpen),
                Progress::Open | Progress::Closing | Progress::Done => {}
            }
            let is_done = view.progress()? == Progress::Done;
            let fleet = view.fleet()?;
            let (stage, floor) = match is_done {
                // Nodes that were away are seen to.
                true => (Stage::Settled, view.ceiling()),
                false => (Stage::Closed, 0),
            };
            self.bring_to(&view, fleet, stage, floor).await;
            if is_done {
                return Ok(());
            }
            let closed = self.look().await?.closed();
            let needed = self.plan.before.blocking();
            if closed.len() < needed {
                return Err(self.look().await?.too_few(needed, closed.len()));
            }
            if self.driver.protections.node_set_wait() {
                let env = &self.driver.env;
                env.sleep_until(env.now().saturating_add(self.wait)).await;
            }
            let view = self.look().await?;
            let still = view.closed();
            let kept = |(node, memory): &(&usize, &Incarnation)| still.get(*node) == Some(*memory);
            if closed.iter().filter(kept).count() < needed {
                // Too many have lost their memory meanwhile, and may have been made nodes of the old set again.
                continue;
            }
            // One node of each quorum of either set is among them, and says how far the counters have come. Where all are there and
            // so many have forgotten, nobody knows more.
            let remembering = view.remembering();
            if remembering < self.plan.after.size() && view.misses_new_nodes() {
                return Err(view.too_few(self.plan.after.size(), remembering));
            }
            let floor = if self.driver.protections.node_set_floor() { view.ceiling() } else { 0 };
            self.bring_to(&view, fleet, Stage::Settled, floor).await;
            let view = self.look().await?;
            return match view.progress()? {
                Progress::Done => Ok(()),
                _ => Err(view.too_few(self.plan.after.size(), view.settled())),
            };
        }
    }

    /// Brings every node that can be reached to this stage, one after the other, so that clients find a quorum of others
    /// meanwhile.
    async fn bring_to(&self, view: &View<'_>, fleet: u64, stage: Stage, floor: u64) {
        let charter = self.plan.charter(fleet, stage);
        let incarnation = || Incarnation::new(random_number(&*self.driver.env));
        for node in 0..self.nodes().len() {
            let Some(step) = view.step(node, charter) else { continue };
            let mark = match step {
                view::Step::Advance => Mark::Raise { floor },
                view::Step::Anew => Mark::Quarantine { incarnation: incarnation(), lasts: self.wait },
            };
            let failed = self.driver.mark([(node, MarkRequest::new(charter, mark))], PATIENCE).await;
            failed.iter().for_each(crate::telemetry::events::marker_not_changed);
        }
    }
}

/// Nodes, each with the memory that it has.
type Memories = BTreeMap<usize, Incarnation>;

impl fmt::Debug for NodeSetChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSetChange")
            .field("nodes", &self.nodes())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may contain a password.
        f.write_str(match self {
            Self::Add(_) => "Add",
            Self::Remove(_) => "Remove",
        })
    }
}
