//! Defects of what a node says: of its locks, and of itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redlock::node::{
    AcquireRequest, Durability, ExtendRequest, LateRequests, NodeError, NodeErrorKind, ReleaseRequest, Reply,
    Standing,
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
            &[
                "a_refusal_changes_nothing",
                "what_nobody_has_is_restored_when_asked",
                "what_another_has_is_not_restored",
                "an_owner_releases_what_it_has",
                "a_release_is_never_refused",
                "requests_run_in_the_order_of_their_first_polls",
                "a_look_changes_nothing",
                "any_bytes_are_a_name",
                "a_watch_takes_nothing",
                "owners_go_on_in_quarantine",
            ],
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
            &[
                "a_refusal_changes_nothing",
                "a_lock_ends",
                "nobody_releases_what_another_has",
                "a_release_repeated_changes_nothing",
                "a_release_is_never_refused",
                "namespaces_are_separate",
            ],
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
            &[
                "a_release_is_never_refused",
                "what_is_long_past_is_settled",
                "what_is_settled_is_gone",
                "a_silent_store_is_released_behind",
            ],
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
            &["what_is_long_past_is_settled", "what_is_settled_is_gone", "a_silent_store_is_released_behind"],
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
            &["without_unanswered_requests_all_is_settled"],
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
            &[
                "a_refusal_changes_nothing",
                "a_lock_ends",
                "what_has_gone_is_missing",
                "an_owner_releases_what_it_has",
                "a_release_is_never_refused",
                "what_is_settled_is_gone",
                "a_late_acquire_is_refused",
                "a_late_extension_is_refused",
                "nothing_is_sent_before_the_first_poll",
                "requests_run_in_the_order_of_their_first_polls",
                "a_request_takes_effect_once",
                "counters_outlive_their_locks",
                "a_counter_at_its_end_gives_nothing",
                "a_look_agrees_with_what_was_done",
                "a_look_changes_nothing",
                "an_examination_changes_nothing",
                "a_look_says_whose_it_is",
                "a_description_goes_with_its_lock",
                "a_watch_takes_nothing",
                "what_has_queued_up_takes_nothing_late",
                "a_silent_store_is_released_behind",
            ],
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
            &[
                "a_lock_ends",
                "nobody_prolongs_what_another_has",
                "what_has_gone_is_missing",
                "a_release_is_never_refused",
                "a_late_extension_is_refused",
                "counters_outlive_their_locks",
                "a_look_changes_nothing",
                "a_description_goes_with_its_lock",
            ],
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
            &["a_look_agrees_with_what_was_done"],
        ),
        Case::in_the_store(
            "frees what is examined",
            |wrong| {
                wrong.examine(|at, ()| {
                    Box::pin(async move {
                        // Not what the other checks hold meanwhile.
                        for (name, owner) in at.names() {
                            if name.as_bytes().starts_with(b"an_examination") {
                                at.node().release(ReleaseRequest::new(name, owner, None)).await?;
                            }
                        }
                        at.node().examine().await
                    })
                })
            },
            &["an_examination_changes_nothing"],
        ),
        Case::in_the_client(
            "has another address for every client",
            |wrong| wrong.address(|at, plain| format!("{plain}-{}", at.client)),
            &["the_address_tells_no_secret"],
        ),
        Case::in_the_client(
            "prints a secret",
            |wrong| wrong.debug(|_, plain| format!("{plain} with the password hunter2")),
            &["the_address_tells_no_secret"],
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
            &["abilities_stay_the_same"],
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
            &["a_probe_says_the_same_again"],
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
        Case::in_the_client(
            "tells no time",
            |wrong| wrong.clock(|_, _| None),
            &["a_clock_that_can_be_set_is_told"],
        ),
        Case::in_the_store(
            "says that it made a marker",
            |wrong| wrong.mark(|_, _| Box::pin(std::future::ready(Ok(Standing::Unmarked(None))))),
            &["without_a_marker_there_is_nothing_to_mark"],
        )
        .without_marker(),
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
            &["what_is_granted_late_ends", "what_has_queued_up_takes_nothing_late"],
        )
        .and_without("stale_deadline"),
    ]
}
