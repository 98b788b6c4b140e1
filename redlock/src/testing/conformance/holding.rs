//! Who has a name, and for how long.

use std::time::Duration;

use futures::future::join_all;

use super::bench::Bench;
use super::check::{Check, Stop, Verdict, check, expect};
use crate::id::Ttl;
use crate::node::{Effect, NodeErrorKind, OwnerId, RefusalReason, Reply};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            one_owner_at_a_time,
            [],
            "A name is granted to an owner unless somebody else has it, whichever client asks."
        ),
        check!(
            of_many_at_once_one_gets_it,
            [],
            "Of several owners who ask at the same time, one is granted the name."
        ),
        check!(a_refusal_changes_nothing, [], "A refused request has changed nothing."),
        check!(a_refusal_names_the_owner_or_nobody, [], "A refusal names the present owner, or nobody."),
        check!(
            a_refusal_says_how_long,
            [],
            "A refusal carries how long the present owner still has the name."
        ),
        check!(a_lock_lasts_its_ttl, [], "A name is granted for at least the TTL."),
        check!(
            a_lock_ends,
            [],
            "A lock that is not renewed ends some time after its TTL, and the name can be had again."
        ),
        check!(
            asking_again_gives_a_fresh_ttl,
            [],
            "Found already granted to the owner, it is granted again with a fresh TTL."
        ),
        check!(asking_again_never_shortens, [], "A repeated acquire takes back nothing that the owner has."),
        check!(
            the_longest_ttl_is_as_stated,
            [],
            "TTLs up to `Abilities::longest_ttl` are kept; longer ones are refused as unsupported, without effect."
        ),
    ]
}

async fn one_owner_at_a_time(bench: Bench) -> Verdict {
    for (first, second) in [(bench.one(), bench.other()), (bench.other(), bench.one())] {
        let (claim, _) = bench.held_by(first, bench.long()).await?;
        let rival = bench.rival(&claim)?;
        for client in [second, first] {
            let reply = client.acquire(&rival, bench.long()).await?;
            reply.refused(RefusalReason::Held, "what another owner has")?;
        }
        first.release(&claim).await?;
        second.acquire(&rival, bench.long()).await?.granted("what was released")?;
        let reply = first.acquire(&claim, bench.long()).await?;
        reply.refused(RefusalReason::Held, "what has passed to another owner")?;
        second.release(&rival).await?;
    }
    Ok(())
}

async fn of_many_at_once_one_gets_it(bench: Bench) -> Verdict {
    for _ in 0..3 {
        let claim = bench.claim()?;
        let asked = (0..12).map(async |number| {
            let client = if number % 2 == 0 { bench.one() } else { bench.other() };
            client.acquire(&bench.rival(&claim)?, bench.long()).await
        });
        let mut granted = 0;
        for reply in join_all(asked).await {
            granted += usize::from(matches!(reply?.value, Reply::Granted(_)));
        }
        expect(granted == 1, "one of twelve owners gets the name", || format!("{granted} got it"))?;
    }
    Ok(())
}

async fn a_refusal_changes_nothing(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    let reply = bench.other().acquire(&rival, bench.short()).await?;
    reply.refused(RefusalReason::Held, "what another owner has")?;
    let expected = "behind a refusal, the owner has what it had";
    bench.held_for_long(&claim, bench.lasts_until(sent, bench.long()), expected).await?;
    let released = bench.other().release(&rival).await?;
    expect(!released.was_held, "who was refused has nothing to release", || format!("{released:?}"))?;
    let released = bench.one().release(&claim).await?;
    expect(released.was_held, expected, || format!("{released:?}"))?;
    bench.stays_free(&claim, "behind a refusal and the owner's release").await
}

async fn a_refusal_names_the_owner_or_nobody(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    for client in [bench.one(), bench.other()] {
        let reply = client.acquire(&rival, bench.short()).await?;
        let named = reply.refused(RefusalReason::Held, "what another owner has")?.value.owner;
        let is_right = named.is_none_or(|named| named == OwnerId::from(&claim.owner));
        expect(is_right, "a refusal that names the owner, or nobody", || "another is named".to_owned())?;
    }
    bench.one().release(&claim).await.map(drop)
}

async fn a_refusal_says_how_long(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    for client in [bench.one(), bench.other()] {
        let reply = client.acquire(&rival, bench.short()).await?;
        let refusal = reply.refused(RefusalReason::Held, "what another owner has")?;
        let is_right = |left| bench.is_left(left, refusal.received, sent, bench.long());
        expect(
            refusal.value.remaining.is_some_and(is_right),
            "a refusal that says what is left of 60 s",
            || format!("{:?}, after {:?}", refusal.value.remaining, refusal.received.saturating_since(sent)),
        )?;
    }
    bench.one().release(&claim).await.map(drop)
}

async fn a_lock_lasts_its_ttl(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.short()).await?;
    let until = bench.lasts_until(sent, bench.short());
    bench.held_until(&claim, until, "a lock that lasts for its TTL").await
}

async fn a_lock_ends(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.short()).await?;
    bench.becomes_free(&claim, "a lock that ends some time after its TTL").await?;
    let rival = bench.rival(&claim)?;
    bench.other().acquire(&rival, bench.long()).await?.granted("a name whose lock has ended")?;
    let released = bench.one().release(&claim).await?;
    expect(!released.was_held, "an owner whose lock has ended has nothing to release", || {
        format!("{released:?}")
    })?;
    bench.other().release(&rival).await.map(drop)
}

async fn asking_again_gives_a_fresh_ttl(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.short()).await?;
    for client in [bench.one(), bench.other()] {
        let sent = client.acquire(&claim, bench.long()).await?.granted("a repeated acquire")?.sent;
        let until = bench.lasts_until(sent, bench.long());
        bench.held_for_long(&claim, until, "a repeated acquire gives a fresh TTL").await?;
    }
    bench.one().release(&claim).await.map(drop)
}

async fn asking_again_never_shortens(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.long()).await?;
    bench.one().acquire(&claim, bench.short()).await?.granted("a repeated acquire")?;
    let until = bench.lasts_until(sent, bench.long());
    bench.held_for_long(&claim, until, "a repeated acquire with a shorter TTL takes nothing back").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn the_longest_ttl_is_as_stated(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let longest = bench.stage.abilities.longest_ttl.unwrap_or(Ttl::MAX).min(Ttl::MAX);
    let ttl = |of| Ttl::new(of).map_err(|why| Stop::new("a longest TTL that is one", why.to_string()));
    bench.one().acquire(&claim, ttl(longest)?).await?.granted("the longest TTL")?;
    bench.one().release(&claim).await?;
    let Ok(longer) = Ttl::new(longest.saturating_add(Duration::from_secs(1))) else { return Ok(()) };
    let request = bench.one().acquisition(&claim, longer);
    let refused = bench.one().node.clone().acquire(request).await;
    let is_refused = matches!(&refused, Err(error)
        if error.kind == NodeErrorKind::Unsupported && error.effect == Effect::None);
    expect(is_refused, "a TTL above the longest is refused as unsupported, without effect", || {
        format!("{refused:?}")
    })?;
    bench.stays_free(&claim, "behind a TTL that is too long").await
}
