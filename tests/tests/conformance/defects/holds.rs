//! Defects of taking, keeping and giving back.

use std::time::Duration;

use redlock::Ttl;
use redlock::node::{AcquireRequest, Refusal, RefusalReason, ReleaseRequest, Reply};

use super::Case;
use crate::wrong::{Place, Wrong, then, with};

fn is_held(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(refusal) if refusal.reason == RefusalReason::Held)
}

fn ttl(of: Duration) -> Ttl {
    Ttl::new(of).unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);

/// Takes a name from whoever has it.
async fn take(at: &Place, request: AcquireRequest) -> Reply {
    at.free(&request.name).await;
    at.acquire(request).await.unwrap()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::in_the_store(
            "grants what another has",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let reply = at.acquire(request.clone()).await?;
                        if is_held(&reply) { Ok(take(&at, request).await) } else { Ok(reply) }
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "looks first, and takes then",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let is_free = !at.is_held(&request.name).await;
                        at.sleep(1).await;
                        let reply = at.acquire(request.clone()).await?;
                        if is_free && is_held(&reply) { Ok(take(&at, request).await) } else { Ok(reply) }
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "frees what it refuses",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let reply = at.acquire(request.clone()).await?;
                        if is_held(&reply) {
                            at.free(&request.name).await;
                        }
                        Ok(reply)
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "gives no time with a refusal",
            |wrong| {
                wrong.acquire(|at, request| {
                    then(at.acquire(request), |reply| match reply {
                        Reply::Refused(refusal) => Reply::Refused(Refusal::new(refusal.reason, None)),
                        granted => granted,
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "grants for half the TTL",
            |wrong| {
                wrong.acquire(|at, request| {
                    let half = ttl(request.ttl.get() / 2);
                    at.acquire(with(request, |it| it.ttl = half))
                })
            },
            &[],
        ),
        Case::in_the_store(
            "grants for an hour at least",
            |wrong| {
                wrong.acquire(|at, request| {
                    let long = ttl(request.ttl.get().max(HOUR));
                    at.acquire(with(request, |it| it.ttl = long))
                })
            },
            &[],
        ),
        Case::in_the_store(
            "gives no fresh TTL to who asks again",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let is_again =
                            at.is_held(&request.name).await && at.owner(&request.name) == Some(request.owner);
                        let short = with(request.clone(), |it| it.ttl = ttl(Ttl::MIN));
                        at.acquire(if is_again { short } else { request }).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "shortens what is asked for again",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        if request.fence.is_none() && at.owner(&request.name) == Some(request.owner) {
                            at.free(&request.name).await;
                        }
                        at.acquire(request).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "grants longer than it says it can",
            |wrong| {
                wrong.abilities(|_, plain| {
                    let mut abilities = plain;
                    abilities.longest_ttl = Some(Duration::from_secs(30));
                    abilities
                })
            },
            &[],
        ),
        Case::in_the_store(
            "prolongs nothing",
            |wrong| {
                wrong.extend(|at, request| {
                    let short = ttl(Ttl::MIN);
                    if request.restore {
                        return at.extend(request);
                    }
                    let mut request = request;
                    request.ttl = short;
                    at.extend(request)
                })
            },
            &[],
        ),
        Case::without("never_shorten", &[]),
        Case::without("extend_owner_check", &[]),
        Case::without("release_owner_check", &[]),
        Case::without("stale_deadline", &[]),
        Case::in_the_store(
            "restores what nobody asked to restore",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.restore = true;
                    at.extend(request)
                })
            },
            &[],
        ),
        Case::in_the_store(
            "restores nothing",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.restore = false;
                    at.extend(request)
                })
            },
            &[],
        ),
        Case::in_the_store(
            "restores what another has",
            |wrong| {
                wrong.extend(|at, request| {
                    Box::pin(async move {
                        let reply = at.extend(request.clone()).await?;
                        if !request.restore || !is_held(&reply) {
                            return Ok(reply);
                        }
                        at.free(&request.name).await;
                        at.extend(request).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "releases nothing",
            |wrong| {
                wrong.release(|at, request| {
                    Box::pin(async move {
                        let held =
                            at.is_held(&request.name).await && at.owner(&request.name) == Some(request.owner);
                        let mut released = at.node().release(nobodys(&request)).await?;
                        released.was_held = held;
                        Ok(released)
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "takes names that differ behind a NUL for one",
            |wrong| {
                wrong.and(|wrong| {
                    renamed(wrong, |name| name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
                })
            },
            &[],
        ),
        Case::in_the_store(
            "takes capital letters for small ones",
            |wrong| wrong.and(|wrong| renamed(wrong, |name| name.to_ascii_lowercase())),
            &[],
        ),
        Case::in_the_store(
            "cuts names at 250 bytes",
            |wrong| wrong.and(|wrong| renamed(wrong, |name| name[..name.len().min(250)].to_vec())),
            &[],
        ),
        Case::in_the_store(
            "keeps something of its own under a name",
            |wrong| {
                wrong.and(|wrong| {
                    renamed(wrong, |name| name.strip_suffix(b":counter").unwrap_or(name).to_vec())
                })
            },
            &[],
        ),
        Case::in_the_store(
            "has one namespace",
            |wrong| {
                // A name is held everywhere as soon as it is held anywhere.
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let reply = at.acquire(request.clone()).await?;
                        let is_elsewhere =
                            at.client == 2 && request.name.as_bytes().starts_with(b"namespaces");
                        if is_elsewhere {
                            Ok(Reply::Refused(Refusal::new(RefusalReason::Held, None)))
                        } else {
                            Ok(reply)
                        }
                    })
                })
            },
            &[],
        ),
    ]
}

fn nobodys(request: &ReleaseRequest) -> ReleaseRequest {
    let nobody = redlock::OwnerToken::from_bytes([0; 20]);
    ReleaseRequest::new(request.name.clone(), nobody, request.unsettled)
}

/// Names are stored otherwise than they are.
fn renamed(wrong: Wrong, rename: fn(&[u8]) -> Vec<u8>) -> Wrong {
    let name = move |name: &redlock::LockName| {
        let renamed = rename(name.as_bytes());
        redlock::LockName::new(if renamed.is_empty() { b"nothing".to_vec() } else { renamed }).unwrap()
    };
    wrong
        .acquire(move |at, request| at.acquire(with(request, |it| it.name = name(&it.name))))
        .extend(move |at, mut request| {
            request.name = name(&request.name);
            at.extend(request)
        })
        .raise(move |at, mut request| {
            request.name = name(&request.name);
            at.node().raise(request)
        })
        .release(move |at, mut request| {
            request.name = name(&request.name);
            at.node().release(request)
        })
        .inspect(move |at, looked| at.node().inspect(name(&looked)))
        .watch(move |at, watched| at.node().watch(name(&watched)))
}
