//! A directory as a node: a lock between the processes of one machine.
//!
//! Each lock is a small text file, which is looked at and changed under flock(2). Times in it are of `CLOCK_BOOTTIME`, the
//! clock of all its users, so that TTLs and deadlines are exact. What holds:
//!
//! * A holder that is killed (`kill -9`) keeps others out until its TTL has passed. Whenever it is killed, the record is the old
//!   or the new one. A record that is neither, because somebody else wrote to the file, is never taken for a free lock: an
//!   error names the file.
//! * After a reboot all locks are free, since their holders are gone; fencing tokens go on from where they were, also after a
//!   power failure and whatever the wall clock shows then. For that one number is synced to disk, once in a minute of use or
//!   so, ahead of its need; no lock waits for a disk.
//! * Files of locks that are not used any more are removed as new ones come, each after its fencing retention.
//! * Users of one directory must have one clock. Network file systems are refused as far as they are known, and so are processes of
//!   another time namespace while one of the first is there.
//! * Removing the directory frees its locks, whoever holds them.
//!
//! Waiters are woken by inotify(7) on Linux; elsewhere, and where the machine has no inotify left, they ask now and then.
//!
//! Files get the permissions of the directory. One that is created here is for its user alone; for several users, make it
//! beforehand, for a group of theirs: `install -d -m 2770 -g GROUP /run/lock/orders`.

mod carry;
mod config;
mod fault;
mod machine;
mod name;
#[cfg(target_os = "linux")]
mod notify;
mod open;
mod place;
mod record;
mod rules;
mod table;

use std::sync::Arc;
use std::time::Duration;

pub use config::{FileConfig, FileConfigError};

use crate::env::Env;
use crate::id::{Instant, LockName};
use crate::node::watchers::Watchers;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Durability, Examination, ExtendRequest, FindingKind, Identity,
    Inspection, LateRequests, Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest,
    Released, Reply, Severity, Watch,
};
use crate::protections::Protections;
use carry::carried;
use fault::Outcome;
use name::Key;
use open::Opening;
use place::{LEAD, Place};
use record::Record;
use rules::{Decision, Moment};
use table::Found;

/// A directory as a node. See the [module](self).
#[derive(Debug)]
pub struct FileNode {
    address: Arc<str>,
    prefix: String,
    env: Arc<dyn Env>,
    protections: Protections,
    opening: Arc<Opening>,
    /// One request at a time for each name, in the order in which they were begun.
    turns: Vec<tokio::sync::Mutex<()>>,
    watchers: Arc<Watchers<LockName, ()>>,
    #[cfg(target_os = "linux")]
    notifier: std::sync::Mutex<Option<notify::Notifier>>,
}

/// Names share so many turns.
const TURNS: usize = 64;
/// How soon a file is looked at again that somebody else is looking at; then twice as long, up to the second.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// How long a request without a deadline goes on.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one look at a file comes to.
enum Step<T> {
    Done(T),
    /// Somebody else is looking at it, or it has changed meanwhile.
    Again,
    /// The counter would go beyond what is reserved.
    Reserve(u64),
}

impl FileNode {
    /// A node for this directory. Nothing is opened yet: [`Node::probe`] does it, or the first request.
    ///
    /// # Errors
    /// [`FileConfigError`] if the path cannot be one.
    pub fn start(
        config: FileConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, FileConfigError> {
        let opening = Opening::new(config.directory()?, config.given_machine().cloned(), Arc::clone(&env));
        Ok(Arc::new(Self {
            address: config.address().into(),
            prefix: config.key_prefix().to_owned(),
            env,
            protections,
            opening: Arc::new(opening),
            turns: std::iter::repeat_with(Default::default).take(TURNS).collect(),
            watchers: Arc::default(),
            #[cfg(target_os = "linux")]
            notifier: std::sync::Mutex::default(),
        }))
    }

    fn key(&self, name: &LockName) -> Key {
        Key::new(&self.prefix, name.as_bytes())
    }

    /// Looks at the file of `key`, again and again until `step` is done or it is too late. Once begun it goes on, whoever polls
    /// it: others wait for its turn to end.
    async fn perform<T: Send + 'static>(
        self: &Arc<Self>,
        key: Key,
        deadline: Option<Instant>,
        step: impl Fn(&Self, &Place, &Key) -> Outcome<Step<T>> + Send + Sync + 'static,
    ) -> Result<T, NodeError> {
        let node = Arc::clone(self);
        let done = carried(&*self.env, async move { node.take_turn(&key, deadline, step).await });
        done.await.unwrap_or_else(|| Err(open::ended().into_error(&self.address)))
    }

    async fn take_turn<T>(
        &self,
        key: &Key,
        deadline: Option<Instant>,
        step: impl Fn(&Self, &Place, &Key) -> Outcome<Step<T>>,
    ) -> Result<T, NodeError> {
        let _turn = match self.turns.get(key.number() % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let failed = |fault: fault::Fault| {
            if fault.is_removed {
                // There may be another one by now. Not for any other fault: as long as it is open, nobody with another clock
                // throws out our locks.
                self.opening.close();
            }
            fault.into_error(&self.address)
        };
        let place = self.opening.place().await.map_err(failed)?;
        let give_up_at = deadline.unwrap_or_else(|| self.env.now().saturating_add(PATIENCE));
        let mut pause = FIRST_PAUSE;
        loop {
            match step(self, &place, key).map_err(failed)? {
                Step::Done(value) => {
                    self.opening.reserve_ahead(&place, self.env.wall_micros());
                    return Ok(value);
                }
                Step::Reserve(counter) => self.opening.reserve(&place, counter).await.map_err(failed)?,
                Step::Again => {
                    let now = self.env.now();
                    if now > give_up_at {
                        let path = place.path(key);
                        let problem = format!(
                            "{} was locked by another process all the time; is one of them stopped?",
                            path.display()
                        );
                        let kind = NodeErrorKind::Timeout;
                        return Err(NodeError::without_effect(&self.address, kind, problem));
                    }
                    self.env.sleep_until(now.saturating_add(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Has the vote of `decide` written by its deadline.
    async fn decide(
        self: &Arc<Self>,
        key: Key,
        deadline: Instant,
        decide: impl Fn(Moment, &Record) -> Decision<Reply> + Send + Sync + 'static,
    ) -> Result<Reply, NodeError> {
        self.perform(key, Some(deadline), move |node, place, key| node.change(place, key, &decide)).await
    }

    /// Decides on what is there, and writes what was decided.
    fn change<T>(
        &self,
        place: &Place,
        key: &Key,
        decide: impl Fn(Moment, &Record) -> Decision<T>,
    ) -> Outcome<Step<T>> {
        let found = place.take(key, || self.env.now())?;
        let record = match &found {
            Found::Busy => return Ok(Step::Again),
            Found::Nothing => Record::default(),
            Found::Locked(locked) => locked.record.clone(),
        };
        let floor = if record.counter == 0 { place.floor()? } else { 0 };
        let (now, wall) = (self.env.now(), self.env.wall_micros());
        let (value, new) = decide(Moment { now, wall, floor, protections: self.protections }, &record);
        let Some(new) = new else { return Ok(Step::Done(value)) };
        if new.counter > place.mark() {
            return Ok(Step::Reserve(new.counter));
        }
        match found {
            Found::Locked(locked) => locked.write(key, &new)?,
            _ => {
                place.sweep(now);
                let Some(made) = place.create(key, new)? else { return Ok(Step::Again) };
                if place.floor()? != floor {
                    // While this process was held up, the lock may have been used and forgotten again.
                    made.write(key, &Record { written: now, ..Record::default() })?;
                    return Ok(Step::Again);
                }
            }
        }
        Ok(Step::Done(value))
    }

    /// What is there, and now.
    async fn look(self: &Arc<Self>, name: &LockName) -> Result<(Record, Instant), NodeError> {
        self.perform(self.key(name), None, |node, place, key| {
            Ok(match place.take(key, || node.env.now())? {
                Found::Busy => Step::Again,
                Found::Nothing => Step::Done((Record::default(), node.env.now())),
                Found::Locked(locked) => Step::Done((locked.record, node.env.now())),
            })
        })
        .await
    }

    fn cannot_tell(&self, error: &dyn std::fmt::Display) -> NodeError {
        let problem = format!("no notice of changes to files: {error}; waiters ask now and then");
        NodeError::without_effect(&self.address, NodeErrorKind::Unsupported, problem)
    }

    /// Completes when `name` is free.
    #[cfg(target_os = "linux")]
    async fn until_free(
        self: Arc<Self>,
        name: LockName,
        mut first: Option<notify::Ticket>,
    ) -> Result<(), NodeError> {
        let mut watcher = self.watchers.watch(name.clone());
        loop {
            watcher.look_anew();
            let ticket = match first.take() {
                Some(ticket) => ticket,
                None => match self.ticket(&name).await? {
                    Some(ticket) => ticket,
                    None => return Ok(()),
                },
            };
            let (record, now) = self.look(&name).await?;
            let Some(left) = record.left(now) else { return Ok(()) };
            let expires = self.env.sleep_until(now.saturating_add(left));
            tokio::select! {
                biased;
                // It may have been extended, or taken again: it is looked at once more.
                () = watcher.told() => {}
                () = expires => {}
            }
            drop(ticket);
        }
    }

    /// A watch on the file of `name`; `None` if there is none.
    #[cfg(target_os = "linux")]
    async fn ticket(&self, name: &LockName) -> Result<Option<notify::Ticket>, NodeError> {
        let place = self.opening.place().await.map_err(|fault| fault.into_error(&self.address))?;
        let path = place.path(&self.key(name));
        let mut notifier = self.notifier.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let running = match notifier.take() {
            Some(running) => running,
            None => notify::Notifier::start(&self.env, &self.watchers)
                .map_err(|error| self.cannot_tell(&error))?,
        };
        notifier.insert(running).watch(name, &path).map_err(|error| self.cannot_tell(&error))
    }
}

impl Node for FileNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            fencing: true,
            ttl_granularity: Duration::ZERO,
            longest_ttl: None,
            notification: cfg!(target_os = "linux"),
            durability: Durability::Durable,
            late_requests: LateRequests::Refused,
            steps: 1,
            settable_clock: false,
            descriptions: true,
            wakes_when_answered: false,
        }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move {
            let failed = |fault: fault::Fault| fault.into_error(&self.address);
            let place = self.opening.place().await.map_err(failed)?;
            let ceiling = place.read_mark().map_err(failed)?;
            Ok(Identity {
                instance: Some(format!("directory {}", place.instance)),
                ceiling: Some(ceiling),
                ..Identity::default()
            })
        })
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (key, deadline) = (self.key(&request.name), request.deadline);
            self.decide(key, deadline, move |moment, record| moment.acquire(record, &request)).await
        })
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (key, deadline) = (self.key(&request.name), request.deadline);
            self.decide(key, deadline, move |moment, record| moment.extend(record, &request)).await
        })
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (key, deadline) = (self.key(&request.name), request.deadline);
            self.decide(key, deadline, move |moment, record| moment.raise(record, &request)).await
        })
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            let (key, unsettled) = (self.key(&request.name), request.unsettled);
            let step = move |node: &Self, place: &Place, key: &Key| {
                let step = node.change(place, key, |moment, record| moment.release(record, &request))?;
                if matches!(step, Step::Done(true)) {
                    // Those of this process need not wait for the system to tell.
                    node.watchers.tell(&request.name, ());
                }
                Ok(step)
            };
            let was_held = self.perform(key, None, step).await?;
            // Whatever lies between the caller and this node may still deliver a request until its deadline.
            let now = self.env.now();
            Ok(Released::new(was_held, unsettled.is_none_or(|deadline| now > deadline)))
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Box::pin(async move {
            let (record, now) = self.look(&name).await?;
            let left = record.left(now);
            let counter = Some(record.counter).filter(|&counter| counter > 0);
            let look = Inspection::new(left.is_some(), left).with_counter(counter);
            Ok(match record.holder(now) {
                Some((owner, _)) => look.of_owner((&owner).into(), record.said),
                None => look,
            })
        })
    }

    #[cfg(target_os = "linux")]
    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Box::pin(async move {
            let first = self.ticket(&name).await?;
            let watch: Watch = match first {
                None => Box::pin(std::future::ready(Ok(()))),
                first => Box::pin(self.until_free(name, first)),
            };
            Ok(watch)
        })
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async move {
            self.opening.place().await.map_err(|fault| fault.into_error(&self.address))?;
            let what = "in a directory of this machine".to_owned();
            Ok(Examination::new(vec![FindingKind::Other { severity: Severity::Good, what, advice: None }]))
        })
    }

    fn clock(&self) -> Option<ClockReading> {
        let now = self.env.now();
        Some(ClockReading::new(self.env.wall_micros(), now, now))
    }
}
