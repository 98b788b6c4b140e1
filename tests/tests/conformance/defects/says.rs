//! Defects of what a node says: of its locks, of itself, and to those who watch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redlock::node::{
    AcquireRequest, Durability, Effect, ExtendRequest, LateRequests, NodeError, NodeErrorKind,
    ReleaseRequest, Reply, Standing, Watch,
};
use redlock::{OwnerToken, Ttl};

use super::Case;
use crate::wrong::then;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::in_the_store(
            "says that nothing was held",
            |wrong| {
                wrong.release(|at, request| {
                    then(at.node().release(request), |mut released| {
                        released.was_held = false;
                        released
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "says that everything was held",
            |wrong| {
                wrong.release(|at, request| {
                    then(at.node().release(request), |mut released| {
                        released.was_held = true;
                        released
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "refuses a late release",
            |wrong| {
                wrong.release(|at, request| {
                    let error = || {
                        let kind = NodeErrorKind::Timeout;
                        NodeError::without_effect(&at.node().address().into(), kind, "too late")
                    };
                    match request.unsettled {
                        Some(deadline) if deadline < at.env.now() => {
                            Box::pin(std::future::ready(Err(error())))
                        }
                        _ => at.node().release(request),
                    }
                })
            },
            &[],
        ),
        Case::in_the_store(
            "never settles anything",
            |wrong| {
                wrong.release(|at, request| {
                    let is_unsettled = request.unsettled.is_some();
                    then(at.node().release(request), move |mut released| {
                        released.settled = !is_unsettled;
                        released
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "leaves nothing unsettled unsaid",
            |wrong| {
                wrong.release(|at, request| {
                    let is_unsettled = request.unsettled.is_some();
                    then(at.node().release(request), move |mut released| {
                        released.settled = is_unsettled && released.settled;
                        released
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "takes what is looked at",
            |wrong| {
                wrong.inspect(|at, name| {
                    Box::pin(async move {
                        let look = at.node().inspect(name.clone()).await?;
                        if !look.held {
                            let deadline = at.env.now();
                            let nobody = OwnerToken::from_bytes([9; 20]);
                            at.acquire(AcquireRequest::new(
                                name,
                                nobody,
                                Ttl::new(Ttl::MIN).unwrap(),
                                deadline,
                            ))
                            .await?;
                        }
                        Ok(look)
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "prolongs what is looked at",
            |wrong| {
                wrong.inspect(|at, name| {
                    Box::pin(async move {
                        if let Some(owner) = at.owner(&name) {
                            let deadline = at.env.now();
                            let ttl = Ttl::new(std::time::Duration::from_secs(1)).unwrap();
                            at.extend(ExtendRequest::new(name.clone(), owner, ttl, deadline)).await?;
                        }
                        at.node().inspect(name).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "does not show for how long",
            |wrong| {
                wrong.inspect(|at, name| {
                    then(at.node().inspect(name), |mut look| {
                        look.remaining = None;
                        look
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "frees what is examined",
            |wrong| {
                wrong.examine(|at, ()| {
                    Box::pin(async move {
                        for (name, owner) in at.names() {
                            if name.as_bytes().starts_with(b"an_examination") {
                                at.node().release(ReleaseRequest::new(name, owner, None)).await?;
                            }
                        }
                        at.node().examine().await
                    })
                })
            },
            &[],
        ),
        Case::in_the_client(
            "has another address for every client",
            |wrong| wrong.address(|at, plain| format!("{plain}-{}", at.client)),
            &[],
        ),
        Case::in_the_client(
            "prints a secret",
            |wrong| wrong.debug(|_, plain| format!("{plain} with the password hunter2")),
            &[],
        ),
        Case::in_the_client(
            "changes its abilities",
            |wrong| {
                let has_looked = AtomicBool::new(false);
                wrong.abilities(move |_, mut plain| {
                    if has_looked.swap(true, Ordering::SeqCst) {
                        plain.durability = Durability::Configurable;
                    }
                    plain
                })
            },
            &[],
        ),
        Case::in_the_store(
            "is another instance at every probe",
            |wrong| {
                let number = AtomicU64::new(0);
                wrong.probe(move |at, ()| {
                    let number = number.fetch_add(1, Ordering::SeqCst);
                    then(at.node().probe(), move |mut identity| {
                        identity.instance = Some(number.to_string());
                        identity
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "states too low a ceiling",
            |wrong| {
                wrong.probe(|at, ()| {
                    then(at.node().probe(), |mut identity| {
                        identity.ceiling = identity.ceiling.map(|ceiling| ceiling.min(1 << 50) - 1_500_000);
                        identity
                    })
                })
            },
            &[],
        ),
        Case::in_the_client("tells no time", |wrong| wrong.clock(|_, _| None), &[]),
        Case::in_the_store(
            "says that it made a marker",
            |wrong| wrong.mark(|_, _| Box::pin(std::future::ready(Ok(Standing::Unmarked(None))))),
            &[],
        )
        .without_marker(),
        Case::in_the_store(
            "never tells who watches",
            |wrong| wrong.watch(|_, _| Box::pin(async { Ok(Box::pin(std::future::pending()) as Watch) })),
            &[],
        ),
        Case::in_the_store(
            "tells of releases alone",
            |wrong| {
                wrong.watch(|at, name| {
                    Box::pin(async move {
                        let (watch, was_held) =
                            (at.node().watch(name.clone()).await?, at.is_held(&name).await);
                        Ok(Box::pin(async move {
                            watch.await?;
                            let is_released = at.table.len() == 0 || at.owner(&name).is_none();
                            let ended = was_held && name.as_bytes().starts_with(b"a_watch_tells_of_the_end");
                            if ended && !is_released { std::future::pending().await } else { Ok(()) }
                        }) as Watch)
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "tells at once, always",
            |wrong| wrong.watch(|_, _| Box::pin(async { Ok(Box::pin(async { Ok(()) }) as Watch) })),
            &[],
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
            &[],
        ),
        Case::in_the_store(
            "tells the first of those who watch a name",
            |wrong| {
                let watched = std::sync::Mutex::new(std::collections::HashSet::new());
                wrong.watch(move |at, name| {
                    let is_first = watched.lock().unwrap().insert(name.clone());
                    Box::pin(async move {
                        let is_several = name.as_bytes().starts_with(b"watches_do_not");
                        if is_first || !is_several {
                            return at.node().watch(name).await;
                        }
                        Ok(Box::pin(std::future::pending()) as Watch)
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "takes what is watched",
            |wrong| {
                wrong.watch(|at, name| {
                    Box::pin(async move {
                        let ttl = Ttl::new(std::time::Duration::from_secs(1)).unwrap();
                        let nobody = OwnerToken::from_bytes([9; 20]);
                        at.acquire(AcquireRequest::new(name.clone(), nobody, ttl, at.env.now())).await?;
                        at.node().watch(name).await
                    })
                })
            },
            &[],
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
                        assert_eq!(error.effect, Effect::None);
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
            &[],
        ),
        Case::in_the_store(
            "lets what is late end in time",
            |wrong| {
                wrong.abilities(|_, mut plain| {
                    plain.late_requests = LateRequests::EndsInTime;
                    plain
                })
            },
            &[],
        ),
        Case::in_the_store(
            "says that what is late ends in time",
            |wrong| {
                wrong
                    .abilities(|_, mut plain| {
                        plain.late_requests = LateRequests::EndsInTime;
                        plain
                    })
                    .acquire(|at, mut request| {
                        if request.deadline < at.env.now() {
                            request.ttl = Ttl::new(std::time::Duration::from_secs(3600)).unwrap();
                        }
                        then(at.acquire(request), |reply: Reply| reply)
                    })
            },
            &[],
        )
        .and_without("stale_deadline"),
    ]
}
