//! Requests that come after their deadline.

use std::time::Duration;

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use super::client::fence;
use crate::id::Instant;
use crate::node::{AcquireRequest, RefusalReason, Reply};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            a_late_acquire_is_refused,
            [LateRefused],
            "An acquire that the store would run after its deadline is refused, and takes nothing."
        ),
        check!(
            a_late_extension_is_refused,
            [LateRefused],
            "An extension after its deadline is refused: it neither prolongs nor restores."
        ),
        check!(
            a_late_raise_is_refused,
            [LateRefused, Fencing],
            "A raise after its deadline is refused, and changes nothing."
        ),
        check!(
            what_is_granted_late_ends,
            [LateEndsInTime],
            "What a request grants that ran after its deadline ends no later than if it had run in time."
        ),
    ]
}

/// Long enough ago that no clock is in doubt.
fn past(bench: &Bench) -> Instant {
    bench.now().saturating_sub(Duration::from_millis(500))
}

const LATE: &str = "a request after its deadline";

async fn a_late_acquire_is_refused(bench: Bench) -> Verdict {
    for client in [bench.one(), bench.other()] {
        let claim = bench.claim()?;
        let request = AcquireRequest { deadline: past(&bench), ..client.acquisition(&claim, bench.long()) };
        client.ask_to_acquire(request).await?.refused(RefusalReason::Stale, LATE)?;
        bench.stays_free(&claim, "behind an acquire that came too late").await?;
    }
    Ok(())
}

async fn a_late_extension_is_refused(bench: Bench) -> Verdict {
    let gone = bench.claim()?;
    let mut request = bench.one().extension(&gone, bench.long());
    (request.deadline, request.restore) = (past(&bench), true);
    bench.one().ask_to_extend(request).await?.refused(RefusalReason::Stale, LATE)?;
    bench.stays_free(&gone, "behind an extension that came too late").await?;

    let (claim, _) = bench.held_by(bench.one(), bench.short()).await?;
    let mut request = bench.one().extension(&claim, bench.long());
    request.deadline = past(&bench);
    bench.one().ask_to_extend(request).await?.refused(RefusalReason::Stale, LATE)?;
    bench.becomes_free(&claim, "an extension that came too late prolongs nothing").await
}

async fn a_late_raise_is_refused(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let grant = bench.one().acquire_fenced(&claim, bench.long(), fence(now, 1)).await?;
    let counter = grant.granted("a name that nobody has")?.counter()?;
    let mut request = bench.one().raising(&claim, bench.long(), counter + 5);
    request.deadline = past(&bench);
    bench.one().ask_to_raise(request).await?.refused(RefusalReason::Stale, LATE)?;
    let look = bench.one().inspect(&claim.name).await?.value;
    expect(look.counter == Some(counter), "a late raise leaves the counter where it stood", || {
        format!("{look:?} instead of {counter}")
    })?;
    bench.one().release(&claim).await.map(drop)
}

async fn what_is_granted_late_ends(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let mut request = bench.one().acquisition(&claim, bench.short());
    request.deadline = past(&bench);
    match bench.one().node.clone().acquire(request).await {
        Ok(Reply::Refused(refusal)) => {
            let is_stale = refusal.reason == RefusalReason::Stale;
            expect(is_stale, "a late acquire of what nobody has is granted, or stale", || {
                format!("refused: {}", refusal.reason)
            })?;
        }
        // Unknown: it may have been granted.
        Ok(Reply::Granted(_)) | Err(_) => {}
    }
    bench.becomes_free(&claim, "what a late request grants ends").await
}
