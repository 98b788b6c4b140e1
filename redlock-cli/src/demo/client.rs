//! One client of the lock: some contenders, and the connections that they share.

use std::sync::Arc;
use std::time::Duration;

use redlock::node::Node;
use redlock::{BuildError, FencingToken, Instant, Lock, Locks, ReleaseError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::counter::Counter;
use super::event::{Event, Hold};
use super::votes::CountedNode;
use super::without::Without;

/// The name of the lock.
const NAME: &str = "demo";
/// How long the last releases may take: those on killed nodes are never answered.
const PATIENCE: Duration = Duration::from_millis(200);

/// What one client's contenders are to do.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) counter: Counter,
    /// The number of the first of them.
    pub(super) first: u32,
    pub(super) contenders: u32,
    /// Increments of each.
    pub(super) rounds: u32,
    pub(super) without: Without,
}

/// Connected contenders that have not begun.
pub(super) struct Client {
    job: Job,
    nodes: Vec<Arc<CountedNode>>,
    locks: Locks,
}

impl Client {
    pub(super) async fn connect(job: Job, nodes: Vec<Arc<dyn Node>>) -> Result<Self, BuildError> {
        let nodes: Vec<_> = nodes.into_iter().map(CountedNode::new).collect();
        let builder = Locks::builder().protections(job.without.protections());
        let builder = nodes.iter().fold(builder, |builder, node| builder.node(Arc::clone(node) as _));
        Ok(Self { locks: builder.build().await?, job, nodes })
    }

    /// Lets all contenders loose and reports until the last has ended.
    pub(super) async fn contend(self, events: UnboundedSender<Event>) {
        let Self { job, nodes, locks } = self;
        let mut contenders = JoinSet::new();
        for number in job.first..job.first.saturating_add(job.contenders) {
            let contender = Contender {
                number,
                lock: (job.without != Without::Lock).then(|| locks.lock(NAME)),
                counter: job.counter.clone(),
                pause: pause(number),
                events: events.clone(),
            };
            let rounds = job.rounds;
            contenders.spawn(async move {
                if let Err(why) = contender.increment(rounds).await {
                    contender.report(Event::Failed(format!("contender {number}: {why}")));
                }
            });
        }
        while let Some(ended) = contenders.join_next().await {
            if let Err(panic) = ended {
                let _ = events.send(Event::Failed(format!("a contender ended early: {panic}")));
            }
        }
        locks.shutdown(PATIENCE).await;
        for (index, node) in nodes.iter().enumerate() {
            let _ = events.send(Event::Votes(index, node.votes()));
        }
        let _ = events.send(Event::Done);
    }
}

struct Contender {
    number: u32,
    /// None: it increments without.
    lock: Option<Lock>,
    counter: Counter,
    pause: Duration,
    events: UnboundedSender<Event>,
}

impl Contender {
    async fn increment(&self, rounds: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for _ in 0..rounds {
            let asked = Instant::now();
            let guard = match &self.lock {
                Some(lock) => Some(lock.acquire().await?),
                None => None,
            };
            let start = Instant::now();
            let token = guard.as_ref().and_then(|guard| guard.fencing_token()).map_or(0, FencingToken::get);
            self.report(Event::Holding { contender: self.number, token });
            let incremented = self.counter.increment(self.pause).await;
            let end = Instant::now();
            let released = match guard {
                Some(guard) => guard.release().await,
                None => Ok(()),
            };
            incremented?;
            let waited = start.saturating_since(asked);
            self.report(Event::Hold(Hold { contender: self.number, waited, start, end, token }));
            match released {
                // It was held to the end; what a node has not confirmed yet is released in the background.
                Ok(()) | Err(ReleaseError::Unconfirmed { .. }) => {}
                Err(lost) => return Err(lost.into()),
            }
        }
        Ok(())
    }

    fn report(&self, event: Event) {
        // Nobody listens when the demo is over already.
        let _ = self.events.send(event);
    }
}

/// Between 0 and 2 ms, different for neighbours.
fn pause(number: u32) -> Duration {
    Duration::from_micros(u64::from(number) * 617 % 2_001)
}
