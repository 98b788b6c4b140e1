//! Runs a backend's requests on the library's own executor: for clients that need a runtime of their own kind around them.
//!
//! It keeps the promises of [`Node`](super::Node) that do not depend on the store: the first poll sends, requests about one name
//! run one after the other in the order of their first polls, a request goes on when nobody waits for it any more, it ends
//! in time, and so many at the most wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};
use tokio::sync::oneshot;

use super::{NodeError, NodeErrorKind, NodeFuture};
use crate::env::Env;
use crate::id::{Instant, LockName};

/// How many requests may wait for their answers on one node.
const MOST_WAITING: usize = 8_192;

/// The requests to one node that have not ended yet.
pub(crate) struct Dispatch {
    node: Arc<str>,
    env: Arc<dyn Env>,
    lanes: Mutex<Lanes>,
}

#[derive(Default)]
struct Lanes {
    waiting: usize,
    /// Who comes after the request about a name that came last; the queue of a name is a chain of these.
    last: HashMap<LockName, Last>,
    tickets: u64,
}

/// The request about a name that came last.
struct Last {
    ticket: u64,
    /// Ends when that request has ended.
    ended: oneshot::Receiver<()>,
}

impl Dispatch {
    pub(crate) fn new(node: &Arc<str>, env: &Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self { node: Arc::clone(node), env: Arc::clone(env), lanes: Mutex::default() })
    }

    /// Runs `work` behind all earlier requests about `name`, and gives it up at `give_up_at`: its effect is unknown then.
    /// Dropped after its first poll, the work goes on.
    pub(crate) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        name: &LockName,
        give_up_at: Instant,
        work: impl Future<Output = Result<T, NodeError>> + Send + 'static,
    ) -> NodeFuture<T> {
        let (dispatch, name) = (Arc::clone(self), name.clone());
        Box::pin(async move {
            let turn = dispatch.enter(name)?;
            let (answer, answered) = oneshot::channel();
            let (node, env) = (Arc::clone(&dispatch.node), Arc::clone(&dispatch.env));
            dispatch.env.spawn(Box::pin(async move {
                let late = env.sleep_until(give_up_at);
                let result = {
                    let mut turn = turn;
                    let in_turn = std::pin::pin!(async move {
                        turn.come().await;
                        work.await
                    });
                    match select(in_turn, late).await {
                        Either::Left((result, _)) => result,
                        Either::Right(_) => Err(given_up(&node)),
                    }
                };
                // Nobody may wait any more.
                let _ = answer.send(result);
            }));
            answered.await.unwrap_or_else(|_| Err(given_up(&dispatch.node)))
        })
    }

    /// Takes a place behind all earlier requests about this name.
    fn enter(self: &Arc<Self>, name: LockName) -> Result<Turn, NodeError> {
        let mut lanes = self.lanes();
        if lanes.waiting >= MOST_WAITING {
            let detail = format!("{MOST_WAITING} requests are waiting for this node's answers already");
            return Err(NodeError::without_effect(&self.node, NodeErrorKind::Overloaded, detail));
        }
        lanes.waiting += 1;
        lanes.tickets += 1;
        let ticket = lanes.tickets;
        let (ended, end) = oneshot::channel();
        let before = lanes.last.insert(name.clone(), Last { ticket, ended: end }).map(|last| last.ended);
        drop(lanes);
        Ok(Turn { dispatch: Arc::clone(self), name, ticket, before, _ended: ended })
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn given_up(node: &Arc<str>) -> NodeError {
    NodeError::with_unknown_effect(node, NodeErrorKind::Timeout, "no answer in time")
}

/// A place among the requests about one name; the next one's turn comes when it is dropped.
struct Turn {
    dispatch: Arc<Dispatch>,
    name: LockName,
    ticket: u64,
    before: Option<oneshot::Receiver<()>>,
    /// Dropped with it, which tells the next one.
    _ended: oneshot::Sender<()>,
}

impl Turn {
    async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // The sender is never used: it is dropped.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lanes = self.dispatch.lanes();
        lanes.waiting -= 1;
        if lanes.last.get(&self.name).is_some_and(|last| last.ticket == self.ticket) {
            lanes.last.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;
    use crate::env::RealEnv;

    fn dispatch() -> Arc<Dispatch> {
        let env: Arc<dyn Env> = Arc::new(RealEnv::start().unwrap());
        Dispatch::new(&"n".into(), &env)
    }

    fn soon() -> Instant {
        Instant::now().saturating_add(Duration::from_secs(20))
    }

    fn name(text: &str) -> LockName {
        LockName::new(text).unwrap()
    }

    #[test]
    fn requests_about_one_name_run_in_the_order_of_their_first_polls_and_others_do_not_wait() {
        let dispatch = dispatch();
        let (go, gate) = oneshot::channel::<()>();
        let log = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let log = Arc::clone(&log);
            async move {
                log.lock().unwrap().push(what);
                Ok(())
            }
        };
        let slow = note("first");
        let mut first = dispatch.run(&name("a"), soon(), async move {
            let _ = gate.await;
            slow.await
        });
        let second = dispatch.run(&name("a"), soon(), note("second"));
        assert!((&mut first).now_or_never().is_none(), "it is on its way");
        // Abandoned: it goes on.
        drop(first);
        let mut second = second;
        assert!((&mut second).now_or_never().is_none());
        block_on(dispatch.run(&name("b"), soon(), note("other"))).unwrap();
        go.send(()).unwrap();
        block_on(second).unwrap();
        assert_eq!(*log.lock().unwrap(), ["other", "first", "second"]);
    }

    #[test]
    fn what_takes_too_long_is_given_up_with_an_unknown_effect_and_does_not_hold_up_the_next() {
        let dispatch = dispatch();
        let never = dispatch.run::<()>(&name("a"), Instant::now(), std::future::pending());
        let error = block_on(never).unwrap_err();
        assert_eq!((error.kind, error.effect), (NodeErrorKind::Timeout, crate::node::Effect::Unknown));
        block_on(dispatch.run(&name("a"), soon(), async { Ok(()) })).unwrap();
        let lanes = dispatch.lanes();
        assert_eq!((lanes.waiting, lanes.last.len()), (0, 0));
    }

    #[test]
    fn no_more_than_so_many_requests_wait() {
        let dispatch = dispatch();
        let mut waiting: Vec<_> = (0..MOST_WAITING)
            .map(|_| dispatch.run::<()>(&name("a"), soon(), std::future::pending()))
            .collect();
        waiting.iter_mut().for_each(|request| assert!(request.now_or_never().is_none()));
        let error = block_on(dispatch.run(&name("b"), soon(), async { Ok(()) })).unwrap_err();
        assert_eq!((error.kind, error.effect), (NodeErrorKind::Overloaded, crate::node::Effect::None));
    }
}
