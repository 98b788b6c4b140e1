//! Defects of taking, keeping and giving back.

use std::time::Duration;

use redlock::node::{AcquireRequest, Refusal, RefusalReason, ReleaseRequest, Reply};
use redlock::{OwnerToken, Ttl};

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
            &[
                "one_owner_at_a_time",
                "of_many_at_once_one_gets_it",
                "a_refusal_changes_nothing",
                "a_refusal_names_the_owner_or_nobody",
                "a_refusal_says_how_long",
                "what_nobody_has_is_restored_when_asked",
                "namespaces_are_separate",
            ],
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
            &["of_many_at_once_one_gets_it", "requests_run_in_the_order_of_their_first_polls"],
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
            &[
                "one_owner_at_a_time",
                "of_many_at_once_one_gets_it",
                "a_refusal_changes_nothing",
                "a_refusal_names_the_owner_or_nobody",
                "a_refusal_says_how_long",
            ],
        ),
        Case::in_the_store(
            "names another owner with a refusal",
            |wrong| {
                wrong.acquire(|at, request| {
                    then(at.acquire(request), |reply| match reply {
                        Reply::Refused(refusal) => {
                            let other = OwnerToken::from_bytes([7; OwnerToken::BYTES]);
                            Reply::Refused(refusal.of_owner((&other).into()))
                        }
                        granted => granted,
                    })
                })
            },
            &["a_refusal_names_the_owner_or_nobody"],
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
            &["a_refusal_says_how_long", "a_quarantine_grants_nothing_new"],
        ),
        Case::in_the_store(
            "grants for half the TTL",
            |wrong| {
                wrong.acquire(|at, request| {
                    let half = ttl(request.ttl.get() / 2);
                    at.acquire(with(request, |it| it.ttl = half))
                })
            },
            &[
                "a_refusal_changes_nothing",
                "a_refusal_says_how_long",
                "a_lock_lasts_its_ttl",
                "asking_again_gives_a_fresh_ttl",
                "asking_again_never_shortens",
                "an_extension_never_shortens",
                "nobody_prolongs_what_another_has",
                "a_look_agrees_with_what_was_done",
            ],
        ),
        Case::in_the_store(
            "grants for an hour at least",
            |wrong| {
                wrong.acquire(|at, request| {
                    let long = ttl(request.ttl.get().max(HOUR));
                    at.acquire(with(request, |it| it.ttl = long))
                })
            },
            &[
                "a_refusal_says_how_long",
                "a_lock_ends",
                "nobody_prolongs_what_another_has",
                "what_has_gone_is_missing",
                "a_release_is_never_refused",
                "a_late_extension_is_refused",
                "counters_outlive_their_locks",
                "a_look_agrees_with_what_was_done",
                "a_look_changes_nothing",
                "a_description_goes_with_its_lock",
                "a_watch_tells_of_the_end",
                "what_has_queued_up_takes_nothing_late",
            ],
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
            &["asking_again_gives_a_fresh_ttl"],
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
            &["asking_again_never_shortens"],
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
            &["the_longest_ttl_is_as_stated"],
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
            &["an_owner_prolongs_what_it_has"],
        ),
        Case::without("never_shorten", &["an_extension_never_shortens"]),
        Case::without(
            "extend_owner_check",
            &["nobody_prolongs_what_another_has", "what_another_has_is_not_restored"],
        ),
        Case::without(
            "release_owner_check",
            &[
                "a_refusal_changes_nothing",
                "a_lock_ends",
                "nobody_releases_what_another_has",
                "a_release_repeated_changes_nothing",
                "namespaces_are_separate",
            ],
        ),
        Case::without(
            "stale_deadline",
            &[
                "a_late_acquire_is_refused",
                "a_late_extension_is_refused",
                "a_late_raise_is_refused",
                "what_has_queued_up_takes_nothing_late",
            ],
        ),
        Case::in_the_store(
            "restores what nobody asked to restore",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.restore = true;
                    at.extend(request)
                })
            },
            &["what_has_gone_is_missing"],
        ),
        Case::in_the_store(
            "restores nothing",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.restore = false;
                    at.extend(request)
                })
            },
            &[
                "what_nobody_has_is_restored_when_asked",
                "requests_run_in_the_order_of_their_first_polls",
                "a_request_takes_effect_once",
                "an_extension_raises_the_counter",
                "what_is_restored_brings_its_description",
                "owners_go_on_in_quarantine",
            ],
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
            &["what_another_has_is_not_restored"],
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
            &[
                "one_owner_at_a_time",
                "a_refusal_changes_nothing",
                "what_has_gone_is_missing",
                "an_owner_releases_what_it_has",
                "a_release_repeated_changes_nothing",
                "a_release_is_never_refused",
                "what_is_settled_is_gone",
                "requests_run_in_the_order_of_their_first_polls",
                "a_request_takes_effect_once",
                "any_executor_will_do",
                "counters_rise_with_every_owner",
                "a_span_is_counted",
                "a_wild_hint_moves_a_counter_by_a_second",
                "a_raise_goes_up_only",
                "nobody_raises_what_another_has",
                "a_counter_at_its_end_gives_nothing",
                "without_a_fence_the_counter_is_left_alone",
                "a_look_agrees_with_what_was_done",
                "a_look_says_whose_it_is",
                "a_description_goes_with_its_lock",
                "what_is_restored_brings_its_description",
                "a_watch_tells_of_a_release",
                "watches_do_not_know_of_each_other",
                "a_watch_takes_nothing",
                "a_silent_store_is_released_behind",
                "owners_go_on_in_quarantine",
            ],
        ),
        Case::in_the_store(
            "takes names that differ behind a NUL for one",
            |wrong| {
                wrong.and(|wrong| {
                    renamed(wrong, |name| name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
                })
            },
            &["any_bytes_are_a_name"],
        ),
        Case::in_the_store(
            "takes capital letters for small ones",
            |wrong| wrong.and(|wrong| renamed(wrong, |name| name.to_ascii_lowercase())),
            &["any_bytes_are_a_name"],
        ),
        Case::in_the_store(
            "cuts names at 250 bytes",
            |wrong| wrong.and(|wrong| renamed(wrong, |name| name[..name.len().min(250)].to_vec())),
            &["any_bytes_are_a_name"],
        ),
        Case::in_the_store(
            "keeps something of its own under a name",
            |wrong| {
                wrong.and(|wrong| {
                    renamed(wrong, |name| name.strip_suffix(b":counter").unwrap_or(name).to_vec())
                })
            },
            &["any_bytes_are_a_name"],
        ),
        Case::in_the_store("has one namespace", |plain| plain, &["namespaces_are_separate"])
            .with_one_namespace(),
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
