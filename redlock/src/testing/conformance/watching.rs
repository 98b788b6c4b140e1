//! Watches on names that others have.

use futures::future::{Either, select};

use super::bench::{Bench, MOMENT};
use super::check::{Check, Verdict, check, expect};
use super::client::Client;
use crate::id::LockName;
use crate::node::{Effect, NodeErrorKind, Watch};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            a_watch_on_a_free_name_completes,
            [Notification],
            "A watch on a name that is free completes soon."
        ),
        check!(
            a_watch_tells_of_a_release,
            [Notification],
            "A watch completes soon after the name was released, whoever did it."
        ),
        check!(a_watch_tells_of_the_end, [Notification], "A watch completes soon after the TTL has ended."),
        check!(
            a_watch_is_silent_while_the_name_is_held,
            [Notification],
            "A watch waits while the name is held; it does not complete at once again and again."
        ),
        check!(
            watches_do_not_know_of_each_other,
            [Notification],
            "Several watches on one name all complete; dropping one ends that one alone."
        ),
        check!(a_watch_takes_nothing, [Notification], "A watch takes nothing and changes nothing."),
        check!(
            without_notification_a_watch_fails,
            [NoNotification],
            "A node that does not tell when a name becomes free says so."
        ),
    ]
}

async fn stands(client: &Client, name: &LockName) -> Verdict<Watch> {
    Ok(client.answer("a watch", client.node.clone().watch(name.clone())).await?.value)
}

async fn told(client: &Client, watch: Watch) -> Verdict {
    client.answer("a watch on a name that has become free", watch).await.map(drop)
}

async fn a_watch_on_a_free_name_completes(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    for client in [bench.one(), bench.other()] {
        let watch = stands(client, &claim.name).await?;
        told(client, watch).await?;
    }
    Ok(())
}

async fn a_watch_tells_of_a_release(bench: Bench) -> Verdict {
    for (holder, waiter) in [(bench.one(), bench.other()), (bench.one(), bench.one())] {
        for _ in 0..2 {
            let (claim, _) = bench.held_by(holder, bench.long()).await?;
            let watch = stands(waiter, &claim.name).await?;
            holder.release(&claim).await?;
            told(waiter, watch).await?;
        }
        // Again on a name that was watched already, and released by a client that did not acquire it.
        let (claim, _) = bench.held_by(holder, bench.long()).await?;
        let watch = stands(waiter, &claim.name).await?;
        waiter.release(&claim).await?;
        told(waiter, watch).await?;
        let rival = bench.rival(&claim)?;
        holder.acquire(&rival, bench.long()).await?.granted("what was released")?;
        let watch = stands(waiter, &claim.name).await?;
        holder.release(&rival).await?;
        told(waiter, watch).await?;
    }
    Ok(())
}

async fn a_watch_tells_of_the_end(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.short()).await?;
    let watch = stands(bench.other(), &claim.name).await?;
    told(bench.other(), watch).await
}

async fn a_watch_is_silent_while_the_name_is_held(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    // One may complete without reason, not all.
    for _ in 0..4 {
        let watch = stands(bench.other(), &claim.name).await?;
        if let Either::Right(_) = select(watch, Box::pin(bench.sleep(MOMENT))).await {
            return bench.one().release(&claim).await.map(drop);
        }
    }
    expect(false, "a watch that waits while the name is held", || "four that completed at once".to_owned())
}

async fn watches_do_not_know_of_each_other(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let first = stands(bench.other(), &claim.name).await?;
    let second = stands(bench.other(), &claim.name).await?;
    let third = stands(bench.one(), &claim.name).await?;
    drop(second);
    bench.one().release(&claim).await?;
    told(bench.other(), first).await?;
    told(bench.one(), third).await
}

async fn a_watch_takes_nothing(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let on_free = stands(bench.other(), &claim.name).await?;
    bench.one().acquire(&claim, bench.long()).await?.granted("a name that is watched")?;
    let on_held = stands(bench.other(), &claim.name).await?;
    bench.stays_held(&claim, "while it is watched").await?;
    let released = bench.one().release(&claim).await?;
    expect(released.was_held, "an owner keeps what is watched", || format!("{released:?}"))?;
    bench.stays_free(&claim, "while it is watched").await?;
    let rival = bench.rival(&claim)?;
    bench.one().acquire(&rival, bench.long()).await?.granted("a released name that is watched")?;
    drop((on_free, on_held));
    bench.one().release(&rival).await.map(drop)
}

async fn without_notification_a_watch_fails(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let watch = bench.one().node.clone().watch(claim.name).await;
    let is_refused = matches!(&watch, Err(error)
        if error.kind == NodeErrorKind::Unsupported && error.effect == Effect::None);
    expect(is_refused, "a watch is refused as unsupported", || match watch {
        Ok(_) => "a watch that stands".to_owned(),
        Err(error) => format!("{error} ({:?}, effect: {:?})", error.kind, error.effect),
    })
}
