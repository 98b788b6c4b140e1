//! Defects of markers and of memory.

use redlock::node::{
    Durability, ExtendRequest, Grant, Mark, MarkRequest, Refusal, RefusalReason, Reply, Standing,
};

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
        Case::without("marker_check", &[]),
        Case::without("quarantine_from_marker", &[]),
        Case::in_the_store(
            "ignores a floor that is raised",
            |wrong| {
                wrong.mark(|at, request| match request.mark {
                    Mark::Raise { .. } => Box::pin(async move { Ok(at.node().standing()) }),
                    _ => at.node().mark(request),
                })
            },
            &[],
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
            &[],
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
            &[],
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
            &[],
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
            &[],
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
            &[],
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
            &[],
        ),
        Case::in_the_store(
            "takes what init says for a new memory",
            |wrong| {
                wrong.mark(|at, request| {
                    Box::pin(async move {
                        if let (Mark::Init { floor, .. }, true) =
                            (request.mark, is_in_quarantine(at.node().standing()))
                        {
                            // In two steps: the second is left out.
                            let _ = floor;
                            return Ok(at.node().standing());
                        }
                        at.node().mark(request).await
                    })
                })
            },
            &[],
        ),
        Case::in_the_store(
            "says that it is durable",
            |wrong| {
                wrong.abilities(|_, mut plain| {
                    plain.durability = Durability::Durable;
                    plain
                })
            },
            &[],
        ),
    ]
}
