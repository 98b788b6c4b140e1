//! Who leads, and how that changes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{Stream, StreamExt};

use super::Election;
use super::view::{Disconnected, Leader, Seen};
use crate::node::OwnerId;
use crate::{InvalidName, LockName, Locks};

/// The first look after a change comes so soon, and every further one after twice as long.
const SOON: Duration = Duration::from_millis(4);

/// So many looks in a row that say nothing make an observer disconnected: one may be cut by a change.
const SILENT_LOOKS: u32 = 2;

/// So often a node may tell of what is no change, until only time is waited for: one that has lost the key tells at once and for ever.
const TOLD_IN_VAIN: u32 = 8;

/// What is known of the leader now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Observation {
    /// A majority of nodes names this leader.
    Leader(Leader),
    /// Nobody leads: no owner has a majority of nodes, or it is one that has not announced itself.
    NoLeader,
    /// Nothing is known any more: no majority of nodes says who leads, nor that nobody does. The last leader that was seen may lead
    /// still.
    Disconnected(Disconnected),
}

impl Observation {
    /// Whether both say the same.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leader(one), Self::Leader(other)) => {
                (one.epoch, &one.candidate, &one.value) == (other.epoch, &other.candidate, &other.value)
            }
            (Self::NoLeader, Self::NoLeader) | (Self::Disconnected(_), Self::Disconnected(_)) => true,
            _ => false,
        }
    }
}

/// The leaders of an election, one observation after the other; from [`Election::observe`]. A `Stream` that does not end;
/// [`next`](Observer::next) needs no trait.
///
/// It looks at the nodes when it is polled, and at no other time. It holds nothing on them, and dropping it leaves nothing.
#[must_use = "it looks only when it is polled"]
pub struct Observer(BoxStream<'static, Observation>);

impl Observer {
    /// The next observation: at first what is known now, then every change.
    ///
    /// Cancel safe: what it was about to find is found by the next call.
    pub async fn next(&mut self) -> Observation {
        match self.0.next().await {
            Some(observation) => observation,
            // It does not end.
            None => std::future::pending().await,
        }
    }
}

impl Stream for Observer {
    type Item = Observation;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Observation>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

/// Who leads could not be said.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LeaderError {
    /// The name cannot be used.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// No majority of nodes says who leads, nor that nobody does.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
}

impl Election {
    /// Who leads now: one that a majority of nodes names. `None`: nobody does. Asks every node, as [`Locks::look`] does: a node that
    /// hangs is waited for only where its answer matters; and more than once where the answer falls into a change. The answer is
    /// history when it is returned; a leader that has just died is named until its lock has ended on the nodes.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`LeaderError::Disconnected`] if too few nodes answered to say, and [`LeaderError::InvalidName`].
    pub async fn leader(&self) -> Result<Option<Leader>, LeaderError> {
        const LOOKS: u32 = 3;
        let env = self.locks.env();
        for look in 1.. {
            let view = self.locks.look(self.name.clone()?.as_bytes()).await?;
            match Seen::of(&view) {
                Seen::Leader { leader, .. } => return Ok(Some(*leader)),
                Seen::Nobody => return Ok(None),
                Seen::Winner(_) if look >= LOOKS => return Ok(None),
                Seen::Unclear if look >= LOOKS => return Err(Disconnected { view }.into()),
                Seen::Winner(_) | Seen::Unclear => {}
            }
            env.sleep_until(env.now().saturating_add(SOON * look)).await;
        }
        Ok(None)
    }

    /// Watches who leads, whether this candidate campaigns or not. At first it says what is known now, then every change: of the
    /// leader, or of its [value](crate::Term::proclaim). Neither epochs nor one leader's values go back within one stream. A leadership
    /// that lasts shorter than a look takes may be missed.
    ///
    /// It looks as soon as a node tells that the leader's lock has become free, and every
    /// [`poll_interval`](Election::poll_interval) without being told.
    ///
    /// # Errors
    /// [`InvalidName`] for a name that no lock can have.
    pub fn observe(&self) -> Result<Observer, InvalidName> {
        let look_out = Lookout {
            locks: self.locks.clone(),
            name: self.name.clone()?,
            poll: self.poll_interval,
            latest: None,
            said: None,
            silent: 0,
            pause: SOON,
            begun: false,
            told_in_vain: 0,
        };
        let stream = futures::stream::unfold(look_out, |mut look_out| async move {
            let observation = look_out.next().await;
            Some((observation, look_out))
        });
        Ok(Observer(stream.boxed()))
    }
}

/// The latest leader of whom an observer has heard.
struct Latest {
    /// Its own, which nobody else has.
    owner: OwnerId,
    /// Of what it has proclaimed.
    revision: u64,
    leader: Leader,
}

/// An observer at work.
struct Lookout {
    locks: Locks,
    name: LockName,
    poll: Duration,
    /// The latest leader that was seen.
    latest: Option<Latest>,
    said: Option<Observation>,
    /// How many looks in a row have said nothing.
    silent: u32,
    /// How long until the next look, unless a node tells.
    pause: Duration,
    begun: bool,
    /// How often a node has told since the last change.
    told_in_vain: u32,
}

impl Lookout {
    async fn next(&mut self) -> Observation {
        loop {
            if std::mem::replace(&mut self.begun, true) {
                self.wait().await;
            }
            let Some(found) = self.look().await else { continue };
            if self.said.as_ref().is_none_or(|said| !said.is_same(&found)) {
                // More may follow soon.
                self.told_in_vain = 0;
                self.pause = SOON;
                self.said = Some(found.clone());
                return found;
            }
        }
    }

    /// Looks once; `None`: that has said nothing yet.
    async fn look(&mut self) -> Option<Observation> {
        // The name was checked.
        let view = self.locks.look(self.name.as_bytes()).await.ok()?;
        let latest = self.latest.as_ref();
        let seen = match Seen::of(&view) {
            // The nodes that answered are behind: somebody led after this one.
            Seen::Leader { leader, .. }
                if latest.is_some_and(|latest| leader.epoch < latest.leader.epoch) =>
            {
                Seen::Unclear
            }
            // The nodes that have heard of its epoch are silent now.
            Seen::Winner(owner) if latest.is_some_and(|latest| latest.owner == owner) => return None,
            seen => seen,
        };
        if matches!(seen, Seen::Unclear) {
            self.silent = self.silent.saturating_add(1);
            return (self.silent >= SILENT_LOOKS).then_some(Observation::Disconnected(Disconnected { view }));
        }
        self.silent = 0;
        let Seen::Leader { owner, revision, leader } = seen else { return Some(Observation::NoLeader) };
        let latest = match self.latest.take() {
            // It leads still; the nodes that answered have not heard all that it said.
            Some(latest) if latest.owner == owner && revision < latest.revision => latest,
            _ => Latest { owner, revision, leader: *leader },
        };
        Some(Observation::Leader(self.latest.insert(latest).leader.clone()))
    }

    /// Waits until the next look is worth it.
    async fn wait(&mut self) {
        let env = self.locks.env();
        // Between the half and the whole of it.
        let half = self.pause / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
        let pause = half.saturating_add(Duration::from_nanos(env.jitter() % spread));
        let time = env.sleep_until(env.now().saturating_add(pause));
        self.pause = (self.pause * 2).min(self.poll);
        // A name that is free tells so at once, and for ever.
        if self.told_in_vain >= TOLD_IN_VAIN || !matches!(self.said, Some(Observation::Leader(_))) {
            return time.await;
        }
        let mut watches: FuturesUnordered<_> = self
            .locks
            .nodes()
            .iter()
            .map(|node| {
                let armed = std::sync::Arc::clone(node).watch(self.name.clone());
                async move { armed.await?.await }
            })
            .collect();
        let told = std::pin::pin!(async {
            while let Some(told) = watches.next().await {
                if told.is_ok() {
                    return;
                }
            }
            // No node can tell.
            std::future::pending().await
        });
        if let Either::Left(_) = select(told, time).await {
            self.told_in_vain += 1;
            self.pause = SOON;
        }
    }
}
