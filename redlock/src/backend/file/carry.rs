//! Work that goes on when its caller does not look after it: others may wait for what it has.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::env::Env;

/// Begins `work` in the poll of whoever asks, where it mostly ends. What is left of it then is run to its end by the environment,
/// whether anybody polls or drops this. `None` if the environment has ended first.
pub(super) async fn carried<T: Send + 'static>(
    env: &dyn Env,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut work = Box::pin(work);
    if let Poll::Ready(value) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        return Some(value);
    }
    let (done, outcome) = oneshot::channel();
    env.spawn(Box::pin(async move {
        // The caller may have gone.
        let _ = done.send(work.await);
    }));
    outcome.await.ok()
}
