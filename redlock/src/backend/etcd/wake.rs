//! Tells those who wait for a lock when its key goes away: by one watch stream for all of them.
//!
//! The stream is opened for the first one who waits, on the member that is asked first, and closed some time after the
//! last. It ends when that member stops answering, or has no leader; those who wait learn that, and ask for another watch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Error, EventType, WatchFilterType, WatchOptions, WatchResponse, WatchStream};
use futures::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::core::Core;
use super::failure::Failure;
use super::member::Member;
use crate::node::NodeErrorKind;

/// How long a stream may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(2);
/// A stream that nobody needs is closed after this time.
const IDLE: Duration = Duration::from_secs(10);

/// The end of a wait: nothing more is told.
type Tell = oneshot::Sender<Result<(), Failure>>;

enum Order {
    Watch { id: i64, key: Vec<u8>, from: i64, tell: Tell },
    Cancel { id: i64 },
}

/// The watches of one node.
pub(super) struct Wakeups {
    core: Arc<Core>,
    /// To the task that has the stream, if there is one.
    stream: Mutex<Option<mpsc::UnboundedSender<Order>>>,
    /// The last watch's number.
    count: Mutex<i64>,
}

/// A watch that stands. Dropping it ends it.
pub(super) struct Standing {
    told: oneshot::Receiver<Result<(), Failure>>,
    _cancel: Cancel,
}

struct Cancel {
    id: i64,
    orders: mpsc::UnboundedSender<Order>,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        // The stream may have ended.
        let _ = self.orders.send(Order::Cancel { id: self.id });
    }
}

impl Standing {
    /// Completes when the key was deleted.
    pub(super) async fn told(self) -> Result<(), Failure> {
        let Self { told, _cancel } = self;
        told.await.unwrap_or_else(|_| Err(ended("the watch ended")))
    }
}

impl Wakeups {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), stream: Mutex::default(), count: Mutex::default() }
    }

    /// Watches a key that was there just before revision `from`. What happens since then is told, also if that is before
    /// the stream is open.
    pub(super) fn watch(&self, key: Vec<u8>, from: i64) -> Standing {
        let id = {
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count
        };
        let (tell, told) = oneshot::channel();
        let mut order = Order::Watch { id, key, from, tell };
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = stream.as_ref() {
            match orders.send(order) {
                Ok(()) => return Standing { told, _cancel: Cancel { id, orders: orders.clone() } },
                Err(back) => order = back.0,
            }
        }
        let (orders, receiver) = mpsc::unbounded_channel();
        // The receiver is here, so that this cannot fail.
        let _ = orders.send(order);
        self.core.env.spawn(Box::pin(serve(Arc::clone(&self.core), receiver)));
        let cancel = Cancel { id, orders: orders.clone() };
        *stream = Some(orders);
        Standing { told, _cancel: cancel }
    }
}

/// Keeps one stream, until nobody needs it or it ends.
async fn serve(core: Arc<Core>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut waiting: HashMap<i64, Tell> = HashMap::new();
    let failure = serve_until_failure(&core, &mut orders, &mut waiting).await;
    orders.close();
    while let Ok(order) = orders.try_recv() {
        if let Order::Watch { id, tell, .. } = order {
            waiting.insert(id, tell);
        }
    }
    for tell in waiting.into_values() {
        // Nobody may wait any more.
        let _ = tell.send(Err(failure.clone()));
    }
}

async fn serve_until_failure(
    core: &Arc<Core>,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    waiting: &mut HashMap<i64, Tell>,
) -> Failure {
    let (member, mut moves) = core.ensemble.preferred();
    let mut stream: Option<WatchStream> = None;
    loop {
        let idle = match waiting.is_empty() {
            true => core.env.sleep_until(core.env.now().saturating_add(IDLE)),
            false => Box::pin(std::future::pending()),
        };
        let next = tokio::select! {
            order = orders.recv() => Next::Order(order),
            message = next_message(&mut stream) => Next::Message(message),
            _ = moves.changed() => return ended("another member is asked from now on"),
            () = idle => return ended("nobody needed it"),
        };
        match next {
            Next::Order(None) => return ended("the node has been dropped"),
            Next::Order(Some(Order::Watch { id, key, from, tell })) => {
                waiting.insert(id, tell);
                let options = WatchOptions::new()
                    .with_watch_id(id)
                    .with_start_revision(from)
                    .with_filters([WatchFilterType::NoPut]);
                let sent = match &mut stream {
                    Some(stream) => {
                        stream.watch(key, Some(options)).await.map_err(|error| failed(&error, &member))
                    }
                    None => open(core, &member, key, options).await.map(|opened| stream = Some(opened)),
                };
                if let Err(failure) = sent {
                    return failure;
                }
            }
            Next::Order(Some(Order::Cancel { id })) => {
                // One that has been told needs no cancelling.
                if waiting.remove(&id).is_some()
                    && let Some(stream) = &mut stream
                    && let Err(error) = stream.cancel(id).await
                {
                    return failed(&error, &member);
                }
            }
            Next::Message(Ok(Some(message))) => {
                if let Some(id) = tell(&message, waiting)
                    && let Some(stream) = &mut stream
                    && let Err(error) = stream.cancel(id).await
                {
                    return failed(&error, &member);
                }
            }
            Next::Message(Ok(None)) => return ended("etcd ended the stream"),
            Next::Message(Err(error)) => return failed(&error, &member),
        }
    }
}

enum Next {
    Order(Option<Order>),
    Message(Result<Option<WatchResponse>, Error>),
}

/// Cancel safe: a message is taken off whole, or not at all.
async fn next_message(stream: &mut Option<WatchStream>) -> Result<Option<WatchResponse>, Error> {
    match stream {
        Some(stream) => stream.message().await,
        None => std::future::pending().await,
    }
}

/// Opens the stream with its first watch.
async fn open(
    core: &Arc<Core>,
    member: &Arc<Member>,
    key: Vec<u8>,
    options: WatchOptions,
) -> Result<WatchStream, Failure> {
    let opening = std::pin::pin!(async {
        let client = member.client().await?;
        client.watch_client().watch(key, Some(options)).await.map_err(|error| failed(&error, member))
    });
    let late = core.env.sleep_until(core.env.now().saturating_add(OPEN_LIMIT));
    match select(opening, late).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => {
            core.ensemble.avoid(member);
            Err(ended("no answer in time"))
        }
    }
}

/// Tells whom a message is for; returns the watch that has done its duty.
fn tell(message: &WatchResponse, waiting: &mut HashMap<i64, Tell>) -> Option<i64> {
    let id = message.watch_id();
    if message.canceled() {
        if let Some(tell) = waiting.remove(&id) {
            let why = match message.compact_revision() {
                0 => message.cancel_reason().to_owned(),
                _ => "the store was compacted meanwhile".to_owned(),
            };
            let _ = tell.send(Err(ended(&format!("etcd ended the watch: {why}"))));
        }
        return None;
    }
    let is_gone = message.events().iter().any(|event| event.event_type() == EventType::Delete);
    let tell = is_gone.then(|| waiting.remove(&id)).flatten()?;
    let _ = tell.send(Ok(()));
    Some(id)
}

fn ended(why: &str) -> Failure {
    Failure::unreachable(NodeErrorKind::Disconnected, format!("no longer watched: {why}"))
}

fn failed(error: &Error, member: &Member) -> Failure {
    Failure::of(error, member.has_tls())
}
