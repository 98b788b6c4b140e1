//! Releases, and what they say of requests that were never answered.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;

use super::bench::Bench;
use super::check::{Check, Stop, Verdict, check, expect};
use super::client::Client;
use crate::id::Instant;
use crate::node::Released;

use super::client::Claim;

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            an_owner_releases_what_it_has,
            [],
            "A release takes the name from its owner, through any client, and says that it did."
        ),
        check!(nobody_releases_what_another_has, [], "A release touches nobody else's, and says so."),
        check!(
            a_release_repeated_changes_nothing,
            [],
            "A release is idempotent: what has passed to somebody else meanwhile stays there."
        ),
        check!(
            a_release_is_never_refused,
            [],
            "A release is never refused, however late, nor for a name that nobody had."
        ),
        check!(
            without_unanswered_requests_all_is_settled,
            [],
            "Where no request of the owner is unanswered, all is settled."
        ),
        check!(
            what_is_long_past_is_settled,
            [],
            "Requests whose deadline has passed are settled, sooner or later."
        ),
        check!(
            what_is_settled_is_gone,
            [],
            "Settled means that the unanswered requests can no longer take effect, and what they took was released."
        ),
    ]
}

fn was_held(released: Released, expected: bool, what: &str) -> Verdict {
    expect(released.was_held == expected, what, || format!("{released:?}"))
}

async fn an_owner_releases_what_it_has(bench: Bench) -> Verdict {
    for client in [bench.one(), bench.other()] {
        let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
        was_held(client.release(&claim).await?, true, "a release that says that the owner had it")?;
        bench.stays_free(&claim, "behind its release").await?;
        let rival = bench.rival(&claim)?;
        bench.one().acquire(&rival, bench.long()).await?.granted("what was released")?;
        bench.one().release(&rival).await?;
    }
    Ok(())
}

async fn nobody_releases_what_another_has(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    for client in [bench.one(), bench.other()] {
        was_held(client.release(&rival).await?, false, "a stranger's release says that it had nothing")?;
    }
    bench.stays_held(&claim, "behind a stranger's release").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn a_release_repeated_changes_nothing(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    bench.one().release(&claim).await?;
    was_held(bench.one().release(&claim).await?, false, "a repeated release finds nothing")?;
    let rival = bench.rival(&claim)?;
    bench.other().acquire(&rival, bench.long()).await?.granted("what was released")?;
    was_held(bench.one().release(&claim).await?, false, "a repeated release finds somebody else")?;
    bench.stays_held(&rival, "behind the release of an earlier owner").await?;
    bench.other().release(&rival).await.map(drop)
}

async fn a_release_is_never_refused(bench: Bench) -> Verdict {
    let never = bench.claim()?;
    was_held(bench.one().release(&never).await?, false, "nobody had it")?;
    let origin = Some(Instant::from_nanos(1));
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let released = bench.one().release_behind(&claim, origin).await?;
    was_held(released, true, "a release behind requests of long ago is carried out")?;
    bench.stays_free(&claim, "behind its late release").await?;
    let (ended, _) = bench.held_by(bench.one(), bench.short()).await?;
    bench.becomes_free(&ended, "a lock that ends some time after its TTL").await?;
    was_held(bench.one().release(&ended).await?, false, "a release behind the end of the lock")
}

async fn without_unanswered_requests_all_is_settled(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    for _ in 0..2 {
        let released = bench.one().release(&claim).await?;
        expect(released.settled, "nothing is unanswered: all is settled", || format!("{released:?}"))?;
    }
    Ok(())
}

async fn what_is_long_past_is_settled(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let past = bench.now().saturating_sub(Duration::from_secs(5));
    release_until_settled(&bench, bench.one(), &claim, past).await
}

/// What was sent with this deadline, and abandoned, has left nothing once it is settled, and leaves nothing later.
pub(super) async fn is_gone_when_settled(bench: &Bench, claim: &Claim, deadline: Instant) -> Verdict {
    release_until_settled(bench, bench.one(), claim, deadline).await?;
    let when = "behind a release that has settled an abandoned acquire";
    bench.stays_free(claim, when).await?;
    // So long it could still run, if it were not settled.
    bench.sleep(deadline.saturating_since(bench.now())).await;
    bench.stays_free(claim, when).await
}

/// Releases as the library does: until everything is settled.
async fn release_until_settled(bench: &Bench, client: &Client, claim: &Claim, deadline: Instant) -> Verdict {
    bench
        .eventually("a release that settles what was sent", async || {
            let released = client.release_behind(claim, Some(deadline)).await?;
            Ok(if released.settled { Ok(()) } else { Err(format!("{released:?}")) })
        })
        .await
}

async fn what_is_settled_is_gone(bench: Bench) -> Verdict {
    let rounds = (0..4).map(async |_| {
        let claim = bench.claim()?;
        let deadline = bench.now().saturating_add(Duration::from_millis(100));
        let mut request = bench.one().acquisition(&claim, bench.long());
        request.deadline = deadline;
        // Sent, and given up at once.
        if let Some(Err(error)) = bench.one().node.clone().acquire(request).now_or_never() {
            return Err(Stop::new("a request that can be sent", error.to_string()));
        }
        is_gone_when_settled(&bench, &claim, deadline).await
    });
    join_all(rounds).await.into_iter().collect()
}
