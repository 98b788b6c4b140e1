//! Defects of fencing counters.

use redlock::node::{
    AcquireRequest, ExtendRequest, Fence, Grant, NodeError, NodeErrorKind, RaiseRequest, RefusalReason, Reply,
};

use super::Case;
use crate::wrong::{Wrong, then, with};

fn counterless(reply: Reply) -> Reply {
    match reply {
        Reply::Granted(grant) => Reply::Granted(Grant::default().in_memory(grant.incarnation)),
        refused => refused,
    }
}

/// A node without counters.
fn no_fencing(wrong: Wrong) -> Wrong {
    wrong.abilities(|_, plain| {
        let mut abilities = plain;
        abilities.fencing = false;
        abilities
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::without("fence_clamp", &[]),
        Case::without("fence_once", &[]),
        Case::in_the_store(
            "says nothing of the counter",
            |wrong| wrong.acquire(|at, request| then(at.acquire(request), counterless)),
            &[],
        ),
        Case::in_the_store(
            "ignores the hint",
            |wrong| {
                wrong.acquire(|at, request| {
                    let fence = request.fence.map(|fence| with(fence, |it| it.hint = 0));
                    at.acquire(with(request, |it| it.fence = fence))
                })
            },
            &[],
        ),
        Case::in_the_store(
            "ignores the span",
            |wrong| {
                wrong.acquire(|at, request| {
                    let fence = request.fence.map(|fence| with(fence, |it| it.span = 1));
                    at.acquire(with(request, |it| it.fence = fence))
                })
            },
            &[],
        ),
        Case::in_the_store(
            "forgets the counter with the lock",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        if request.fence.is_some() && !at.is_held(&request.name).await {
                            at.table.forget_counter(&request.name);
                        }
                        at.acquire(request).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "does not count for another owner",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let stands = at.node().inspect(request.name.clone()).await?.counter;
                        let is_fenced = request.fence.is_some();
                        let reply = at
                            .acquire(with(request, |it| it.fence = it.fence.filter(|_| stands.is_none())))
                            .await?;
                        Ok(match reply {
                            Reply::Granted(grant) if is_fenced && stands.is_some() => Reply::Granted(
                                Grant::with_counter(stands.unwrap()).in_memory(grant.incarnation),
                            ),
                            reply => reply,
                        })
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "does not raise with an extension",
            |wrong| {
                wrong.extend(|at, request| {
                    let wanted = request.fence.map(|raise| raise.to);
                    then(at.extend(with(request, |it| it.fence = None)), move |reply| match reply {
                        Reply::Granted(grant) if wanted.is_some() => {
                            Reply::Granted(Grant::with_counter(wanted.unwrap()).in_memory(grant.incarnation))
                        }
                        reply => reply,
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "lowers the counter with a raise",
            |wrong| {
                wrong.raise(|at, request| {
                    Box::pin(async move {
                        if at.owner(&request.name) == Some(request.owner) && at.is_held(&request.name).await {
                            at.table.forget_counter(&request.name);
                        }
                        at.node().raise(request).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "raises for anybody",
            |wrong| {
                wrong.raise(|at, request| {
                    let owner = at.owner(&request.name).unwrap_or(request.owner);
                    at.node().raise(with(request, |it| it.owner = owner))
                })
            },
            &[],
        ),
        Case::in_the_store(
            "begins anew at the end",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let reply = at.acquire(request.clone()).await?;
                        match reply {
                            Reply::Refused(refusal) if refusal.reason == RefusalReason::Exhausted => {
                                at.table.forget_counter(&request.name);
                                let fence = request.fence.map(|fence| with(fence, |it| it.span = 1));
                                at.acquire(with(request, |it| it.fence = fence)).await
                            }
                            reply => Ok(reply),
                        }
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "counts without being asked",
            |wrong| {
                wrong.acquire(|at, request| {
                    let is_fenced = request.fence.is_some();
                    let fence = request.fence.unwrap_or(Fence::new(0, 1, std::time::Duration::from_secs(60)));
                    let asked = at.acquire(with(request, |it| it.fence = Some(fence)));
                    then(asked, move |reply| if is_fenced { reply } else { counterless(reply) })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "a node without counters that says so",
            |wrong| {
                no_fencing(wrong).acquire(|at, request| match request.fence {
                    None => at.acquire(request),
                    Some(_) => Box::pin(std::future::ready(Err(NodeError::without_effect(
                        &at.node().address().into(),
                        NodeErrorKind::Unsupported,
                        "no counters",
                    )))),
                })
            },
            &[],
        ),
        Case::in_the_store(
            "grants a fence without a counter",
            |wrong| no_fencing(wrong).acquire(|at, request| then(at.acquire(request), counterless)),
            &[],
        ),
    ]
}
