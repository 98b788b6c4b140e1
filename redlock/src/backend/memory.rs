//! A node in this process: a table behind a mutex.

mod guard;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::select;

use crate::env::Env;
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::fence::{keep_for, next_counter};
use crate::node::watchers::Watchers;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Description, Durability, Examination, ExtendRequest,
    FindingKind, Grant, Identity, Incarnation, Inspection, MarkRequest, Node, NodeError, NodeErrorKind,
    NodeFuture, Raise, RaiseRequest, Refusal, RefusalReason, ReleaseRequest, Released, Reply, Standing,
    Watch,
};
use crate::protections::Protections;

/// A node in this process. Its locks end with it.
///
/// Every operation takes effect and completes on its first poll; none fails. Time is that of the environment it was
/// made with. Entries that have expired without a release are thrown out as new ones come, so that the table never
/// grows beyond about twice the number of locks that are held at one time.
pub struct MemoryNode {
    address: String,
    env: Arc<dyn Env>,
    protections: Protections,
    /// Whether it keeps a marker. Its memory ends with its process, as its clients do: only a simulation needs one.
    guarded: bool,
    table: Mutex<Table>,
    watchers: Arc<Watchers<LockName, ()>>,
}

#[derive(Debug)]
struct Table {
    memory: guard::Memory,
    entries: HashMap<LockName, Entry>,
    /// Fencing counters; they outlive their locks.
    counters: HashMap<LockName, Counter>,
    /// So many entries and counters, and the expired ones are thrown out.
    sweep_at: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    owner: OwnerToken,
    expires: Instant,
    description: Option<Description>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    value: u64,
    expires: Instant,
}

/// Below this number of entries nothing is swept.
const SMALLEST_SWEEP: usize = 1_024;

impl MemoryNode {
    /// An empty table. `address` is what people call it; nodes of one quorum need different ones.
    pub fn new(address: impl Into<String>, env: Arc<dyn Env>) -> Arc<Self> {
        Self::start(address.into(), env, Default::default())
    }

    /// An empty table that lacks some safeguards: `stale_deadline`, `release_owner_check`, `extend_owner_check`,
    /// `never_shorten`, `fence_clamp`, `fence_once`, `marker_check` and `quarantine_from_marker` are its own.
    #[cfg(feature = "testing")]
    pub fn with_protections(
        address: impl Into<String>,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Arc<Self> {
        Self::start(address.into(), env, protections)
    }

    /// As [`with_protections`](MemoryNode::with_protections), with a marker, as a server has it whose memory can be lost.
    #[cfg(feature = "testing")]
    pub fn guarded(address: impl Into<String>, env: Arc<dyn Env>, protections: Protections) -> Arc<Self> {
        Self::create(address.into(), env, protections, true)
    }

    pub(crate) fn start(address: String, env: Arc<dyn Env>, protections: Protections) -> Arc<Self> {
        Self::create(address, env, protections, false)
    }

    fn create(address: String, env: Arc<dyn Env>, protections: Protections, guarded: bool) -> Arc<Self> {
        let table = Mutex::new(Table::new(guard::Memory::new(env.now())));
        Arc::new(Self { address, env, protections, guarded, table, watchers: Arc::default() })
    }

    /// Forgets every lock, as a server without persistence does that was killed and started again.
    #[cfg(feature = "testing")]
    pub fn crash_losing_memory(&self) {
        let mut table = self.lock();
        *table = Table::new(table.memory.after_restart(self.env.now()));
        drop(table);
        self.watchers.tell_all(());
    }

    /// Forgets every lock, as a server does that is told to (FLUSHALL): the process goes on.
    #[cfg(feature = "testing")]
    pub fn flush(&self) {
        let mut table = self.lock();
        *table = Table::new(table.memory.after_flush());
        drop(table);
        self.watchers.tell_all(());
    }

    /// Sets the node's clock ahead by this many microseconds, or back; locks expire by it.
    #[cfg(feature = "testing")]
    pub fn step_clock(&self, micros: i64) {
        self.lock().memory.step_clock(micros);
    }

    /// Forgets where a name's fencing counter stands, and nothing else.
    #[cfg(feature = "testing")]
    pub fn forget_counter(&self, name: &LockName) {
        self.lock().counters.remove(name);
    }

    /// Forgets who has a name, as a server does that evicts keys.
    #[cfg(feature = "testing")]
    pub fn evict(&self, name: &LockName) {
        self.lock().entries.remove(name);
    }

    /// The number of entries, also of those that have expired and were not swept yet.
    #[cfg(feature = "testing")]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether there are no entries at all.
    #[cfg(feature = "testing")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether anybody has `name` here, now.
    #[cfg(feature = "testing")]
    pub fn is_held_by_anyone(&self, name: &LockName) -> bool {
        self.inspect_now(name).held
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stale(&self, deadline: Instant, now: Instant) -> bool {
        self.protections.stale_deadline() && now > deadline
    }

    fn acquire_now(&self, request: AcquireRequest) -> Reply {
        let mut table = self.lock();
        // Read behind the mutex: whoever waits for it must not act on an older time.
        let now = self.node_time(&table);
        if self.is_stale(request.deadline, now) {
            return refused(RefusalReason::Stale, None);
        }
        if let Some(left) = self.quarantine(&table, now) {
            return Reply::Refused(Refusal::new(RefusalReason::Quarantined, left));
        }
        table.make_room(now);
        let holder = table.entries.get(&request.name).filter(|entry| entry.is_live(now));
        if let Some(holder) = holder.filter(|holder| holder.owner != request.owner) {
            return refused(RefusalReason::Held, Some((holder, now)));
        }
        let held_until = holder.map(|holder| holder.expires);
        let is_again = held_until.is_some() && self.protections.fence_once();
        let grant = match request.fence {
            None => Grant::default(),
            Some(fence) => {
                let counter = table.counter(&request.name, now).max(table.memory.floor());
                // A counter that was lost under its lock is begun anew.
                let next = if is_again && counter > 0 {
                    Some(counter)
                } else {
                    next_counter(counter, &fence, micros(now), &self.protections)
                };
                let Some(next) = next else { return refused(RefusalReason::Exhausted, None) };
                table.count(&request.name, Raise::new(next, fence.retention), request.ttl, now)
            }
        };
        // A repeated acquire must not take back what an extension has given meanwhile.
        let expires = expiry(now, request.ttl).max(held_until.unwrap_or(now));
        let AcquireRequest { name, owner, description, .. } = request;
        table.entries.insert(name, Entry { owner, expires, description });
        Reply::Granted(table.memory.sign(grant))
    }

    fn extend_now(&self, request: &ExtendRequest) -> Reply {
        let mut table = self.lock();
        let now = self.node_time(&table);
        if self.is_stale(request.deadline, now) {
            return refused(RefusalReason::Stale, None);
        }
        if self.is_unmarked(&table) {
            return refused(RefusalReason::Quarantined, None);
        }
        let expires = expiry(now, request.ttl);
        let is_live = table.entries.get(&request.name).is_some_and(|entry| entry.is_live(now));
        if request.restore && !is_live {
            let entry = Entry { owner: request.owner, expires, description: None };
            table.entries.insert(request.name.clone(), entry);
        }
        let Some(entry) = table.entries.get_mut(&request.name).filter(|entry| entry.is_live(now)) else {
            return refused(RefusalReason::Missing, None);
        };
        if self.protections.extend_owner_check() && entry.owner != request.owner {
            return refused(RefusalReason::Held, Some((entry, now)));
        }
        if request.description.is_some() {
            entry.description.clone_from(&request.description);
        }
        entry.expires = if self.protections.never_shorten() { expires.max(entry.expires) } else { expires };
        let grant = match request.fence {
            None => Grant::default(),
            Some(raise) => table.count(&request.name, raise, request.ttl, now),
        };
        Reply::Granted(table.memory.sign(grant))
    }

    fn raise_now(&self, request: &RaiseRequest) -> Reply {
        let mut table = self.lock();
        let now = self.node_time(&table);
        if self.is_stale(request.deadline, now) {
            return refused(RefusalReason::Stale, None);
        }
        match table.entries.get(&request.name).filter(|entry| entry.is_live(now)) {
            None => refused(RefusalReason::Missing, None),
            Some(entry) if entry.owner != request.owner => refused(RefusalReason::Held, Some((entry, now))),
            Some(_) => Reply::Granted(table.count(&request.name, request.fence, request.ttl, now)),
        }
    }

    fn release_now(&self, request: &ReleaseRequest) -> Released {
        let mut table = self.lock();
        let now = self.node_time(&table);
        let is_owners = |entry: &Entry| {
            entry.is_live(now) && (entry.owner == request.owner || !self.protections.release_owner_check())
        };
        let was_held = table.entries.get(&request.name).is_some_and(is_owners);
        if was_held {
            table.entries.remove(&request.name);
        }
        drop(table);
        if was_held {
            self.watchers.tell(&request.name, ());
        }
        // Whatever lies between the caller and this table may still deliver a request until its deadline.
        let settled = request.unsettled.is_none_or(|deadline| now > deadline);
        Released::new(was_held, settled)
    }

    fn inspect_now(&self, name: &LockName) -> Inspection {
        let table = self.lock();
        let now = self.node_time(&table);
        let entry = table.entries.get(name).filter(|entry| entry.is_live(now));
        let remaining = entry.map(|entry| entry.expires.saturating_since(now));
        let counter = Some(table.counter(name, now)).filter(|&counter| counter > 0);
        let inspection = Inspection::new(entry.is_some(), remaining).with_counter(counter);
        match entry {
            Some(entry) => inspection.of_owner((&entry.owner).into(), entry.description.clone()),
            None => inspection,
        }
    }
}

fn expiry(now: Instant, ttl: Ttl) -> Instant {
    now.saturating_add(ttl.get())
}

/// The node's own time: that of its environment.
fn micros(now: Instant) -> u64 {
    now.as_nanos() / 1_000
}

fn refused(reason: RefusalReason, holder: Option<(&Entry, Instant)>) -> Reply {
    let remaining = holder.map(|(entry, now)| entry.expires.saturating_since(now));
    let owner = holder.map(|(entry, _)| (&entry.owner).into());
    Reply::Refused(Refusal { owner, ..Refusal::new(reason, remaining) })
}

impl Entry {
    fn is_live(&self, now: Instant) -> bool {
        now < self.expires
    }
}

impl Table {
    fn new(memory: guard::Memory) -> Self {
        Self { memory, entries: HashMap::new(), counters: HashMap::new(), sweep_at: SMALLEST_SWEEP }
    }

    /// Where a name's fencing counter stands; 0 if there is none.
    fn counter(&self, name: &LockName, now: Instant) -> u64 {
        self.counters.get(name).filter(|counter| now < counter.expires).map_or(0, |counter| counter.value)
    }

    /// Has a name's fencing counter stand there at least.
    fn count(&mut self, name: &LockName, raise: Raise, ttl: Ttl, now: Instant) -> Grant {
        let value = self.counter(name, now).max(raise.to);
        let expires = now.saturating_add(keep_for(value, micros(now), ttl.get(), raise.retention));
        match self.counters.get_mut(name) {
            Some(counter) => *counter = Counter { value, expires },
            None => drop(self.counters.insert(name.clone(), Counter { value, expires })),
        }
        Grant::with_counter(value)
    }

    /// Throws out what has expired, once the table has doubled since the last time: constant work per entry.
    fn make_room(&mut self, now: Instant) {
        let size = |table: &Self| table.entries.len() + table.counters.len();
        if size(self) < self.sweep_at {
            return;
        }
        self.entries.retain(|_, entry| entry.is_live(now));
        self.counters.retain(|_, counter| now < counter.expires);
        self.sweep_at = size(self).saturating_mul(2).max(SMALLEST_SWEEP);
        self.entries.shrink_to(self.sweep_at);
        self.counters.shrink_to(self.sweep_at);
    }
}

impl Node for MemoryNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            notification: true,
            durability: Durability::None,
            descriptions: true,
            ..Abilities::default()
        }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move { Ok(Identity { ceiling: Some(self.ceiling()), ..Identity::default() }) })
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move { Ok(self.acquire_now(request)) })
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move { Ok(self.extend_now(&request)) })
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move { Ok(self.raise_now(&request)) })
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move { Ok(self.release_now(&request)) })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Box::pin(async move { Ok(self.inspect_now(&name)) })
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Box::pin(async move {
            let mut watcher = self.watchers.watch(name.clone());
            let watch: Watch = Box::pin(async move {
                loop {
                    watcher.look_anew();
                    let Inspection { held: true, remaining: Some(left), .. } = self.inspect_now(&name) else {
                        return Ok(());
                    };
                    let expires = self.env.sleep_until(self.env.now().saturating_add(left));
                    let told = std::pin::pin!(watcher.told());
                    // It may have been extended, or taken again: it is looked at once more.
                    drop(select(told, expires).await);
                }
            });
            Ok(watch)
        })
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async { Ok(Examination::new(vec![FindingKind::InProcess])) })
    }

    fn clock(&self) -> Option<ClockReading> {
        let now = self.env.now();
        let node = self.lock().memory.time(now);
        Some(ClockReading::new(micros(node), now, now))
    }

    fn standing(&self) -> Standing {
        if self.guarded { self.lock().memory.standing() } else { Standing::Unguarded }
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.lock().memory.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(async move {
            if self.guarded {
                return Ok(self.mark_now(&request));
            }
            let detail = "a table in memory keeps no marker";
            Err(NodeError::without_effect(&self.address.as_str().into(), NodeErrorKind::Unsupported, detail))
        })
    }
}

impl fmt::Debug for MemoryNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNode").field("address", &self.address).finish_non_exhaustive()
    }
}
