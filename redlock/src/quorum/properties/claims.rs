//! The account of an owner token against a small node with connections that break, lose replies and deliver late.
//!
//! The node executes the requests of one connection in order; those of an earlier connection may come at any time, also
//! behind everything that was sent later, but never after their deadline. Answers are seen in any order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use crate::id::{Incarnation, Instant};
use crate::quorum::{Answer, Claim, Quorum};

/// What can happen next. What does not apply at the time is passed over.
#[derive(Debug, Clone)]
enum Step {
    /// An acquire is sent, to be run within so many milliseconds.
    Ask { within: u64 },
    /// An extension is sent, to be run within so many milliseconds.
    Prolong { within: u64 },
    /// An extension that may give the key back is sent, unless releases have begun: to the node it is another acquire.
    Restore { within: u64 },
    /// Releases that are due are sent.
    Release { behind_awaited: bool },
    /// The node runs a request of a connection. If it is an acquire of a free name, somebody else may have been quicker;
    /// if it is a release, the node may know that nothing older is on its way.
    Run { link: usize, taken: bool, knows: bool },
    /// The client sees an answer.
    Answer { which: usize },
    /// The client gives up what it waits for: no answer in time, or the connection broke.
    GiveUp { which: usize },
    /// The connection breaks; so many of its last requests never reach the node, and answers may be lost.
    Break { lost: usize, answers_lost: bool },
    /// The node forgets everything.
    Restart,
    /// Time goes on, by so many milliseconds.
    Pass { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..20_u64).prop_map(|within| Step::Ask { within }),
        1 => (0..20_u64).prop_map(|within| Step::Prolong { within }),
        1 => (0..20_u64).prop_map(|within| Step::Restore { within }),
        4 => any::<bool>().prop_map(|behind_awaited| Step::Release { behind_awaited }),
        6 => (0..4_usize, prop::bool::weighted(0.2), any::<bool>())
            .prop_map(|(link, taken, knows)| Step::Run { link, taken, knows }),
        5 => (0..4_usize).prop_map(|which| Step::Answer { which }),
        2 => (0..4_usize).prop_map(|which| Step::GiveUp { which }),
        2 => (0..3_usize, any::<bool>()).prop_map(|(lost, answers_lost)| Step::Break { lost, answers_lost }),
        1 => Just(Step::Restart),
        3 => (0..15_u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

type Id = u32;

/// A request that the node may still run.
#[derive(Debug, Clone, Copy)]
enum Request {
    Acquire { id: Id, deadline: u64 },
    Extend { deadline: u64 },
    Release { id: Id, unsettled: Option<u64> },
}

#[derive(Debug, Clone, Copy)]
enum Answered {
    Acquire { granted: bool },
    Release { was_held: bool, settled: bool },
}

/// What the client waits for.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    Acquire { deadline: u64 },
    Release,
}

struct World {
    claim: Claim,
    now: u64,
    ttl: u64,
    /// When the owner's key on the node expires.
    key: Option<u64>,
    /// The last one is in use.
    links: Vec<VecDeque<Request>>,
    answers: Vec<(Id, Answered)>,
    waiting: BTreeMap<Id, Waiting>,
    ids: Id,
    asked: u32,
    /// A release that found the key was answered.
    found: bool,
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

impl World {
    fn new(ttl: u64) -> Self {
        Self {
            claim: Claim::new(Quorum::majority(1).unwrap()),
            now: 1_000_000,
            ttl,
            key: None,
            links: vec![VecDeque::new()],
            answers: Vec::new(),
            waiting: BTreeMap::new(),
            ids: 0,
            asked: 0,
            found: false,
        }
    }

    fn keeps_for(&self) -> Duration {
        Duration::from_millis(self.ttl)
    }

    fn next_id(&mut self) -> Id {
        self.ids += 1;
        self.ids
    }

    fn send(&mut self, request: Request) {
        self.links.last_mut().unwrap().push_back(request);
    }

    fn is_live(&self) -> bool {
        self.key.is_some_and(|expires| self.now < expires)
    }

    fn in_flight(&self) -> impl Iterator<Item = &Request> {
        self.links.iter().flatten()
    }

    /// Whether the node has a key of the owner, or an acquire on its way could still make one.
    fn something_is_left(&self) -> bool {
        let may_run =
            |request: &Request| matches!(request, Request::Acquire { deadline, .. } if self.now <= *deadline);
        self.is_live() || self.in_flight().any(may_run)
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Ask { within } => self.ask(within),
            Step::Prolong { within } => {
                let deadline = self.now + within;
                self.claim.prolonged(0, at(deadline), self.keeps_for());
                self.send(Request::Extend { deadline });
            }
            Step::Restore { within } => {
                if !self.claim.is_closing() {
                    self.ask(within);
                }
            }
            Step::Release { behind_awaited } => self.release(behind_awaited),
            Step::Run { link, taken, knows } => self.run(link % self.links.len(), taken, knows),
            Step::Answer { which } => self.see_answer(which),
            Step::GiveUp { which } => {
                let id = self.waiting.keys().nth(which % self.waiting.len().max(1)).copied();
                id.into_iter().for_each(|id| self.give_up(id));
            }
            Step::Break { lost, answers_lost } => {
                let link = self.links.last_mut().unwrap();
                link.truncate(link.len().saturating_sub(lost));
                self.links.push(VecDeque::new());
                if answers_lost {
                    self.answers.clear();
                }
            }
            Step::Restart => self.key = None,
            Step::Pass { millis } => self.now += millis,
        }
    }

    fn ask(&mut self, within: u64) {
        let (id, deadline) = (self.next_id(), self.now + within);
        self.asked += 1;
        self.claim.asked(0, at(deadline), self.keeps_for());
        self.waiting.insert(id, Waiting::Acquire { deadline });
        self.send(Request::Acquire { id, deadline });
    }

    fn release(&mut self, behind_awaited: bool) {
        for (node, unsettled) in self.claim.start_release(at(self.now), behind_awaited) {
            assert_eq!(node, 0);
            assert!(!(self.asked == 1 && self.found), "the only acquire has run, and its key was deleted");
            let id = self.next_id();
            self.waiting.insert(id, Waiting::Release);
            self.send(Request::Release { id, unsettled: unsettled.map(|at| at.as_nanos() / 1_000_000) });
        }
    }

    fn run(&mut self, link: usize, taken: bool, knows: bool) {
        let Some(request) = self.links[link].pop_front() else { return };
        let answer = match request {
            Request::Acquire { id, deadline } => {
                let granted = self.now <= deadline && (self.is_live() || !taken);
                if granted {
                    self.key = self.key.max(Some(self.now + self.ttl));
                }
                Some((id, Answered::Acquire { granted }))
            }
            Request::Extend { deadline } => {
                if self.now <= deadline && self.is_live() {
                    self.key = self.key.max(Some(self.now + self.ttl));
                }
                None
            }
            Request::Release { id, unsettled } => {
                let was_held = self.is_live();
                self.key = None;
                let settled =
                    unsettled.is_none_or(|deadline| self.now > deadline || (knows && !self.is_late()));
                Some((id, Answered::Release { was_held, settled }))
            }
        };
        // The answer to what came over a connection that is gone goes nowhere.
        if link + 1 == self.links.len() {
            self.answers.extend(answer);
        }
    }

    /// Whether an acquire that the client has given up is still on its way.
    fn is_late(&self) -> bool {
        let given_up = |request: &Request| matches!(request, Request::Acquire { id, .. } if !self.waiting.contains_key(id));
        self.in_flight().any(given_up)
    }

    fn see_answer(&mut self, which: usize) {
        if self.answers.is_empty() {
            return;
        }
        let (id, answer) = self.answers.remove(which % self.answers.len());
        if self.waiting.remove(&id).is_none() {
            return;
        }
        match answer {
            Answered::Acquire { granted: true } => self.claim.answered(0, Answer::Granted),
            Answered::Acquire { granted: false } => self.claim.answered(0, Answer::NoEffect),
            Answered::Release { was_held, settled } => {
                self.found |= was_held;
                self.claim.released(0, was_held, settled);
            }
        }
    }

    fn give_up(&mut self, id: Id) {
        match self.waiting.remove(&id) {
            Some(Waiting::Acquire { deadline }) => {
                self.claim.answered(0, Answer::GivenUp { deadline: at(deadline) });
            }
            Some(Waiting::Release) => self.claim.release_failed(0),
            None => {}
        }
    }

    /// From now on all goes well: whatever is under way ends, and every release is answered.
    fn calm_down(&mut self) {
        for link in 0..self.links.len() {
            while !self.links[link].is_empty() {
                self.run(link, false, false);
            }
        }
        while !self.answers.is_empty() {
            self.see_answer(0);
        }
        let lost: Vec<_> = self.waiting.keys().copied().collect();
        lost.into_iter().for_each(|id| self.give_up(id));
    }
}

/// A short one, so that keys expire on the way, and one that never does.
const TTLS: [u64; 2] = [15, LONG];
const LONG: u64 = 100_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_000, ..ProptestConfig::default() })]

    #[test]
    fn a_settled_claim_has_left_nothing_that_is_or_can_come(
        ttl in prop::sample::select(&TTLS[..]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(ttl);
        for step in &steps {
            world.take(step);
            if world.claim.is_settled(at(world.now)) {
                prop_assert!(!world.something_is_left(), "settled, and yet something is left");
            }
        }
    }

    #[test]
    fn a_claim_settles_once_releases_are_answered(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(LONG);
        steps.iter().for_each(|step| world.take(step));
        world.calm_down();
        // Every deadline passes.
        world.now += 100;
        for _ in 0..2 {
            world.release(true);
            world.calm_down();
        }
        prop_assert!(world.claim.is_settled(at(world.now)), "{:?}", world.claim);
        prop_assert!(!world.something_is_left());
        prop_assert!(world.claim.start_release(at(world.now), true).is_empty());
    }
}

fn one_node() -> Claim {
    Claim::new(Quorum::majority(1).unwrap())
}

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// A claim with one acquire that is still awaited, and its deadline.
fn asked() -> (Claim, Instant) {
    let (mut claim, deadline) = (one_node(), NOW.saturating_add(SECOND));
    claim.asked(0, deadline, 10 * SECOND);
    (claim, deadline)
}

#[test]
fn a_release_that_found_its_stragglers_key_needs_no_second_one() {
    for straggler in [Answer::Granted, Answer::GivenUp { deadline: NOW.saturating_add(SECOND) }] {
        let (mut claim, _) = asked();
        assert_eq!(claim.start_release(NOW, false), [], "not before it is answered, if that is wanted");
        assert_eq!(claim.start_release(NOW, true), [(0, None)]);
        claim.released(0, true, true);
        assert_eq!(claim.start_release(NOW, true), []);
        assert!(!claim.is_settled(NOW));
        claim.answered(0, straggler);
        assert!(claim.is_settled(NOW));

        let (mut claim, _) = asked();
        assert_eq!(claim.start_release(NOW, true), [(0, None)]);
        claim.answered(0, straggler);
        claim.released(0, true, true);
        assert!(claim.is_settled(NOW), "also when its answer comes first");
    }
}

#[test]
fn a_release_that_was_sent_before_an_acquire_was_given_up_does_not_settle_it() {
    // The connection broke, and the release overtook the acquire over a new one.
    let (mut claim, deadline) = asked();
    assert_eq!(claim.start_release(NOW, true), [(0, None)]);
    claim.answered(0, Answer::GivenUp { deadline });
    claim.released(0, false, true);
    assert!(!claim.is_settled(NOW));
    assert_eq!(claim.start_release(NOW, true), [(0, Some(deadline))]);
    claim.released(0, false, false);
    assert!(!claim.is_settled(NOW), "it may still be run");
    assert_eq!(claim.start_release(NOW, true), [(0, Some(deadline))]);
    claim.released(0, false, true);
    assert!(claim.is_settled(NOW));
}

#[test]
fn a_grant_that_came_after_the_release_was_sent_needs_one_of_its_own() {
    let (mut claim, _) = asked();
    assert_eq!(claim.start_release(NOW, true), [(0, None)]);
    claim.answered(0, Answer::Granted);
    claim.released(0, false, true);
    assert!(!claim.is_settled(NOW));
    assert_eq!(claim.start_release(NOW, false), [(0, None)]);
    claim.released(0, false, true);
    assert!(claim.is_settled(NOW), "this one was sent behind it");
}

#[test]
fn what_a_release_found_says_nothing_of_an_acquire_that_was_sent_later() {
    let (mut claim, deadline) = asked();
    assert_eq!(claim.start_release(NOW, true), [(0, None)]);
    claim.released(0, true, true);
    claim.asked(0, deadline, 10 * SECOND);
    // This is the second one's end; the first one's comes behind it.
    claim.answered(0, Answer::GivenUp { deadline });
    claim.answered(0, Answer::Granted);
    assert_eq!(claim.start_release(NOW, true), [(0, Some(deadline))]);
    claim.released(0, false, false);
    assert!(!claim.is_settled(NOW));
}

#[test]
fn several_acquires_that_were_given_up_are_settled_after_the_latest_deadline() {
    let (mut claim, earlier) = asked();
    let later = earlier.saturating_add(SECOND);
    claim.asked(0, later, 10 * SECOND);
    claim.answered(0, Answer::GivenUp { deadline: later });
    claim.answered(0, Answer::GivenUp { deadline: earlier });
    assert_eq!(claim.start_release(NOW, true), [(0, Some(later))]);
    claim.released(0, true, false);
    assert!(!claim.is_settled(NOW), "the key was one's, and the other may still be run");
}

#[test]
fn nothing_is_owed_once_everything_has_expired() {
    let (mut claim, deadline) = asked();
    claim.answered(0, Answer::Granted);
    let gone = deadline.saturating_add(10 * SECOND);
    let before = gone.saturating_sub(Duration::from_nanos(1));
    assert!(!claim.is_settled(before));
    assert!(claim.is_settled(gone));
    assert_eq!(claim.start_release(gone, true), []);
    claim.prolonged(0, gone, 10 * SECOND);
    assert!(!claim.is_settled(gone));
    assert_eq!(claim.start_release(gone, true), [(0, None)]);
    assert_eq!(claim.start_release(gone, true), [], "one at a time");
    claim.release_failed(0);
    assert_eq!(claim.start_release(gone, true), [(0, None)], "and again, until it is answered");
}

#[test]
fn each_node_is_accounted_for_by_itself() {
    let mut claim = Claim::new(Quorum::majority(3).unwrap());
    let deadline = NOW.saturating_add(SECOND);
    (0..3).for_each(|node| claim.asked(node, deadline, 10 * SECOND));
    claim.answered(0, Answer::Granted);
    claim.answered(1, Answer::NoEffect);
    claim.answered(2, Answer::GivenUp { deadline });
    assert_eq!(claim.start_release(NOW, true), [(0, None), (2, Some(deadline))]);
    claim.released(0, true, true);
    assert!(!claim.is_settled(NOW));
    claim.released(2, false, true);
    assert!(claim.is_settled(NOW));
    // Strangers change nothing.
    claim.asked(3, deadline, SECOND);
    claim.answered(3, Answer::Granted);
    claim.released(usize::MAX, true, true);
    claim.release_failed(3);
    assert!(claim.is_settled(NOW));
}

#[test]
fn without_the_safeguard_what_was_given_up_is_forgotten() {
    let (mut claim, deadline) = asked();
    claim.answered(0, Answer::GivenUp { deadline });
    claim.forget_given_up();
    assert!(claim.is_settled(NOW));
    assert_eq!(claim.start_release(NOW, true), []);
}

#[test]
fn a_key_is_given_back_to_a_memory_that_never_had_it_and_to_no_other() {
    let [one, other] = [1, 2].map(|number| Some(Incarnation::new(number)));
    let mut claim = one_node();
    assert!(claim.may_restore(0, one) && claim.may_restore(0, None), "it never voted");
    claim.granted_in(0, one);
    assert!(!claim.may_restore(0, one), "it has lost the key alone");
    assert!(claim.may_restore(0, other));
    assert!(!claim.may_restore(0, None), "nobody knows");
    claim.granted_in(0, other);
    assert!(claim.may_restore(0, one) && !claim.may_restore(0, other));
    claim.granted_in(0, None);
    assert!(!claim.may_restore(0, one), "it does not say what it has lost");
}

#[test]
fn a_node_whose_answer_is_awaited_may_have_voted() {
    let (mut claim, deadline) = asked();
    assert!(!claim.may_restore(0, None));
    claim.answered(0, Answer::GivenUp { deadline });
    assert!(claim.may_restore(0, None));
}

#[test]
fn a_claim_is_closing_once_releases_have_begun() {
    let mut claim = one_node();
    assert!(!claim.is_closing());
    claim.start_release(NOW, true);
    assert!(claim.is_closing());
}
