//! Fencing counters.

use std::time::Duration;

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use super::client::{Claim, Client, fence, to};
use crate::id::FencingToken;
use crate::node::{Fence, RefusalReason, Reply};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            a_grant_says_where_the_counter_stands,
            [Fencing],
            "Where the request has a fence, the grant says where the counter stands: at the hint at least, and below 2^53."
        ),
        check!(
            counters_rise_with_every_owner,
            [Fencing],
            "The counter is strictly greater for every later owner, whatever hint it brings and whichever client it asks."
        ),
        check!(
            a_span_is_counted,
            [Fencing],
            "A fence takes as many tokens as its span; the counter then stands at the last of them."
        ),
        check!(
            asking_again_does_not_count,
            [Fencing],
            "An acquire that finds the owner's own grant leaves the counter where it is."
        ),
        check!(
            a_wild_hint_moves_a_counter_by_a_second,
            [Fencing],
            "A hint is followed for no more than a second from the node's own time, either way."
        ),
        check!(
            a_raise_goes_up_only,
            [Fencing],
            "A raise has the counter stand there at least, never lower, and may be repeated."
        ),
        check!(
            nobody_raises_what_another_has,
            [Fencing],
            "A raise is refused unless the owner has the name."
        ),
        check!(
            an_extension_raises_the_counter,
            [Fencing],
            "An extension with a fence raises the counter, never lowers it, and says where it stands; a restoring one does too."
        ),
        check!(
            counters_outlive_their_locks,
            [Fencing],
            "A counter is kept when its lock has been released, and when it has ended."
        ),
        check!(
            a_counter_at_its_end_gives_nothing,
            [Fencing],
            "A counter stays below 2^53: at its end, nothing is granted, and nothing changes."
        ),
        check!(
            without_a_fence_the_counter_is_left_alone,
            [Fencing],
            "A request without a fence leaves the counter alone."
        ),
        check!(
            without_counters_no_fence_is_granted,
            [NoFencing],
            "A grant of a request with a fence says where the counter stands; a node without counters gives none."
        ),
    ]
}

async fn acquired(bench: &Bench, client: &Client, claim: &Claim, fence: Fence) -> Verdict<u64> {
    let reply = client.acquire_fenced(claim, bench.long(), fence).await?;
    reply.granted("a name that nobody else has")?.counter()
}

/// Where a look finds the counter.
async fn stands_at(client: &Client, claim: &Claim, counter: u64, when: &str) -> Verdict {
    let look = client.inspect(&claim.name).await?.value;
    let expected = format!("{when}, the counter stands at {counter}");
    expect(look.counter == Some(counter), &expected, || format!("a look shows {look:?}"))
}

async fn a_grant_says_where_the_counter_stands(bench: Bench) -> Verdict {
    for client in [bench.one(), bench.other()] {
        let claim = bench.claim()?;
        let (hint, _) = client.node_micros();
        let counter = acquired(&bench, client, &claim, fence(hint, 1)).await?;
        let is_token = FencingToken::new(counter).is_some();
        expect(is_token && counter >= hint, "a counter at the hint at least, and below 2^53", || {
            format!("{counter} with the hint {hint}")
        })?;
        for looking in [bench.one(), bench.other()] {
            stands_at(looking, &claim, counter, "behind a grant").await?;
        }
        client.release(&claim).await?;
    }
    Ok(())
}

async fn counters_rise_with_every_owner(bench: Bench) -> Verdict {
    let (first, mut earlier) = (bench.claim()?, 0);
    let (now, _) = bench.one().node_micros();
    for (number, hint) in [now, 0, u64::MAX, now, now.saturating_sub(10_000_000), 0].into_iter().enumerate() {
        let client = if number % 2 == 0 { bench.one() } else { bench.other() };
        let claim = bench.rival(&first)?;
        let counter = acquired(&bench, client, &claim, fence(hint, 1)).await?;
        expect(counter > earlier, "a later owner has a greater counter", || {
            format!("{counter} behind {earlier}")
        })?;
        earlier = counter;
        client.release(&claim).await?;
    }
    Ok(())
}

async fn a_span_is_counted(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 100)).await?;
    expect(counter >= now + 99, "a span of 100 ends 99 behind the hint at least", || {
        format!("{counter} with the hint {now}")
    })?;
    bench.one().release(&claim).await?;
    let next = acquired(&bench, bench.other(), &bench.rival(&claim)?, fence(0, 50)).await?;
    expect(next >= counter + 50, "a span of 50 begins behind the earlier counter", || {
        format!("it ends at {next} behind {counter}")
    })
}

async fn asking_again_does_not_count(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 10)).await?;
    for client in [bench.one(), bench.other()] {
        let again = acquired(&bench, client, &claim, fence(now + 500_000, 10)).await?;
        expect(again == counter, "a repeated acquire leaves the counter where it is", || {
            format!("{again} behind {counter}")
        })?;
    }
    stands_at(bench.one(), &claim, counter, "behind a repeated acquire").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn a_wild_hint_moves_a_counter_by_a_second(bench: Bench) -> Verdict {
    const SECOND: u64 = 1_000_000;
    const HOUR: u64 = 3_600 * SECOND;
    for hint in [0, u64::MAX, 1 << 53, FencingToken::MAX] {
        let claim = bench.claim()?;
        let (least, doubt) = bench.one().node_micros();
        let counter = acquired(&bench, bench.one(), &claim, fence(hint, 1)).await?;
        let (most, more_doubt) = bench.one().node_micros();
        let allowed = least.saturating_sub(SECOND + doubt)..=most + SECOND + more_doubt;
        expect(allowed.contains(&counter), "a counter within a second of the node's time", || {
            format!("{counter} with the hint {hint}, at {least}")
        })?;
        bench.one().release(&claim).await?;
        // Nor does what is not wild push it.
        let next = acquired(&bench, bench.other(), &bench.rival(&claim)?, fence(least + HOUR, 1)).await?;
        let (most, doubt) = bench.other().node_micros();
        expect(next <= most + SECOND + doubt + 2, "a counter within a second of the node's time", || {
            format!("{next} with a hint an hour ahead, at {most}")
        })?;
    }
    Ok(())
}

async fn a_raise_goes_up_only(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 1)).await?;
    let above = counter + 1_000;
    for (client, wanted, stands) in [
        (bench.one(), above, above),
        (bench.other(), above, above),
        (bench.one(), counter, above),
        (bench.other(), 1, above),
    ] {
        let raised =
            client.raise(&claim, bench.long(), wanted).await?.granted("an owner's raise")?.counter()?;
        expect(
            raised == stands,
            "a raise says where the counter stands: there at least, never lower",
            || format!("{raised} behind a raise to {wanted}, from {counter} and {above}"),
        )?;
        stands_at(bench.other(), &claim, stands, "behind a raise").await?;
    }
    bench.one().release(&claim).await?;
    let next = acquired(&bench, bench.other(), &bench.rival(&claim)?, fence(0, 1)).await?;
    expect(next > above, "the next owner comes behind what was raised", || format!("{next} behind {above}"))
}

async fn nobody_raises_what_another_has(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 1)).await?;
    let (rival, above) = (bench.rival(&claim)?, counter + 1_000);
    let reply = bench.other().raise(&rival, bench.long(), above).await?;
    reply.refused(RefusalReason::Held, "a raise of what another has")?;
    stands_at(bench.one(), &claim, counter, "behind a stranger's raise").await?;
    bench.one().release(&claim).await?;
    let reply = bench.one().raise(&claim, bench.long(), above).await?;
    reply.refused(RefusalReason::Missing, "a raise of what was released")?;
    stands_at(bench.one(), &claim, counter, "behind a raise of what was released").await
}

async fn an_extension_raises_the_counter(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 1)).await?;
    let above = counter + 1_000;
    for (wanted, stands) in [(above, above), (counter, above)] {
        let mut request = bench.other().extension(&claim, bench.long());
        request.fence = Some(to(wanted));
        let grant = bench.other().ask_to_extend(request).await?.granted("an owner's extension")?;
        expect(grant.counter()? == stands, "an extension says where the counter stands", || {
            format!("{:?} behind an extension with {wanted}, from {counter} and {above}", grant.value)
        })?;
    }
    bench.one().release(&claim).await?;
    let mut request = bench.one().extension(&claim, bench.long());
    (request.fence, request.restore) = (Some(to(above + 5)), true);
    let grant = bench.one().ask_to_extend(request).await?.granted("a restoring extension")?;
    expect(grant.counter()? == above + 5, "a restoring extension raises too", || format!("{grant:?}"))?;
    stands_at(bench.one(), &claim, above + 5, "behind a restoring extension").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn counters_outlive_their_locks(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let reply = bench.one().acquire_fenced(&claim, bench.short(), fence(now, 1)).await?;
    let counter = reply.granted("a name that nobody has")?.counter()?;
    // Further ahead than time will have come when the lock has ended.
    let above = counter + 600_000_000;
    let reply = bench.one().raise(&claim, bench.short(), above).await?;
    // It may have ended on a machine that is slow.
    let above = if matches!(reply.value, Reply::Granted(_)) { above } else { counter };
    bench.becomes_free(&claim, "a lock that ends some time after its TTL").await?;
    let next = acquired(&bench, bench.other(), &bench.rival(&claim)?, fence(0, 1)).await?;
    expect(next > above, "the counter is kept when the lock has ended", || format!("{next} behind {above}"))
}

async fn a_counter_at_its_end_gives_nothing(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    acquired(&bench, bench.one(), &claim, fence(now, 1)).await?;
    let near = FencingToken::MAX - 5;
    bench.one().raise(&claim, bench.long(), near).await?.granted("an owner's raise")?;
    bench.one().release(&claim).await?;
    for span in [6, u64::MAX] {
        let rival = bench.rival(&claim)?;
        let reply = bench.other().acquire_fenced(&rival, bench.long(), fence(now, span)).await?;
        reply.refused(RefusalReason::Exhausted, "a span that goes beyond the end")?;
        bench.stays_free(&claim, "behind a span that goes beyond the end").await?;
        stands_at(bench.one(), &claim, near, "behind a span that goes beyond the end").await?;
    }
    let last = bench.rival(&claim)?;
    let counter = acquired(&bench, bench.other(), &last, fence(now, 5)).await?;
    expect(counter == FencingToken::MAX, "the last five tokens can be had", || format!("{counter}"))?;
    bench.other().release(&last).await?;
    let reply = bench.one().acquire_fenced(&claim, bench.long(), fence(now, 1)).await?;
    reply.refused(RefusalReason::Exhausted, "a counter at its end")?;
    bench.stays_free(&claim, "at the end of the counter").await
}

async fn without_a_fence_the_counter_is_left_alone(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let counter = acquired(&bench, bench.one(), &claim, fence(now, 1)).await?;
    bench.one().extend(&claim, bench.long()).await?.granted("an owner's extension")?;
    bench.one().acquire(&claim, bench.long()).await?.granted("a repeated acquire")?;
    bench.one().release(&claim).await?;
    let rival = bench.rival(&claim)?;
    let grant = bench.other().acquire(&rival, bench.long()).await?.granted("what was released")?;
    expect(grant.value.counter.is_none(), "a grant without a fence speaks of no counter", || {
        format!("{:?}", grant.value)
    })?;
    stands_at(bench.one(), &claim, counter, "behind requests without a fence").await?;
    bench.other().release(&rival).await.map(drop)
}

async fn without_counters_no_fence_is_granted(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let fence = Fence::new(bench.one().node_micros().0, 1, Duration::ZERO);
    let mut request = bench.one().acquisition(&claim, bench.long());
    request.fence = Some(fence);
    match bench.one().node.clone().acquire(request).await {
        Ok(Reply::Granted(grant)) => {
            let expected = "no grant of a request with a fence without a counter";
            expect(grant.counter.is_some(), expected, || format!("granted: {grant:?}"))
        }
        Ok(Reply::Refused(_)) | Err(_) => Ok(()),
    }
}
