//! What a node says while its store says nothing, and what the store does when it goes on.

use std::time::Duration;

use futures::FutureExt;

use super::bench::Bench;
use super::check::{Check, Stop, Verdict, check, expect};
use super::client::{Claim, Client};
use super::releasing::is_gone_when_settled;
use super::subject::Hook;
use crate::id::Instant;
use crate::node::{
    AcquireRequest, Effect, LateRequests, NodeError, NodeErrorKind, NodeFuture, RefusalReason,
    ReleaseRequest, Reply,
};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            a_silent_store_gives_no_vote,
            [Pausing],
            "While the store does not answer there is no vote: an error, or nothing. An error that says there was no effect is right."
        ),
        check!(
            what_has_queued_up_takes_nothing_late,
            [Pausing],
            "A store that was stopped runs what has queued up when it goes on: a request after its deadline is refused, or what it grants ends as if it had run in time."
        ),
        check!(
            a_silent_store_is_released_behind,
            [Pausing],
            "A release behind a request that was given up while the store was silent leaves nothing of it, once it is settled."
        ),
        check!(
            what_waits_is_bounded,
            [Pausing],
            "A store that does not answer costs a bounded amount of memory; what does not fit is refused as overloaded, without effect."
        ),
    ]
}

/// The deadline of what is asked in vain.
const VAIN: Duration = Duration::from_millis(150);
/// More requests than any node should keep.
const MANY: usize = 100_000;

/// Goes on when dropped.
struct Stopped(Option<Hook>);

impl Stopped {
    fn new(bench: &Bench) -> Self {
        let Some((pause, resume)) = bench.stage.subject.pause.clone() else { return Self(None) };
        pause();
        Self(Some(resume))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(resume) = self.0.take() {
            resume();
        }
    }
}

type Asked = NodeFuture<Reply>;
type Answered = Option<Result<Reply, NodeError>>;

/// Asks while the store stands still, waits until `deadline` has passed, and lets it go on.
async fn ask_in_vain<const N: usize>(
    bench: &Bench,
    deadline: Instant,
    mut asked: [Asked; N],
) -> [(Asked, Answered); N] {
    let stopped = Stopped::new(bench);
    let first = asked.each_mut().map(|asked| asked.now_or_never());
    bench.sleep(deadline.saturating_since(bench.now()) + Duration::from_millis(20)).await;
    let mut first = first.into_iter();
    let asked = asked.map(|mut asked| {
        let early = first.next().flatten();
        let answer = if early.is_some() { early } else { (&mut asked).now_or_never() };
        (asked, answer)
    });
    drop(stopped);
    asked
}

fn acquire(client: &Client, request: AcquireRequest) -> Asked {
    client.node.clone().acquire(request)
}

async fn a_silent_store_gives_no_vote(bench: Bench) -> Verdict {
    let (held, _) = bench.held_by(bench.one(), bench.long()).await?;
    let (free, rival) = (bench.claim()?, bench.rival(&held)?);
    let deadline = bench.now().saturating_add(VAIN);
    let taking = AcquireRequest { deadline, ..bench.one().acquisition(&free, bench.long()) };
    let contending = AcquireRequest { deadline, ..bench.other().acquisition(&rival, bench.long()) };
    let mut extension = bench.one().extension(&held, bench.long());
    extension.deadline = deadline;
    let extending = bench.one().node.clone().extend(extension);
    let asked = [acquire(bench.one(), taking), acquire(bench.other(), contending), extending];
    let asked = ask_in_vain(&bench, deadline, asked).await;
    let mut has_no_effect = false;
    for (number, (_, answer)) in asked.iter().enumerate() {
        match answer {
            None => {}
            Some(Err(error)) => has_no_effect |= number == 0 && error.effect == Effect::None,
            // A client need not ask to know that it is late.
            Some(Ok(Reply::Refused(refusal))) if refusal.reason == RefusalReason::Stale => {}
            Some(Ok(vote)) => {
                return Err(Stop::new("no vote of a store that is silent", format!("{vote:?}")));
            }
        }
    }
    drop(asked);
    bench.be_ready().await?;
    if has_no_effect {
        bench.stays_free(&free, "behind an error without effect").await?;
    }
    bench.one().release(&held).await.map(drop)
}

async fn what_has_queued_up_takes_nothing_late(bench: Bench) -> Verdict {
    let claims = [bench.claim()?, bench.claim()?, bench.claim()?];
    let (held, _) = bench.held_by(bench.one(), bench.short()).await?;
    let ttl = match bench.stage.abilities.late_requests {
        LateRequests::Refused => bench.long(),
        LateRequests::EndsInTime => bench.short(),
    };
    let sent = bench.now();
    let deadline = sent.saturating_add(VAIN);
    let request = |claim| AcquireRequest { deadline, ..bench.one().acquisition(claim, ttl) };
    let mut restoring = bench.one().extension(&claims[2], ttl);
    (restoring.deadline, restoring.restore) = (deadline, true);
    let mut extension = bench.one().extension(&held, ttl);
    extension.deadline = deadline;
    let node = || bench.one().node.clone();
    let asked = [
        acquire(bench.one(), request(&claims[0])),
        acquire(bench.one(), request(&claims[1])),
        node().extend(restoring),
        node().extend(extension),
    ];
    let asked = ask_in_vain(&bench, deadline, asked).await;
    bench.be_ready().await?;
    match bench.stage.abilities.late_requests {
        LateRequests::Refused => {
            // What was sent on a connection that has gone may still be run after the first answer on the next.
            bench.stays_free(&claims[0], "when a stopped store has gone on").await?;
            bench.stays_free(&claims[1], "when a stopped store has gone on").await?;
            bench.stays_free(&claims[2], "when a stopped store has gone on").await?;
            bench.becomes_free(&held, "an extension that came too late prolongs nothing").await?;
        }
        LateRequests::EndsInTime => {
            // What it is rounded to, twice, and a moment for the store to notice.
            let end = sent.saturating_add(ttl.get() + 3 * bench.stage.abilities.ttl_granularity);
            let end = end.saturating_add(Duration::from_secs(1));
            for claim in claims.iter().chain([&held]) {
                ends_until(&bench, claim, end).await?;
            }
        }
    }
    drop(asked);
    Ok(())
}

/// The name is free at the latest when a look is sent at `end`, and stays so.
async fn ends_until(bench: &Bench, claim: &Claim, end: Instant) -> Verdict {
    loop {
        let look = bench.other().inspect(&claim.name).await?;
        if !look.value.held {
            return bench.stays_free(claim, "when what ran late has ended").await;
        }
        let expected = "what ran late ends as if it had run in time";
        expect(look.sent < end, expected, || format!("a look shows {:?}", look.value))?;
        bench.sleep(Duration::from_millis(20)).await;
    }
}

async fn a_silent_store_is_released_behind(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let deadline = bench.now().saturating_add(2 * VAIN);
    let request = AcquireRequest { deadline, ..bench.one().acquisition(&claim, bench.long()) };
    let stopped = Stopped::new(&bench);
    // Both are sent, and given up.
    let _ = acquire(bench.one(), request).now_or_never();
    let release = ReleaseRequest::new(claim.name.clone(), claim.owner, Some(deadline));
    let _ = bench.one().node.clone().release(release).now_or_never();
    bench.sleep(VAIN / 3).await;
    drop(stopped);
    bench.be_ready().await?;
    is_gone_when_settled(&bench, &claim, deadline).await
}

async fn what_waits_is_bounded(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let stopped = Stopped::new(&bench);
    let mut waiting = Vec::new();
    let mut refused = None;
    for _ in 0..MANY {
        let request = ReleaseRequest::new(claim.name.clone(), claim.owner, None);
        let mut release = bench.one().node.clone().release(request);
        match (&mut release).now_or_never() {
            None => waiting.push(release),
            Some(Ok(released)) => refused = Some(format!("{released:?}")),
            // Without a connection nothing waits.
            Some(Err(error)) if error.effect == Effect::None && is_refusal(error.kind) => break,
            Some(Err(error)) => refused = Some(format!("{error} ({:?}, {:?})", error.kind, error.effect)),
        }
        if refused.is_some() {
            break;
        }
    }
    let (many, waits) = (waiting.len() == MANY, waiting.len());
    drop(waiting);
    drop(stopped);
    bench.be_ready().await?;
    let expected = "requests to a silent store wait, up to a limit; then they are refused as overloaded";
    if let Some(found) = refused {
        return Err(Stop::new(expected, found));
    }
    expect(!many, expected, || format!("{waits} requests wait"))
}

fn is_refusal(kind: NodeErrorKind) -> bool {
    matches!(kind, NodeErrorKind::Overloaded | NodeErrorKind::Unreachable)
}
