//! One request to many nodes at once, with one deadline.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;

use super::gate::Gate;
use super::{Answered, Driver};
use crate::env::Env;
use crate::id::Instant;
use crate::node::{NodeError, NodeErrorKind, NodeFuture};

/// So long, from the start of a round, an answer may be left where it is because it cannot decide anything alone: some round trips
/// between distant nodes, and short beside the time after which a connection without an answer is closed.
const PATIENCE: Duration = Duration::from_millis(50);

/// The requests of one round that are still in flight, and answers that nobody has looked at yet.
///
/// There are few nodes, so all pending requests are polled whenever one wakes the task: that is cheaper than a set of
/// futures with a waker and an allocation each. The first poll sends every request before any answer is returned.
pub(super) struct FanOut<T> {
    env: Arc<dyn Env>,
    addresses: Arc<[Arc<str>]>,
    calls: Vec<Call<T>>,
    in_flight: usize,
    /// Answers that nobody has looked at.
    ready: usize,
    /// Present where the requests need no poll between the first and their answer.
    gate: Option<(Arc<Gate>, Waker)>,
    /// Set only when there is something to wait for; it rings then.
    alarm: Option<(Instant, BoxFuture<'static, ()>)>,
    started: Instant,
    /// Requests without an answer are given up then.
    deadline: Instant,
}

struct Call<T> {
    node: usize,
    state: State<T>,
}

enum State<T> {
    InFlight(NodeFuture<T>),
    Answered(Result<T, NodeError>),
    /// Its answer was taken.
    Done,
}

impl Driver {
    /// No requests yet; those that have no answer at `deadline` are given up.
    pub(super) fn fan_out<T>(&self, started: Instant, deadline: Instant) -> FanOut<T> {
        let gate = self.may_wait_for_several.then(|| {
            let gate = Arc::new(Gate::default());
            (Arc::clone(&gate), Waker::from(gate))
        });
        FanOut {
            env: Arc::clone(&self.env),
            addresses: Arc::clone(&self.addresses),
            calls: Vec::with_capacity(self.nodes.len()),
            in_flight: 0,
            ready: 0,
            gate,
            alarm: None,
            started,
            deadline,
        }
    }
}

impl<T> FanOut<T> {
    /// Adds a request; it is sent with the next poll.
    pub(super) fn push(&mut self, node: usize, call: NodeFuture<T>) {
        self.calls.push(Call { node, state: State::InFlight(call) });
        self.in_flight += 1;
    }

    /// Takes back an answer that nobody has looked at.
    pub(super) fn put_back(&mut self, (node, answer): Answered<T>) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.node == node) {
            call.state = State::Answered(answer);
            self.ready += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight == 0 && self.ready == 0
    }

    /// The next answer, in order of arrival; `None` when every request has been answered or given up. Fewer answers than `fewest` are
    /// of no use to the caller: it need not be woken for them at once.
    pub(super) async fn next(&mut self, fewest: usize) -> Option<Answered<T>> {
        std::future::poll_fn(|context| self.poll_next(context, fewest)).await
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        fewest: usize,
    ) -> Poll<Option<Answered<T>>> {
        if self.ready == 0 {
            self.poll_calls(context, fewest);
        }
        loop {
            if let Some(answered) = self.take_answer() {
                return Poll::Ready(Some(answered));
            }
            if self.in_flight == 0 {
                return Poll::Ready(None);
            }
            let rings_at = self.alarm_at(fewest);
            match &mut self.alarm {
                Some((at, alarm)) if *at <= rings_at => {
                    let at = *at;
                    if alarm.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.alarm = None;
                    // Whatever has come meanwhile is looked at, and from now on at once.
                    self.gate = None;
                    self.poll_calls(context, 1);
                    if at >= self.deadline {
                        self.give_up();
                    }
                }
                _ => self.alarm = Some((rings_at, self.env.sleep_until(rings_at))),
            }
        }
    }

    /// An answer that is here already.
    pub(super) fn take_answer(&mut self) -> Option<Answered<T>> {
        if self.ready == 0 {
            return None;
        }
        let call = self.calls.iter_mut().find(|call| matches!(call.state, State::Answered(_)))?;
        let State::Answered(answer) = std::mem::replace(&mut call.state, State::Done) else { return None };
        self.ready -= 1;
        Some((call.node, answer))
    }

    /// When the caller is to be woken whatever has been answered.
    fn alarm_at(&self, fewest: usize) -> Instant {
        if self.gate.is_some() && fewest > 1 {
            self.deadline.min(self.started.saturating_add(PATIENCE))
        } else {
            self.deadline
        }
    }

    /// Polls everything that is in flight.
    fn poll_calls(&mut self, context: &mut Context<'_>, fewest: usize) {
        let answered = match &self.gate {
            None => poll_each(&mut self.calls, context),
            Some((gate, waker)) => {
                gate.expect(fewest.min(self.in_flight), context.waker());
                poll_each(&mut self.calls, &mut Context::from_waker(waker))
            }
        };
        self.in_flight -= answered;
        self.ready += answered;
    }

    /// Gives up what is in flight.
    fn give_up(&mut self) {
        let detail = format!("no answer within {:.1?}", self.deadline.saturating_since(self.started));
        for call in self.calls.iter_mut().filter(|call| matches!(call.state, State::InFlight(_))) {
            let Some(address) = self.addresses.get(call.node) else { continue };
            let error = NodeError::with_unknown_effect(address, NodeErrorKind::Timeout, detail.clone());
            call.state = State::Answered(Err(error));
            self.ready += 1;
        }
        self.in_flight = 0;
    }
}

/// Polls the requests that are in flight; returns how many have been answered.
fn poll_each<T>(calls: &mut [Call<T>], context: &mut Context<'_>) -> usize {
    let mut answered = 0;
    for call in calls {
        if let State::InFlight(request) = &mut call.state
            && let Poll::Ready(answer) = request.as_mut().poll(context)
        {
            call.state = State::Answered(answer);
            answered += 1;
        }
    }
    answered
}

impl<T> fmt::Debug for FanOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use futures::executor::block_on;
    use tokio::sync::oneshot;

    use super::*;
    use crate::env::RealEnv;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Five requests, and what answers each.
    fn five(env: &Arc<dyn Env>, started: Instant) -> (FanOut<usize>, Vec<oneshot::Sender<usize>>) {
        let gate = Arc::new(Gate::default());
        let mut requests = FanOut {
            env: Arc::clone(env),
            addresses: ["a", "b", "c", "d", "e"].map(Arc::from).into(),
            calls: Vec::new(),
            in_flight: 0,
            ready: 0,
            gate: Some((Arc::clone(&gate), Waker::from(gate))),
            alarm: None,
            started,
            deadline: started.saturating_add(HOUR),
        };
        let answers = (0..5).map(|node| {
            let (answer, answered) = oneshot::channel();
            let request = async move {
                match answered.await {
                    Ok(answer) => Ok(answer),
                    Err(_) => std::future::pending().await,
                }
            };
            requests.push(node, Box::pin(request));
            answer
        });
        let answers = answers.collect();
        (requests, answers)
    }

    fn env() -> Arc<dyn Env> {
        Arc::new(RealEnv::start().unwrap())
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_caller_is_woken_once_when_as_many_have_answered_as_can_decide() {
        let env = env();
        let (mut requests, answers) = five(&env, env.now());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(requests.poll_next(&mut context, 3).is_pending());
        let mut woken = Vec::new();
        for (node, answer) in answers.into_iter().enumerate().take(4) {
            answer.send(node).unwrap();
            woken.push(count.0.load(Ordering::SeqCst));
        }
        assert_eq!(woken, [0, 0, 1, 1]);
        for node in 0..4 {
            let Poll::Ready(Some((of, Ok(answer)))) = requests.poll_next(&mut context, 1) else { panic!() };
            assert_eq!((of, answer), (node, node));
        }
        assert!(requests.poll_next(&mut context, 1).is_pending());
    }

    #[test]
    fn an_answer_that_decides_nothing_is_looked_at_all_the_same_a_little_later() {
        let env = env();
        let (mut requests, mut answers) = five(&env, env.now());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(requests.poll_next(&mut context, 3).is_pending());
        answers.swap_remove(2).send(7).unwrap();
        let start = std::time::Instant::now();
        while count.0.load(Ordering::SeqCst) == 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "nobody was woken");
            std::thread::yield_now();
        }
        assert!(matches!(requests.poll_next(&mut context, 3), Poll::Ready(Some((2, Ok(7))))));
    }

    #[test]
    fn no_wake_up_is_lost_however_answers_and_looks_meet() {
        let env = env();
        // So far away that nothing else would wake the caller in a test's time.
        let started = env.now().saturating_add(HOUR);
        std::thread::scope(|scope| {
            let (threads, hands): (Vec<_>, Vec<_>) =
                (0..2).map(|_| std::sync::mpsc::channel::<(usize, oneshot::Sender<usize>)>()).unzip();
            for hand in hands {
                scope.spawn(move || hand.into_iter().for_each(|(node, answer)| answer.send(node).unwrap()));
            }
            for round in 0..5_000 {
                let (mut requests, answers) = five(&env, started);
                for (node, answer) in answers.into_iter().enumerate() {
                    threads[(node + round) % 2].send((node, answer)).unwrap();
                }
                for left in (1..=5_usize).rev() {
                    assert!(block_on(requests.next(left.min(3))).is_some());
                }
                assert!(block_on(requests.next(1)).is_none());
            }
        });
    }
}
