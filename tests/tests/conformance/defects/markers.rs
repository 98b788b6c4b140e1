//! Defects of markers and of memory.

use redlock::node::{Durability, ExtendRequest, Mark, MarkRequest, Refusal, RefusalReason, Reply, Standing};

use super::Case;
use crate::wrong::{then, with};

fn is_quarantined(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused(refusal) if refusal.reason == RefusalReason::Quarantined)
}

fn is_in_quarantine(standing: Standing) -> bool {
    matches!(standing, Standing::Marked(marker) if marker.floor.is_none())
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::without("marker_check", &["a_node_that_forgot_grants_nothing"]),
        Case::without("quarantine_from_marker", &["a_quarantine_lasts_its_time"]),
        Case::in_the_store(
            "ignores a floor that is raised",
            |wrong| {
                wrong.mark(|at, request| match request.mark {
                    Mark::Raise { .. } => Box::pin(async move { Ok(at.node().standing()) }),
                    _ => at.node().mark(request),
                })
            },
            &["another_clients_mark_is_seen", "counters_begin_above_the_floor"],
        ),
        Case::in_the_store(
            "does not say which memory has granted",
            |wrong| {
                wrong.acquire(|at, request| {
                    then(at.acquire(request), |reply| match reply {
                        Reply::Granted(grant) => Reply::Granted(with(grant, |it| it.incarnation = None)),
                        refused => refused,
                    })
                })
            },
            &["a_grant_names_the_memory_that_holds_it"],
        ),
        Case::in_the_store(
            "grants in quarantine",
            |wrong| {
                wrong.acquire(|at, request| {
                    Box::pin(async move {
                        let reply = at.acquire(request.clone()).await?;
                        if !is_quarantined(&reply) {
                            return Ok(reply);
                        }
                        let mut restoring =
                            ExtendRequest::new(request.name, request.owner, request.ttl, request.deadline);
                        restoring.restore = true;
                        at.extend(restoring).await
                    })
                })
            },
            &["a_quarantine_grants_nothing_new", "a_quarantine_lasts_its_time"],
        ),
        Case::in_the_store(
            "does not say how long a quarantine lasts",
            |wrong| {
                wrong.acquire(|at, request| {
                    then(at.acquire(request), |reply| match reply {
                        Reply::Refused(refusal) if refusal.reason == RefusalReason::Quarantined => {
                            Reply::Refused(Refusal::new(refusal.reason, None))
                        }
                        reply => reply,
                    })
                })
            },
            &["a_quarantine_grants_nothing_new"],
        ),
        Case::in_the_store(
            "stops owners in quarantine",
            |wrong| {
                wrong.extend(|at, request| match is_in_quarantine(at.node().standing()) {
                    true => {
                        Box::pin(async { Ok(Reply::Refused(Refusal::new(RefusalReason::Quarantined, None))) })
                    }
                    false => at.extend(request),
                })
            },
            &["owners_go_on_in_quarantine"],
        ),
        Case::in_the_store(
            "ends a quarantine when it is told to",
            |wrong| {
                wrong.mark(|at, mut request| {
                    if let (Mark::Admit { floor }, Standing::Marked(marker)) =
                        (request.mark, at.node().standing())
                    {
                        request = MarkRequest::new(
                            marker.charter,
                            Mark::Init { incarnation: marker.incarnation, floor },
                        );
                    }
                    at.node().mark(request)
                })
            },
            &["a_quarantine_lasts_its_time"],
        ),
        Case::in_the_store(
            "lets anybody join",
            |wrong| {
                wrong.mark(|at, mut request| {
                    if let (Mark::Join, Standing::Marked(marker)) = (request.mark, at.node().standing()) {
                        let floor = marker.floor.unwrap_or(1);
                        request.mark = Mark::Init { incarnation: marker.incarnation, floor };
                    }
                    at.node().mark(request)
                })
            },
            &["to_join_changes_the_charter_alone"],
        ),
        Case::in_the_store(
            "waits for the end of a quarantine when it is told to init",
            |wrong| {
                wrong.mark(|at, request| {
                    let standing = at.node().standing();
                    match request.mark {
                        Mark::Init { .. } if is_in_quarantine(standing) => {
                            Box::pin(async move { Ok(standing) })
                        }
                        _ => at.node().mark(request),
                    }
                })
            },
            &[
                "owners_go_on_in_quarantine",
                "a_quarantine_lasts_its_time",
                "to_init_admits_at_once",
                "to_join_changes_the_charter_alone",
                "counters_begin_above_the_floor",
                "a_node_that_forgot_grants_nothing",
            ],
        ),
        Case::in_the_store(
            "says that it is durable",
            |wrong| {
                wrong.abilities(|_, mut plain| {
                    plain.durability = Durability::Durable;
                    plain
                })
            },
            &["locks_outlive_a_restart"],
        ),
    ]
}
