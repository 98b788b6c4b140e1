//! Those who wait for a name stand in a queue, so that a release wakes one of them: an ephemeral sequential znode each, below
//! the name. Each watches the one before it, and the first one the lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::oneshot;
use zookeeper_client::{CreateMode, Error, EventType, OneshotWatcher, SessionState};

use super::paths::Place;
use super::record::Counter;
use super::session::Session;
use super::shared::{Phase, Shared};
use crate::id::LockName;
use crate::node::{NodeError, NodeErrorKind, Watch};

/// For how long one who was woken keeps its place without asking for the lock.
const KEEPS_PLACE: Duration = Duration::from_millis(500);

/// The places of those who were woken, until their client's next acquire for the name is answered.
#[derive(Debug, Default)]
pub(super) struct Places {
    woken: Mutex<HashMap<LockName, Vec<oneshot::Sender<()>>>>,
}

impl Places {
    /// An acquire for the name was answered: its waiters may go.
    pub(super) fn answered(&self, name: &LockName) {
        // Dropped senders tell.
        drop(self.woken().remove(name));
    }

    fn wake(&self, name: &LockName) -> oneshot::Receiver<()> {
        let (answered, answer) = oneshot::channel();
        self.woken().entry(name.clone()).or_default().push(answered);
        answer
    }

    fn tidy(&self, name: &LockName) {
        let mut woken = self.woken();
        if let Some(places) = woken.get_mut(name) {
            places.retain(|place| !place.is_closed());
            if places.is_empty() {
                woken.remove(name);
            }
        }
    }

    fn woken(&self) -> MutexGuard<'_, HashMap<LockName, Vec<oneshot::Sender<()>>>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a place in the queue; completes when nothing can be missed any more.
pub(super) async fn watch(shared: Arc<Shared>, name: LockName) -> Result<Watch, NodeError> {
    let (standing, stands) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let gone = {
        let node = Arc::clone(&shared.address);
        move || NodeError::without_effect(&node, NodeErrorKind::Disconnected, "the session has ended")
    };
    let task = Arc::clone(&shared);
    shared.env.spawn(Box::pin(async move {
        let mut waiter = Waiter { shared: task, name, standing: Some(standing), tell };
        if let Err(error) = waiter.wait().await {
            waiter.fail(error);
        }
    }));
    // `told` is part of this future: dropped, it ends the task.
    stands.await.unwrap_or_else(|_| Err(gone()))?;
    Ok(Box::pin(async move { told.await.unwrap_or_else(|_| Err(gone())) }))
}

struct Waiter {
    shared: Arc<Shared>,
    name: LockName,
    /// Until it stands.
    standing: Option<oneshot::Sender<Result<(), NodeError>>>,
    /// Closed when nobody waits any more.
    tell: oneshot::Sender<Result<(), NodeError>>,
}

/// What came first.
enum Turn {
    Changed,
    /// Nobody waits any more.
    Dropped,
    /// The session has ended, and the place with it.
    Ended,
}

impl Waiter {
    async fn wait(&mut self) -> Result<(), NodeError> {
        let session = self.shared.session().await?;
        let place = self.shared.tree.name(&self.name);
        let mine = self.line_up(&session, &place).await.map_err(|error| self.shared.failed(error))?;
        let path = place.child(&mine);
        let turn = self.until_first(&session, &place, &mine).await;
        match turn {
            Ok(Turn::Changed) => {
                let answered = self.shared.places.wake(&self.name);
                let tell = std::mem::replace(&mut self.tell, oneshot::channel().0);
                if tell.send(Ok(())).is_ok() {
                    let moment =
                        self.shared.env.sleep_until(self.shared.env.now().saturating_add(KEEPS_PLACE));
                    select(answered, moment).await;
                }
                self.shared.places.tidy(&self.name);
            }
            Ok(Turn::Dropped) => {}
            Ok(Turn::Ended) => {
                let detail = "the session has ended, and the place in the queue with it";
                return Err(self.shared.error(NodeErrorKind::Disconnected, detail));
            }
            Err(error) => {
                remove(&self.shared, session, path).await;
                return Err(self.shared.failed(error));
            }
        }
        remove(&self.shared, session, path).await;
        Ok(())
    }

    fn fail(&mut self, error: NodeError) {
        match self.standing.take() {
            Some(standing) => drop(standing.send(Err(error))),
            None => {
                let tell = std::mem::replace(&mut self.tell, oneshot::channel().0);
                drop(tell.send(Err(error)));
            }
        }
    }

    /// Joins the queue's end; returns the last part of the path.
    async fn line_up(&self, session: &Session, place: &Place) -> Result<String, Error> {
        let options = session.options(CreateMode::EphemeralSequential);
        loop {
            match session.client.create(&place.waiter(), b"", &options).await {
                Ok((_, number)) => return Ok(format!("{}{number}", Place::WAITER)),
                Err(Error::NoNode) => {
                    let (text, lasting) =
                        (Counter::default().text(), session.options(CreateMode::Persistent));
                    match session.client.create(&place.name, text.as_bytes(), &lasting).await {
                        Ok(_) => {
                            let now = self.shared.env.now();
                            self.shared.used.note(&self.name, now, Duration::ZERO, Duration::ZERO);
                        }
                        Err(Error::NodeExists) => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Until nobody is before us, and the lock is free.
    async fn until_first(
        &mut self,
        session: &Arc<Session>,
        place: &Place,
        mine: &str,
    ) -> Result<Turn, Error> {
        loop {
            let children = session.client.list_children(&place.name).await?;
            let before = before(&children, mine);
            let watched = before.map_or_else(|| place.lock.clone(), |child| place.child(child));
            let (stat, watcher) = session.client.check_and_watch_stat(&watched).await?;
            match (stat, before) {
                // Nobody has it, and it is our turn.
                (None, None) => {
                    self.stand();
                    return Ok(Turn::Changed);
                }
                // It has just gone: who is before us now?
                (None, Some(_)) => continue,
                (Some(_), _) => self.stand(),
            }
            match self.event(session, watcher).await {
                // It was extended, or has gone: the look says which.
                Turn::Changed => {}
                turn => return Ok(turn),
            }
        }
    }

    fn stand(&mut self) {
        if let Some(standing) = self.standing.take() {
            drop(standing.send(Ok(())));
        }
    }

    async fn event(&mut self, session: &Arc<Session>, watcher: OneshotWatcher) -> Turn {
        let mut phases = self.shared.phase.subscribe();
        let replaced = std::pin::pin!(async {
            let is_same = |phase: &Phase| matches!(phase, Phase::Up(now) if Arc::ptr_eq(now, session));
            drop(phases.wait_for(|phase| !is_same(phase)).await);
        });
        let changed = std::pin::pin!(watcher.changed());
        let ended = select(changed, replaced);
        match select(ended, std::pin::pin!(self.tell.closed())).await {
            Either::Left((Either::Left((event, _)), _)) if event.event_type != EventType::Session => {
                Turn::Changed
            }
            Either::Left(_) => Turn::Ended,
            Either::Right(_) => Turn::Dropped,
        }
    }
}

/// The waiter before `mine`: the last one with a lower number.
fn before<'a>(children: &'a [String], mine: &str) -> Option<&'a String> {
    let number = |child: &str| child.strip_prefix(Place::WAITER)?.parse::<i64>().ok();
    let own = number(mine)?;
    let lower = children.iter().filter_map(|child| Some((number(child)?, child)));
    lower.filter(|&(number, _)| number < own).max().map(|(_, child)| child)
}

/// Leaves the queue, as soon as there is a connection; without a session the place is gone anyway.
async fn remove(shared: &Shared, session: Arc<Session>, path: String) {
    loop {
        match session.client.delete(&path, None).await {
            Err(Error::ConnectionLoss | Error::Timeout | Error::Custom(_)) => {}
            _ => return,
        }
        let is_same = matches!(&*shared.phase.borrow(), Phase::Up(now) if Arc::ptr_eq(now, &session));
        if !is_same || session.client.state() == SessionState::Expired {
            return;
        }
        shared.env.sleep_until(shared.env.now().saturating_add(Duration::from_millis(200))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_for_the_last_one_before_it() {
        let children = ["lock", "wait-0000000009", "wait-0000000011", "wait-x", "wait-0000000002"];
        let children = children.map(str::to_owned);
        let before = |mine| before(&children, mine).map(String::as_str);
        assert_eq!(before("wait-0000000011"), Some("wait-0000000009"));
        assert_eq!(before("wait-0000000009"), Some("wait-0000000002"));
        assert_eq!(before("wait-0000000002"), None);
    }
}
