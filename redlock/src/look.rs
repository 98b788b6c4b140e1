//! A look at who holds a lock: what each node shows of a name, and what they come to together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{Answered, Driver};
use crate::env::Env;
use crate::holder::Holder;
use crate::id::{Charter, FencingToken, LockName};
use crate::node::{
    ClockReading, Description, Identity, Inspection, Node, NodeError, NodeErrorKind, OwnerId, Standing,
};
use crate::quorum::Quorum;

/// What the nodes show of a name, from [`Locks::look`](crate::Locks::look): a moment that is over when it is returned. For people
/// and for reports; whoever wants to know whether it *has* a lock asks its guard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockView {
    /// The lock.
    pub name: LockName,
    /// How many nodes there are, and how many must grant.
    pub quorum: Quorum,
    /// Every node, in the order in which they were given.
    pub nodes: Vec<NodeView>,
    /// The wall clock of this machine at the look, in milliseconds since 1970.
    pub at: u64,
}

/// What one node shows of a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeView {
    /// The node's address, without credentials.
    pub address: Arc<str>,
    /// What is known of its memory: whether it may grant.
    pub standing: Standing,
    /// Who has the name there; or why it did not say. [`Locks::look`](crate::Locks::look) does not wait for a node whose answer
    /// changes nothing: then that is the reason, of the kind [`NodeErrorKind::Timeout`](crate::node::NodeErrorKind::Timeout).
    pub answer: Result<Inspection, NodeError>,
}

/// The nodes as they are, and what they show of some names, from [`LocksBuilder::view`](crate::LocksBuilder::view).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FleetView {
    /// How many nodes there are, and how many must grant.
    pub quorum: Quorum,
    /// The number of the node set that is configured.
    pub node_set: u64,
    /// Every node, in the order in which they were given.
    pub nodes: Vec<NodeState>,
    /// What was asked for, in that order.
    pub locks: Vec<LockView>,
}

/// One node as it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeState {
    /// The node's address, without credentials.
    pub address: Arc<str>,
    /// Who it is; or why it cannot be reached.
    pub identity: Result<Identity, NodeError>,
    /// What is known of its memory: whether it may grant.
    pub standing: Standing,
    /// How long it grants nothing new yet, by its own clock; `None`: it is not in quarantine.
    pub quarantined_for: Option<Duration>,
    /// How far its clock is ahead of this machine's wall clock, in microseconds, give or take half a round trip; `None` where it tells
    /// no time of day.
    pub clock_ahead: Option<i64>,
}

/// Who holds a lock by the word of a quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holding {
    /// Who it is, if it says so.
    pub holder: Option<Holder>,
    /// How long it has been held, by the holder's wall clock and ours.
    pub held_for: Option<Duration>,
    /// For how long a quorum of nodes keeps it unless it is renewed; `None`: without an end.
    pub remaining: Option<Duration>,
    /// A quorum of the holder's nodes has counted this far. The holder's token is this, or a smaller one where it may hand the lock
    /// over within its process; the next holder's is greater.
    pub token: Option<FencingToken>,
    /// How many nodes it has, of those that have answered.
    pub votes: usize,
}

impl LockView {
    /// Who holds it: one owner on a quorum of nodes. `None` if nobody does, or too few nodes answered to say.
    pub fn holder(&self) -> Option<Holding> {
        Holding::of(self.answers(), self.quorum, self.at)
    }

    /// Whether it could be had now: a quorum of nodes that may grant say that nobody has it there.
    pub fn is_free(&self) -> bool {
        self.nodes.iter().filter(|node| node.is_free()).count() >= self.quorum.size()
    }

    /// Whether nobody holds it for certain: no owner can have a quorum, whatever those nodes have that did not say. A node that has
    /// forgotten what it kept says nothing either: what it does not show may be given back to its owner.
    pub fn is_held_by_nobody(&self) -> bool {
        let owner = |node: &NodeView| node.answer.as_ref().ok().and_then(|answer| answer.owner);
        let most = OwnerId::most(self.nodes.iter().filter_map(owner));
        let is_open = |node: &&NodeView| match &node.answer {
            Err(_) => true,
            Ok(answer) => (answer.held && answer.owner.is_none()) || (!answer.held && !node.may_grant()),
        };
        most + self.nodes.iter().filter(is_open).count() < self.quorum.size()
    }

    /// Whether a quorum of nodes has answered.
    pub fn is_known(&self) -> bool {
        self.answers().count() >= self.quorum.size()
    }

    /// Whether so many more answers could not change who holds it, nor whether it is free.
    fn is_settled(&self, more: usize) -> bool {
        let could_be_free =
            || self.nodes.iter().filter(|node| node.is_free()).count() + more >= self.quorum.size();
        self.holder().is_some() || self.is_free() || (self.is_held_by_nobody() && !could_be_free())
    }

    fn answers(&self) -> impl Iterator<Item = &Inspection> {
        self.nodes.iter().filter_map(|node| node.answer.as_ref().ok())
    }
}

impl Holding {
    /// What so many nodes' answers come to.
    fn of<'a>(answers: impl Iterator<Item = &'a Inspection>, quorum: Quorum, at: u64) -> Option<Self> {
        let held: Vec<&Inspection> = answers.filter(|answer| answer.held && answer.owner.is_some()).collect();
        let of = |owner: Option<OwnerId>| held.iter().filter(move |answer| answer.owner == owner);
        let owner = held.iter().map(|answer| answer.owner).max_by_key(|&owner| of(owner).count())?;
        let votes = of(owner).count();
        if votes < quorum.size() {
            return None;
        }
        // So many nodes have at least that.
        let last = quorum.size() - 1;
        let left = nth_largest(of(owner).map(|answer| answer.remaining.unwrap_or(Duration::MAX)), last);
        let remaining = left.filter(|left| *left < Duration::MAX);
        let counter = nth_largest(of(owner).filter_map(|answer| answer.counter), last);
        // Some may know it as the last renewal said it, and others as the one before: what most say.
        let said: Vec<&Description> = of(owner).filter_map(|answer| answer.description.as_ref()).collect();
        let most = said.iter().max_by_key(|one| said.iter().filter(|other| other == one).count());
        let holder = most.map(|&most| Holder::from(most));
        let since = holder.as_ref().and_then(|holder| holder.since);
        let held_for = since.map(|since| Duration::from_millis(at.saturating_sub(since)));
        Some(Self { holder, held_for, remaining, token: counter.and_then(FencingToken::new), votes })
    }
}

fn nth_largest<T: Ord + Copy>(all: impl Iterator<Item = T>, n: usize) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable_by(|one, other| other.cmp(one));
    all.get(n).copied()
}

impl NodeView {
    /// Whether it grants new locks, as far as its memory is concerned.
    pub fn may_grant(&self) -> bool {
        match self.standing {
            Standing::Unguarded => true,
            Standing::Marked(marker) => marker.floor.is_some(),
            _ => false,
        }
    }

    /// Whether it says that nobody has the name there, and would grant it.
    fn is_free(&self) -> bool {
        self.may_grant() && matches!(&self.answer, Ok(answer) if !answer.held)
    }
}

impl FleetView {
    /// How many nodes have answered.
    pub fn reached(&self) -> usize {
        self.nodes.iter().filter(|node| node.identity.is_ok()).count()
    }

    /// Whether a quorum of nodes has answered.
    pub fn has_quorum(&self) -> bool {
        self.reached() >= self.quorum.size()
    }

    /// The nodes that refuse clients with this configuration, since they are nodes of another set: the configuration was not
    /// changed with them, or they were away when the set was.
    pub fn of_other_sets(&self) -> impl Iterator<Item = &NodeState> {
        self.nodes.iter().filter(|node| node.is_of_another_set(self.node_set))
    }
}

impl NodeState {
    /// The number of the node set that it is a node of, as its marker says; `None`: it has none.
    pub fn node_set(&self) -> Option<u64> {
        Some(self.charter()?.epoch)
    }

    /// Whether it refuses clients that are configured with the node set of this number.
    pub fn is_of_another_set(&self, node_set: u64) -> bool {
        self.charter().is_some_and(|charter| !charter.serves(node_set))
    }

    fn charter(&self) -> Option<Charter> {
        match self.standing {
            Standing::Marked(marker) => Some(marker.charter),
            _ => None,
        }
    }

    pub(crate) fn of(node: &dyn Node, identity: Result<Identity, NodeError>, env: &dyn Env) -> Self {
        let (standing, clock) = (node.standing(), node.clock());
        let now = env.now();
        let left = |until: u64| {
            let now = clock.map_or(until, |clock| clock.at(now));
            Duration::from_micros(until.saturating_sub(now))
        };
        let quarantined_for = match standing {
            Standing::Marked(marker) if marker.floor.is_none() => Some(left(marker.until)),
            _ => None,
        };
        let of_day = clock.filter(|_| node.abilities().settable_clock && identity.is_ok());
        let ahead = |clock: ClockReading| {
            let [theirs, ours] =
                [clock.at(now), env.wall_micros()].map(|at| i64::try_from(at).unwrap_or(i64::MAX));
            theirs.saturating_sub(ours)
        };
        let (address, clock_ahead) = (node.address().into(), of_day.map(ahead));
        Self { address, identity, standing, quarantined_for, clock_ahead }
    }
}

impl fmt::Display for Holding {
    /// Such as `held by web-3 pid 812 for 4.2 s, 2.1 s left`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "held by {holder}")?,
            None => f.write_str("held by somebody who does not say who")?,
        }
        if let Some(held_for) = self.held_for {
            write!(f, " for {}", Seconds(held_for))?;
        }
        match self.remaining {
            Some(remaining) => write!(f, ", {} left", Seconds(remaining)),
            None => f.write_str(", without an end"),
        }
    }
}

/// For people: `4.2 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1} s", self.0.as_millis() as f64 / 1_000.0),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        }
    }
}

/// Looks at a name on every node, and waits for all.
pub(crate) async fn look_at_all(driver: &Driver, name: LockName, patience: Duration) -> LockView {
    let answers = driver.inspect(&name, patience, |_| false).await;
    view(driver, name, answers)
}

/// Looks at a name on every node, and waits for no more of them than it takes to say who holds it.
pub(crate) async fn look(driver: &Driver, name: LockName, patience: Duration) -> LockView {
    let is_enough = |answers: &[Answered<Inspection>]| {
        let more = driver.nodes().len() - answers.len();
        answers.len() >= driver.quorum.size() && view(driver, name.clone(), answers.to_vec()).is_settled(more)
    };
    let answers = driver.inspect(&name, patience, is_enough).await;
    view(driver, name, answers)
}

fn view(driver: &Driver, name: LockName, mut answers: Vec<Answered<Inspection>>) -> LockView {
    let at = driver.env.wall_micros() / 1_000;
    let node = |(index, node): (usize, &Arc<dyn Node>)| {
        let address: Arc<str> = node.address().into();
        let answered = answers.iter().position(|&(of, _)| of == index);
        let answer = answered.map(|at| answers.swap_remove(at).1).unwrap_or_else(|| {
            Err(NodeError::without_effect(
                &address,
                NodeErrorKind::Timeout,
                "not waited for: it changes nothing",
            ))
        });
        NodeView { address, standing: node.standing(), answer }
    };
    let nodes = driver.nodes().iter().enumerate().map(node).collect();
    LockView { name, quorum: driver.quorum, nodes, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(answers: Vec<Result<Inspection, NodeError>>) -> LockView {
        let quorum = Quorum::majority(answers.len()).unwrap();
        let node = |answer| NodeView { address: "n".into(), standing: Standing::Unguarded, answer };
        let nodes = answers.into_iter().map(node).collect();
        LockView { name: LockName::new("x").unwrap(), quorum, nodes, at: 10_000 }
    }

    fn held(by: &[u8], left: u64, counter: u64) -> Result<Inspection, NodeError> {
        let said = Description::new("web-3 812 5800");
        let left = Some(Duration::from_millis(left));
        Ok(Inspection::new(true, left)
            .with_counter(Some(counter))
            .of_owner(OwnerId::of_stored(by), Some(said)))
    }

    fn free() -> Result<Inspection, NodeError> {
        Ok(Inspection::new(false, None))
    }

    fn silent() -> Result<Inspection, NodeError> {
        Err(NodeError::without_effect(&"n".into(), NodeErrorKind::Unreachable, "gone"))
    }

    #[test]
    fn who_has_a_quorum_holds_it_for_as_long_as_a_quorum_keeps_it() {
        let view = view(vec![
            held(b"a", 9_000, 7),
            held(b"b", 9_500, 9),
            held(b"a", 2_100, 7),
            held(b"a", 8_000, 6),
            silent(),
        ]);
        let holding = view.holder().unwrap();
        assert_eq!(holding.to_string(), "held by web-3 pid 812 for 4.2 s, 2.1 s left");
        assert_eq!((holding.votes, holding.token.map(FencingToken::get)), (3, Some(6)));
        assert!(view.is_known() && !view.is_free());
    }

    #[test]
    fn without_a_quorum_nobody_holds_it_and_it_may_be_free_or_unknown() {
        let split = view(vec![held(b"a", 1, 1), held(b"b", 1, 1), free()]);
        assert!(split.holder().is_none() && split.is_known() && !split.is_free());
        let unknown = view(vec![held(b"a", 1, 1), silent(), silent()]);
        assert!(unknown.holder().is_none() && !unknown.is_known() && !unknown.is_free());
        let mut open = view(vec![held(b"a", 1, 1), free(), free()]);
        assert!(open.holder().is_none() && open.is_free());
        open.nodes[2].standing = Standing::Unmarked(None);
        assert!(!open.is_free(), "a node without a memory grants nothing");
    }

    #[test]
    fn a_look_is_over_when_no_further_answer_could_change_what_it_says() {
        let not_yet = silent;
        let settled = |answers: Vec<_>, more| view(answers).is_settled(more);
        let (a, b) = (|| held(b"a", 1, 1), || held(b"b", 1, 1));
        assert!(settled(vec![a(), b(), a(), a(), not_yet()], 1), "it has a majority");
        assert!(settled(vec![free(), free(), free(), not_yet(), not_yet()], 2), "nobody can have one");
        assert!(!settled(vec![a(), a(), free(), free(), not_yet()], 1), "the last node may be the third");
        assert!(!settled(vec![a(), b(), free(), free(), not_yet()], 1), "it may be free, or not");
        assert!(settled(vec![a(), a(), b(), b(), free()], 0) && settled(vec![a(), b(), a(), b(), b()], 0));
        assert!(settled(vec![a(), b(), held(b"c", 1, 1), free(), not_yet()], 1), "one each, and one free");
        let mut forgetful = view(vec![free(), free(), free(), not_yet(), not_yet()]);
        forgetful.nodes[0].standing = Standing::Unmarked(None);
        assert!(
            !forgetful.is_held_by_nobody() && !forgetful.is_settled(2),
            "what it forgot may be given back"
        );
        forgetful.nodes[3].answer = free();
        assert!(forgetful.is_held_by_nobody() && forgetful.is_settled(1));
    }

    #[test]
    fn locks_whose_owner_is_not_told_are_nobodys() {
        let anonymous = || Ok(Inspection::new(true, None));
        assert!(view(vec![anonymous(), anonymous(), anonymous()]).holder().is_none());
    }

    #[test]
    fn times_are_for_people() {
        let shown = |millis| Seconds(Duration::from_millis(millis)).to_string();
        assert_eq!(
            [2_140, 185_000, 7_800_000, 442_800_000].map(shown),
            ["2.1 s", "3 min 5 s", "2 h 10 min", "5 d 3 h"]
        );
    }
}
