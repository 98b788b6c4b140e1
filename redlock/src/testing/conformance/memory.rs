//! What a node remembers over restarts, and its marker.

use std::time::Duration;

use super::bench::Bench;
use super::check::{Check, Stop, Verdict, check, expect};
use super::client::{Claim, Client, fence};
use super::stage::charter;
use crate::id::FencingToken;
use crate::node::{
    AcquireRequest, Charter, Effect, Incarnation, Mark, MarkRequest, Marker, NodeErrorKind, RefusalReason,
    Reply, Standing,
};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            another_clients_mark_is_seen,
            [Marker],
            "A change of the marker shows in how the node stands, also to other clients once they have asked."
        ),
        check!(
            a_grant_names_the_memory_that_holds_it,
            [Marker],
            "A grant, and the node itself, name the memory that the marker names."
        ),
        check!(
            a_quarantine_grants_nothing_new,
            [Marker],
            "In quarantine a node grants nothing new, and says how long that lasts."
        ),
        check!(
            owners_go_on_in_quarantine,
            [Marker],
            "In quarantine releases, extensions and restoring go on."
        ),
        check!(
            a_quarantine_lasts_its_time,
            [Marker],
            "A quarantine counts from the making of the marker, in the node's own time; it is not ended before."
        ),
        check!(
            to_init_admits_at_once,
            [Marker],
            "To say that nobody holds a lock admits the node at once, in the memory that it has."
        ),
        check!(
            to_join_changes_the_charter_alone,
            [Marker],
            "Joining changes the charter alone, and only in quarantine."
        ),
        check!(
            counters_begin_above_the_floor,
            [Marker, Fencing],
            "Fencing counters begin above the floor, which is never lowered."
        ),
        check!(
            a_node_that_forgot_grants_nothing,
            [Marker, Forgetting],
            "A node without a marker of its present memory grants nothing."
        ),
        check!(
            locks_outlive_a_restart,
            [Durable, Restarting],
            "A durable store keeps locks and counters over a restart of its processes."
        ),
    ]
}

const MINUTE: Duration = Duration::from_secs(60);

/// Changes the marker by one client; returns how the node stands then.
async fn mark(bench: &Bench, mark: Mark) -> Verdict<Standing> {
    bench.one().mark(MarkRequest::new(charter(), mark)).await
}

fn marked(standing: Standing) -> Verdict<Marker> {
    match standing {
        Standing::Marked(marker) => Ok(marker),
        other => Err(Stop::new("a node that has a marker", format!("{other:?}"))),
    }
}

/// A new memory, in quarantine for so long.
async fn quarantined(bench: &Bench, lasts: Duration) -> Verdict<Marker> {
    let incarnation = Incarnation::new(bench.now().as_nanos());
    let marker = marked(mark(bench, Mark::Quarantine { incarnation, lasts }).await?)?;
    let is_new = marker.incarnation == incarnation && marker.floor.is_none() && marker.charter == charter();
    expect(is_new, "the marker of a new memory in quarantine", || format!("{marker:?}"))?;
    Ok(marker)
}

async fn admitted(bench: &Bench) -> Verdict {
    bench.stage.init(bench.one()).await?;
    bench.agree().await
}

/// Asks for a name that nobody has; `true` if it was granted.
async fn is_granted(bench: &Bench, client: &Client, claim: &Claim) -> Verdict<bool> {
    match client.node.clone().acquire(client.acquisition(claim, bench.long())).await {
        Ok(Reply::Granted(_)) => Ok(true),
        Ok(Reply::Refused(refusal)) if refusal.reason == RefusalReason::Quarantined => Ok(false),
        Err(error) if error.kind == NodeErrorKind::NotReady && error.effect == Effect::None => Ok(false),
        other => Err(Stop::new("a grant, or a refusal because of the marker", format!("{other:?}"))),
    }
}

async fn another_clients_mark_is_seen(bench: Bench) -> Verdict {
    let before = marked(bench.one().node.standing())?;
    let floor = bench.one().node_micros().0 + 2_000_000;
    let raised = marked(mark(&bench, Mark::Raise { floor }).await?)?;
    let now = bench.one().node.standing();
    expect(now == Standing::Marked(raised), "how it stands is what the change has returned", || {
        format!("{now:?} and {raised:?}")
    })?;
    let expected = Marker { floor: before.floor.map(|old| old.max(floor)), ..before };
    expect(raised == expected, "a raised floor, and nothing else is changed", || format!("{raised:?}"))?;
    bench.agree().await?;
    let claim = bench.claim()?;
    bench.other().acquire(&claim, bench.long()).await?.granted("what is asked behind another's mark")?;
    bench.other().release(&claim).await.map(drop)
}

async fn a_grant_names_the_memory_that_holds_it(bench: Bench) -> Verdict {
    let marker = marked(bench.one().node.standing())?;
    for client in [bench.one(), bench.other()] {
        let claim = bench.claim()?;
        let granted = client.acquire(&claim, bench.long()).await?.granted("a name that nobody has")?;
        let extended = client.extend(&claim, bench.long()).await?.granted("an owner's extension")?;
        let named = [granted.value.incarnation, extended.value.incarnation, client.node.incarnation()];
        let is_named = named.iter().all(|named| *named == Some(marker.incarnation));
        expect(is_named, "the memory of the marker, by grant, extension and node", || {
            format!("{named:?} and {}", marker.incarnation)
        })?;
        client.release(&claim).await?;
    }
    Ok(())
}

async fn a_quarantine_grants_nothing_new(bench: Bench) -> Verdict {
    quarantined(&bench, MINUTE).await?;
    let expected = "nothing new in quarantine";
    // The other client does not know of it yet.
    for client in [bench.other(), bench.one()] {
        let claim = bench.claim()?;
        expect(!is_granted(&bench, client, &claim).await?, expected, || "a grant".to_owned())?;
        bench.stays_free(&claim, "behind a refusal in quarantine").await?;
    }
    bench.agree().await?;
    for client in [bench.one(), bench.other()] {
        let reply = client.acquire(&bench.claim()?, bench.long()).await?;
        let left = reply.refused(RefusalReason::Quarantined, "what is new in quarantine")?.value.remaining;
        let is_right = left.is_some_and(|left| left > MINUTE / 2 && left <= MINUTE + MINUTE / 10);
        expect(is_right, "how long the quarantine lasts: a minute or less", || format!("{left:?}"))?;
    }
    admitted(&bench).await
}

async fn owners_go_on_in_quarantine(bench: Bench) -> Verdict {
    let (kept, _) = bench.held_by(bench.one(), bench.long()).await?;
    let (gone, _) = bench.held_by(bench.other(), bench.long()).await?;
    quarantined(&bench, MINUTE).await?;
    bench.agree().await?;
    for client in [bench.one(), bench.other()] {
        client.extend(&kept, bench.long()).await?.granted("an owner's extension in quarantine")?;
    }
    let released = bench.other().release(&gone).await?;
    expect(released.was_held, "an owner's release in quarantine", || format!("{released:?}"))?;
    bench.stays_free(&gone, "behind a release in quarantine").await?;
    let lost = bench.claim()?;
    bench.other().restore(&lost, bench.long()).await?.granted("restoring in quarantine")?;
    bench.stays_held(&lost, "restored in quarantine").await?;
    bench.other().release(&lost).await?;
    bench.one().release(&kept).await?;
    admitted(&bench).await
}

async fn a_quarantine_lasts_its_time(bench: Bench) -> Verdict {
    let (before, doubt) = bench.one().node_micros();
    let marker = quarantined(&bench, MINUTE).await?;
    let minute = 60_000_000;
    expect(marker.until + doubt >= before + minute, "a quarantine of a minute from now on", || {
        format!("until {}, and it was {before}", marker.until)
    })?;
    let floor = before;
    let early = marked(mark(&bench, Mark::Admit { floor }).await?)?;
    expect(early.floor.is_none(), "a quarantine is not ended before its time", || format!("{early:?}"))?;
    let granted = is_granted(&bench, bench.one(), &bench.claim()?).await?;
    expect(!granted, "nothing new before the quarantine is over", || "a grant".to_owned())?;

    let marker = quarantined(&bench, Duration::from_millis(150)).await?;
    bench
        .eventually("a quarantine that can be ended when it is over", async || {
            let standing = marked(mark(&bench, Mark::Admit { floor }).await?)?;
            Ok(if standing.floor == Some(floor) { Ok(()) } else { Err(format!("{standing:?}")) })
        })
        .await?;
    let (now, doubt) = bench.one().node_micros();
    expect(now + doubt >= marker.until, "a quarantine is not ended before its time", || {
        format!("it was {now}, and should last until {}", marker.until)
    })?;
    bench.agree().await?;
    let claim = bench.claim()?;
    bench.other().acquire(&claim, bench.long()).await?.granted("what is new behind a quarantine")?;
    bench.other().release(&claim).await.map(drop)
}

async fn to_init_admits_at_once(bench: Bench) -> Verdict {
    let quarantined = quarantined(&bench, MINUTE).await?;
    let floor = bench.one().node_micros().0 + 1_000_000;
    let incarnation = Incarnation::new(7);
    let marker = marked(mark(&bench, Mark::Init { incarnation, floor }).await?)?;
    let is_right = marker.incarnation == quarantined.incarnation && marker.floor == Some(floor);
    expect(is_right, "the memory that it had, admitted with this floor", || format!("{marker:?}"))?;
    bench.agree().await?;
    for client in [bench.one(), bench.other()] {
        let claim = bench.claim()?;
        client.acquire(&claim, bench.long()).await?.granted("what is new on a node that was admitted")?;
        client.release(&claim).await?;
    }
    Ok(())
}

async fn to_join_changes_the_charter_alone(bench: Bench) -> Verdict {
    let joined = Charter { epoch: 1, nodes: 3, quorum: 2, ..charter() };
    let join = || MarkRequest::new(joined, Mark::Join);
    let before = marked(bench.one().node.standing())?;
    let after = marked(bench.one().mark(join()).await?)?;
    expect(before == after, "nobody joins a node that was admitted", || format!("{before:?} and {after:?}"))?;
    let before = quarantined(&bench, MINUTE).await?;
    let after = marked(bench.one().mark(join()).await?)?;
    let expected = Marker { charter: joined, ..before };
    expect(after == expected, "joining changes the charter, and nothing else", || {
        format!("{after:?} instead of {expected:?}")
    })?;
    admitted(&bench).await
}

async fn counters_begin_above_the_floor(bench: Bench) -> Verdict {
    let floor = bench.one().node_micros().0 + 5_000_000;
    for wanted in [floor, 1] {
        let marker = marked(mark(&bench, Mark::Raise { floor: wanted }).await?)?;
        expect(marker.floor.is_some_and(|at| at >= floor), "a floor that is raised, never lowered", || {
            format!("{:?} behind a raise to {floor} and {wanted}", marker.floor)
        })?;
        bench.agree().await?;
        for client in [bench.one(), bench.other()] {
            let claim = bench.claim()?;
            let reply = client.acquire_fenced(&claim, bench.long(), fence(0, 1)).await?;
            let counter = reply.granted("a name that nobody has")?.counter()?;
            let is_above = counter > floor && FencingToken::new(counter).is_some();
            expect(is_above, "a counter above the floor", || format!("{counter}, and the floor is {floor}"))?;
            client.release(&claim).await?;
        }
    }
    bench.stage.init(bench.one()).await?;
    let marker = marked(bench.one().node.standing())?;
    expect(marker.floor.is_some_and(|at| at >= floor), "a floor that initialising does not lower", || {
        format!("{:?} instead of {floor}", marker.floor)
    })?;
    bench.agree().await
}

async fn a_node_that_forgot_grants_nothing(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    if let Some(forget) = &bench.stage.subject.forget {
        forget();
    }
    let expected = "nothing from a node whose memory is new";
    for client in [bench.one(), bench.other(), bench.one()] {
        let granted = is_granted(&bench, client, &bench.rival(&claim)?).await?;
        expect(!granted, expected, || "a grant".to_owned())?;
    }
    bench
        .eventually("both clients see that the marker has gone", async || {
            for client in [bench.one(), bench.other()] {
                if let Err(stop) = client.probe().await {
                    return Ok(Err(stop.found));
                }
            }
            let standings = [bench.one(), bench.other()].map(|client| client.node.standing());
            let is_unmarked = |standing: &Standing| matches!(standing, Standing::Unmarked(_));
            Ok(if standings.iter().all(is_unmarked) { Ok(()) } else { Err(format!("{standings:?}")) })
        })
        .await?;
    for client in [bench.one(), bench.other()] {
        let granted = is_granted(&bench, client, &bench.rival(&claim)?).await?;
        expect(!granted, expected, || "a grant".to_owned())?;
    }
    admitted(&bench).await
}

async fn locks_outlive_a_restart(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let mut request: AcquireRequest = bench.one().acquisition(&claim, bench.long());
    if bench.stage.abilities.fencing {
        request.fence = Some(fence(bench.one().node_micros().0, 1));
    }
    let before = bench.one().ask_to_acquire(request.clone()).await?.granted("a name that nobody has")?.value;
    if let Some(restart) = &bench.stage.subject.restart {
        restart();
    }
    bench.be_ready().await?;
    bench.stays_held(&claim, "behind a restart").await?;
    let rival = bench.rival(&claim)?;
    let reply = bench.other().acquire(&rival, bench.long()).await?;
    reply.refused(RefusalReason::Held, "what was held before a restart")?;
    bench.one().release(&claim).await?;
    request.owner = rival.owner;
    request.deadline = bench.other().in_time();
    let after = bench.other().ask_to_acquire(request).await?.granted("what was released")?.value;
    let rises = before.counter.is_none() || after.counter > before.counter;
    expect(rises, "a counter that goes on behind a restart", || format!("{after:?} behind {before:?}"))?;
    bench.other().release(&rival).await.map(drop)
}
