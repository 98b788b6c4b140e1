//! Extensions, and giving back what a node has lost.

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use crate::node::RefusalReason;

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            an_owner_prolongs_what_it_has,
            [],
            "An extension gives the owner at least the TTL from now on, through any client."
        ),
        check!(an_extension_never_shortens, [], "An extension never shortens what the owner has."),
        check!(
            nobody_prolongs_what_another_has,
            [],
            "An extension is refused if somebody else has the name, with how long that one has it, and changes nothing."
        ),
        check!(
            what_has_gone_is_missing,
            [],
            "An extension of what nobody has is refused as missing, and gives nothing."
        ),
        check!(
            what_nobody_has_is_restored_when_asked,
            [],
            "An extension that is to restore gives the owner the name if nobody has it."
        ),
        check!(
            what_another_has_is_not_restored,
            [],
            "An extension that is to restore is refused while somebody else has the name."
        ),
    ]
}

async fn an_owner_prolongs_what_it_has(bench: Bench) -> Verdict {
    for client in [bench.one(), bench.other()] {
        let (claim, _) = bench.held_by(bench.one(), bench.short()).await?;
        let sent = client.extend(&claim, bench.long()).await?.granted("an owner's extension")?.sent;
        let until = bench.lasts_until(sent, bench.long());
        bench.held_for_long(&claim, until, "an extension gives its TTL from now on").await?;
        client.extend(&claim, bench.long()).await?.granted("the same extension, repeated")?;
        bench.held_for_long(&claim, until, "a repeated extension takes nothing").await?;
        bench.one().release(&claim).await?;
    }
    Ok(())
}

async fn an_extension_never_shortens(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.long()).await?;
    bench.one().extend(&claim, bench.short()).await?.granted("an owner's extension")?;
    let until = bench.lasts_until(sent, bench.long());
    bench.held_for_long(&claim, until, "an extension by less than is left takes nothing").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn nobody_prolongs_what_another_has(bench: Bench) -> Verdict {
    let (claim, sent) = bench.held_by(bench.one(), bench.short()).await?;
    let rival = bench.rival(&claim)?;
    let reply = bench.other().extend(&rival, bench.long()).await?;
    // It may have ended on a machine that is slow.
    if reply.received < bench.lasts_until(sent, bench.short()) {
        let refusal = reply.refused(RefusalReason::Held, "the extension of what another has")?;
        let is_right = |left| bench.is_left(left, refusal.received, sent, bench.short());
        expect(
            refusal.value.remaining.is_some_and(is_right),
            "a refusal that says what the owner has left",
            || format!("{:?}", refusal.value.remaining),
        )?;
    }
    bench.becomes_free(&claim, "a stranger's extension prolongs nothing").await
}

async fn what_has_gone_is_missing(bench: Bench) -> Verdict {
    let never = bench.claim()?;
    bench
        .one()
        .extend(&never, bench.long())
        .await?
        .refused(RefusalReason::Missing, "what nobody ever had")?;
    bench.stays_free(&never, "behind an extension of nothing").await?;
    let (released, _) = bench.held_by(bench.one(), bench.long()).await?;
    bench.one().release(&released).await?;
    let reply = bench.other().extend(&released, bench.long()).await?;
    reply.refused(RefusalReason::Missing, "what was released")?;
    let (ended, _) = bench.held_by(bench.one(), bench.short()).await?;
    bench.becomes_free(&ended, "a lock that ends some time after its TTL").await?;
    bench.one().extend(&ended, bench.long()).await?.refused(RefusalReason::Missing, "what has ended")?;
    bench.stays_free(&ended, "behind an extension of what has ended").await
}

async fn what_nobody_has_is_restored_when_asked(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let sent = bench.one().restore(&claim, bench.long()).await?.granted("a restoring extension")?.sent;
    let until = bench.lasts_until(sent, bench.long());
    bench.held_for_long(&claim, until, "what was restored lasts for the TTL").await?;
    let reply = bench.other().acquire(&bench.rival(&claim)?, bench.long()).await?;
    reply.refused(RefusalReason::Held, "what was restored to another owner")?;
    bench.other().restore(&claim, bench.long()).await?.granted("a restoring extension of one's own")?;
    let released = bench.one().release(&claim).await?;
    expect(released.was_held, "the owner releases what was restored", || format!("{released:?}"))
}

async fn what_another_has_is_not_restored(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    for client in [bench.one(), bench.other()] {
        let reply = client.restore(&rival, bench.long()).await?;
        reply.refused(RefusalReason::Held, "restoring what another has")?;
    }
    let released = bench.one().release(&claim).await?;
    expect(released.was_held, "the owner still has it", || format!("{released:?}"))
}
