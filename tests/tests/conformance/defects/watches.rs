//! Defects of watches.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redlock::node::{AcquireRequest, NodeError, NodeErrorKind, Watch};
use redlock::{LockName, OwnerToken, Ttl};

use super::Case;
use crate::wrong::Wrong;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::in_the_store(
            "never tells who watches",
            |wrong| wrong.watch(|_, _| Box::pin(async { Ok(Box::pin(std::future::pending()) as Watch) })),
            &[
                "any_executor_will_do",
                "a_watch_on_a_free_name_completes",
                "a_watch_tells_of_a_release",
                "a_watch_tells_of_the_end",
                "watches_do_not_know_of_each_other",
            ],
        ),
        Case::in_the_store("tells of releases alone", tells_of_releases_alone, &["a_watch_tells_of_the_end"]),
        Case::in_the_store(
            "tells at once, always",
            |wrong| wrong.watch(|_, _| Box::pin(async { Ok(Box::pin(async { Ok(()) }) as Watch) })),
            &["a_watch_is_silent_while_the_name_is_held"],
        ),
        Case::in_the_store(
            "does not tell of what is free already",
            |wrong| {
                wrong.watch(|at, name| {
                    Box::pin(async move {
                        if at.is_held(&name).await {
                            return at.node().watch(name).await;
                        }
                        Ok(Box::pin(std::future::pending()) as Watch)
                    })
                })
            },
            &["a_watch_on_a_free_name_completes"],
        ),
        Case::in_the_store(
            "tells the first of those who watch a name",
            tells_the_first,
            &["watches_do_not_know_of_each_other"],
        ),
        Case::in_the_store(
            "takes what is watched",
            |wrong| {
                wrong.watch(|at, name| {
                    Box::pin(async move {
                        let ttl = Ttl::new(Duration::from_secs(1)).unwrap();
                        let nobody = OwnerToken::from_bytes([9; 20]);
                        at.acquire(AcquireRequest::new(name.clone(), nobody, ttl, at.env.now())).await?;
                        at.node().watch(name).await
                    })
                })
            },
            &["a_watch_takes_nothing"],
        ),
        Case::in_the_store(
            "does not tell, and says so",
            |wrong| {
                wrong
                    .abilities(|_, mut plain| {
                        plain.notification = false;
                        plain
                    })
                    .watch(|at, _| {
                        let error = NodeError::without_effect(
                            &at.node().address().into(),
                            NodeErrorKind::Unsupported,
                            "it does not tell",
                        );
                        Box::pin(std::future::ready(Err(error)))
                    })
            },
            &[],
        ),
        Case::in_the_store(
            "does not say that it tells",
            |wrong| {
                wrong.abilities(|_, mut plain| {
                    plain.notification = false;
                    plain
                })
            },
            &["without_notification_a_watch_fails"],
        ),
    ]
}

fn tells_of_releases_alone(wrong: Wrong) -> Wrong {
    let released = Arc::new(Mutex::new(HashSet::new()));
    let known = Arc::clone(&released);
    wrong
        .release(move |at, request| {
            known.lock().unwrap().insert(request.name.clone());
            at.node().release(request)
        })
        .watch(move |at, name| {
            let released = Arc::clone(&released);
            Box::pin(async move {
                let (watch, was_held) = (at.node().watch(name.clone()).await?, at.is_held(&name).await);
                let told: Watch = Box::pin(async move {
                    watch.await?;
                    let is_released = !was_held || released.lock().unwrap().contains(&name);
                    if is_released { Ok(()) } else { std::future::pending().await }
                });
                Ok(told)
            })
        })
}

fn tells_the_first(wrong: Wrong) -> Wrong {
    let watched = Arc::new(Mutex::new(HashMap::<LockName, Weak<()>>::new()));
    wrong.watch(move |at, name| {
        let watched = Arc::clone(&watched);
        Box::pin(async move {
            let (watch, first) = (at.node().watch(name.clone()).await?, Arc::new(()));
            let earlier = watched.lock().unwrap().get(&name).is_some_and(|first| first.strong_count() > 0);
            if earlier {
                return Ok(Box::pin(std::future::pending()) as Watch);
            }
            watched.lock().unwrap().insert(name, Arc::downgrade(&first));
            let told: Watch = Box::pin(async move {
                watch.await?;
                drop(first);
                Ok(())
            });
            Ok(told)
        })
    })
}
