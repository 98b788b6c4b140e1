//! When requests are sent, in which order they run, and what becomes of those that nobody waits for.

use futures::future::join_all;
use futures::{FutureExt, try_join};

use super::bench::{Bench, MOMENT};
use super::check::{Check, Stop, Verdict, check, expect};
use super::client::fence;
use crate::node::{ExtendRequest, NodeError, NodeFuture, ReleaseRequest, Reply};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            nothing_is_sent_before_the_first_poll,
            [],
            "Nothing is sent before the first poll of a future."
        ),
        check!(
            the_first_poll_sends,
            [],
            "The first poll sends the request, which needs no further poll to take effect."
        ),
        check!(
            requests_run_in_the_order_of_their_first_polls,
            [],
            "A later release does not overtake an earlier acquire or extension on one connection, whether anybody waits for that or not."
        ),
        check!(a_request_takes_effect_once, [], "A request takes effect at most once; nothing is retried."),
        check!(
            any_executor_will_do,
            [],
            "Futures complete under any executor, on a thread without a runtime."
        ),
    ]
}

/// The first poll.
fn send<T>(future: &mut NodeFuture<T>) -> Verdict<Option<T>> {
    let unsent = |error: NodeError| Stop::new("a request that can be sent", error.to_string());
    future.now_or_never().transpose().map_err(unsent)
}

async fn nothing_is_sent_before_the_first_poll(bench: Bench) -> Verdict {
    let node = || bench.one().node.clone();
    let claim = bench.claim()?;
    let acquire = node().acquire(bench.one().acquisition(&claim, bench.long()));
    let lost = bench.claim()?;
    let extension = ExtendRequest { restore: true, ..bench.one().extension(&lost, bench.long()) };
    let extension = node().extend(extension);
    let (held, _) = bench.held_by(bench.one(), bench.long()).await?;
    let release = node().release(ReleaseRequest::new(held.name.clone(), held.owner, None));
    try_join!(
        bench.stays_free(&claim, "while an acquire has not been polled"),
        bench.stays_free(&lost, "while a restoring extension has not been polled"),
        bench.stays_held(&held, "while a release has not been polled"),
    )?;
    drop((acquire, extension, release));
    try_join!(
        bench.stays_free(&claim, "behind an acquire that was dropped unpolled"),
        bench.stays_free(&lost, "behind a restoring extension that was dropped unpolled"),
        bench.stays_held(&held, "behind a release that was dropped unpolled"),
    )?;
    bench.one().release(&held).await.map(drop)
}

async fn the_first_poll_sends(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let mut acquire = bench.one().node.clone().acquire(bench.one().acquisition(&claim, bench.long()));
    send(&mut acquire)?;
    let expected = "a request that takes effect though it is polled only once";
    bench
        .eventually(expected, async || {
            let look = bench.other().inspect(&claim.name).await?.value;
            Ok(if look.held { Ok(()) } else { Err(format!("a look shows {look:?}")) })
        })
        .await?;
    drop(acquire);
    bench.one().release(&claim).await.map(drop)
}

async fn requests_run_in_the_order_of_their_first_polls(bench: Bench) -> Verdict {
    for round in 0..16 {
        let claim = bench.claim()?;
        let node = || bench.one().node.clone();
        let mut earlier = match round % 2 {
            0 => node().acquire(bench.one().acquisition(&claim, bench.long())),
            _ => {
                let request = bench.one().extension(&claim, bench.long());
                node().extend(ExtendRequest { restore: true, ..request })
            }
        };
        let early = send(&mut earlier)?;
        let mut release = node().release(ReleaseRequest::new(claim.name.clone(), claim.owner, None));
        let released = send(&mut release)?;
        // Every other one is abandoned.
        let (is_awaited, is_answered) = (round % 4 < 2, early.is_some());
        let earlier = if is_awaited { Some(earlier) } else { None };
        let released = match released {
            Some(released) => released,
            None => bench.one().answer("a release behind an acquire", release).await?.value,
        };
        if let Some(earlier) = earlier.filter(|_| !is_answered) {
            let reply = bench.one().answer("an acquire before a release", earlier).await?;
            reply.granted("a name that nobody has")?;
        }
        if is_awaited {
            let expected = "a release behind an acquire finds what that has taken";
            expect(released.was_held, expected, || format!("{released:?}"))?;
        }
        if round >= 12 {
            bench.stays_free(&claim, "behind a release that was sent behind an acquire").await?;
        } else {
            let look = bench.one().inspect(&claim.name).await?.value;
            expect(!look.held, "a release behind an acquire leaves nothing", || format!("{look:?}"))?;
        }
    }
    Ok(())
}

async fn a_request_takes_effect_once(bench: Bench) -> Verdict {
    let acquired = async {
        let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
        bench.one().release(&claim).await?;
        bench.stays_free(&claim, "behind an acquire and its release").await
    };
    let restored = async {
        let claim = bench.claim()?;
        bench.one().restore(&claim, bench.long()).await?.granted("a restoring extension")?;
        bench.one().release(&claim).await?;
        bench.stays_free(&claim, "behind a restoring extension and its release").await
    };
    let released = async {
        let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
        bench.one().release(&claim).await?;
        bench.one().acquire(&claim, bench.long()).await?.granted("what was released")?;
        bench.stays_held(&claim, "acquired again behind a release").await?;
        bench.one().release(&claim).await.map(drop)
    };
    let all: [futures::future::LocalBoxFuture<'_, Verdict>; 3] =
        [Box::pin(acquired), Box::pin(restored), Box::pin(released)];
    join_all(all).await.into_iter().collect()
}

async fn any_executor_will_do(bench: Bench) -> Verdict {
    let (client, node) = (bench.one(), || bench.one().node.clone());
    client.probe().await?;
    client.answer("an examination", node().examine()).await?;
    let claim = bench.claim()?;
    let mut request = client.acquisition(&claim, bench.long());
    if bench.stage.abilities.fencing {
        request.fence = Some(fence(client.node_micros().0, 1));
    }
    let granted = client.ask_to_acquire(request).await?;
    let Reply::Granted(_) = granted.value else { return granted.granted("a name that nobody has").map(drop) };
    client.extend(&claim, bench.long()).await?.granted("an owner's extension")?;
    if bench.stage.abilities.fencing {
        client.raise(&claim, bench.long(), 1).await?.granted("an owner's raise")?;
    }
    client.inspect(&claim.name).await?;
    if bench.stage.abilities.notification {
        let watch = client.answer("a watch", node().watch(claim.name.clone())).await?.value;
        client.release(&claim).await?;
        client.answer("a watch that was set", watch).await?;
    }
    client.release(&claim).await?;
    bench.sleep(MOMENT / 10).await;
    Ok(())
}
