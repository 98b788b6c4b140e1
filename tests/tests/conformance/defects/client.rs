//! Defects on a client's side: when it sends, in which order, and what it says while the store is silent.

use std::sync::Arc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use redlock::node::{Effect, Grant, Node, NodeError, NodeErrorKind, NodeFuture, Reply};

use super::Case;
use crate::wrong::{Place, Wrong, then};

/// Goes its own way from the first poll on, `millis` later.
fn later<T: Send + 'static>(
    at: &Place,
    millis: u64,
    asked: impl FnOnce() -> NodeFuture<T> + Send + 'static,
) -> NodeFuture<T> {
    let at = at.clone();
    Box::pin(async move {
        let (answer, answered) = oneshot::channel();
        at.env.clone().spawn(Box::pin(async move {
            at.sleep(millis).await;
            let _ = answer.send(asked().await);
        }));
        answered.await.unwrap()
    })
}

/// Acquires are on their way for so long, and are overtaken.
fn slow(wrong: Wrong, millis: u64) -> Wrong {
    wrong.acquire(move |at, request| {
        let place = at.clone();
        later(&at, millis, move || place.acquire(request))
    })
}

/// Whatever was sent is taken for settled.
fn settled(wrong: Wrong) -> Wrong {
    wrong.release(|at, request| {
        then(at.node().release(request), |mut released| {
            released.settled = true;
            released
        })
    })
}

/// Gives up after a tenth of a second.
async fn in_time<T>(at: &Place, asked: NodeFuture<T>) -> Option<Result<T, NodeError>> {
    let at = at.clone();
    match select(asked, Box::pin(async move { at.sleep(100).await })).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::in_the_client(
            "sends before the first poll",
            |wrong| {
                wrong
                    .acquire(|at, request| eager(at.acquire(request)))
                    .extend(|at, request| eager(at.extend(request)))
                    .release(|at, request| eager(at.node().release(request)))
            },
            &["nothing_is_sent_before_the_first_poll"],
        ),
        Case::in_the_client(
            "sends with the second poll",
            |wrong| {
                wrong.acquire(|at, request| {
                    let mut is_first = true;
                    let mut asked = at.acquire(request);
                    Box::pin(std::future::poll_fn(move |context| {
                        if std::mem::take(&mut is_first) {
                            context.waker().wake_by_ref();
                            return std::task::Poll::Pending;
                        }
                        asked.poll_unpin(context)
                    }))
                })
            },
            &["the_first_poll_sends", "requests_run_in_the_order_of_their_first_polls"],
        ),
        Case::in_the_client(
            "lets releases overtake",
            |wrong| slow(wrong, 5),
            &["requests_run_in_the_order_of_their_first_polls"],
        ),
        Case::in_the_client(
            "settles what is on its way for long",
            |wrong| settled(slow(wrong, 60)),
            &[
                "what_is_settled_is_gone",
                "requests_run_in_the_order_of_their_first_polls",
                "a_silent_store_is_released_behind",
            ],
        ),
        Case::in_the_client(
            "settles what it holds back while the store is silent",
            |wrong| settled(slow(wrong, 250)),
            &["requests_run_in_the_order_of_their_first_polls", "a_silent_store_is_released_behind"],
        ),
        Case::in_the_client(
            "sends everything twice",
            |wrong| {
                wrong.acquire(|at, request| {
                    let (place, again) = (at.clone(), request.clone());
                    let first = at.acquire(request);
                    Box::pin(async move {
                        let reply = first.await;
                        drop(later(&place.clone(), 20, move || place.acquire(again)).now_or_never());
                        reply
                    })
                })
            },
            &[
                "a_refusal_changes_nothing",
                "an_owner_releases_what_it_has",
                "a_release_is_never_refused",
                "requests_run_in_the_order_of_their_first_polls",
                "a_request_takes_effect_once",
                "a_counter_at_its_end_gives_nothing",
            ],
        ),
        Case::in_the_client(
            "needs a runtime",
            |wrong| {
                wrong.examine(|at, ()| {
                    Box::pin(async move {
                        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                        at.node().examine().await
                    })
                })
            },
            &["any_executor_will_do", "an_examination_changes_nothing"],
        ),
        Case::in_the_client(
            "votes for a store that is silent",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let asked = at.acquire(request);
                        in_time(&at, asked).await.unwrap_or_else(|| Ok(Reply::Granted(Grant::default())))
                    })
                })
            },
            &["a_silent_store_gives_no_vote"],
        ),
        Case::in_the_client(
            "says that what it gave up had no effect",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let asked = at.acquire(request);
                        in_time(&at, asked).await.unwrap_or_else(|| {
                            Err(NodeError::without_effect(
                                &at.node().address().into(),
                                NodeErrorKind::Timeout,
                                "no answer",
                            ))
                        })
                    })
                })
            },
            &[
                "a_late_acquire_is_refused",
                "a_late_extension_is_refused",
                "a_late_raise_is_refused",
                "a_silent_store_gives_no_vote",
                "what_has_queued_up_takes_nothing_late",
            ],
        )
        .and_without("stale_deadline"),
        Case::in_the_client(
            "lets everything wait",
            |wrong| {
                wrong.release(|at, request| {
                    Box::pin(async move {
                        let node: Arc<dyn Node> = at.node();
                        match node.release(request).await {
                            Err(error) if error.effect == Effect::None => std::future::pending().await,
                            answer => answer,
                        }
                    })
                })
            },
            &["what_waits_is_bounded"],
        ),
    ]
}

/// Polled when it is made.
fn eager<T: Send + 'static>(mut asked: NodeFuture<T>) -> NodeFuture<T> {
    match (&mut asked).now_or_never() {
        Some(answer) => Box::pin(std::future::ready(answer)),
        None => asked,
    }
}
