//! Defects of fencing counters.

use redlock::node::{Fence, Grant, NodeError, NodeErrorKind, RefusalReason, Reply};

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
        Case::without(
            "fence_clamp",
            &["counters_rise_with_every_owner", "a_wild_hint_moves_a_counter_by_a_second"],
        ),
        Case::without("fence_once", &["asking_again_does_not_count"]),
        Case::in_the_store(
            "says nothing of the counter",
            |wrong| wrong.acquire(|at, request| then(at.acquire(request), counterless)),
            &[
                "a_late_raise_is_refused",
                "a_grant_says_where_the_counter_stands",
                "counters_rise_with_every_owner",
                "a_span_is_counted",
                "asking_again_does_not_count",
                "a_wild_hint_moves_a_counter_by_a_second",
                "a_raise_goes_up_only",
                "nobody_raises_what_another_has",
                "an_extension_raises_the_counter",
                "counters_outlive_their_locks",
                "a_counter_at_its_end_gives_nothing",
                "without_a_fence_the_counter_is_left_alone",
                "no_counter_is_above_the_ceiling",
                "counters_begin_above_the_floor",
            ],
        ),
        Case::in_the_store(
            "ignores the hint",
            |wrong| {
                wrong.acquire(|at, request| {
                    let fence = request.fence.map(|fence| with(fence, |it| it.hint = 0));
                    at.acquire(with(request, |it| it.fence = fence))
                })
            },
            &["a_grant_says_where_the_counter_stands", "a_span_is_counted"],
        ),
        Case::in_the_store(
            "ignores the span",
            |wrong| {
                wrong.acquire(|at, request| {
                    let fence = request.fence.map(|fence| with(fence, |it| it.span = 1));
                    at.acquire(with(request, |it| it.fence = fence))
                })
            },
            &["a_span_is_counted", "a_counter_at_its_end_gives_nothing"],
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
            &[
                "counters_rise_with_every_owner",
                "a_span_is_counted",
                "a_raise_goes_up_only",
                "counters_outlive_their_locks",
                "a_counter_at_its_end_gives_nothing",
            ],
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
            &[
                "counters_rise_with_every_owner",
                "a_span_is_counted",
                "a_raise_goes_up_only",
                "counters_outlive_their_locks",
                "a_counter_at_its_end_gives_nothing",
            ],
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
            &["an_extension_raises_the_counter"],
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
            &["a_late_raise_is_refused", "a_raise_goes_up_only"],
        ),
        Case::in_the_store(
            "raises for anybody",
            |wrong| {
                wrong.raise(|at, request| {
                    let owner = at.owner(&request.name).unwrap_or(request.owner);
                    at.node().raise(with(request, |it| it.owner = owner))
                })
            },
            &["nobody_raises_what_another_has"],
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
            &["a_counter_at_its_end_gives_nothing"],
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
            &["without_a_fence_the_counter_is_left_alone"],
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
            &["without_counters_no_fence_is_granted"],
        ),
    ]
}
