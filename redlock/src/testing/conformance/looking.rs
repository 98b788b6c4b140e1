//! What a node says of its locks, and of itself.

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use super::client::fence;
use crate::node::{Effect, Identity, Mark, MarkRequest, Standing};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(a_look_agrees_with_what_was_done, [], "A look shows who has the name, and for how long."),
        check!(a_look_changes_nothing, [], "A look at a name takes, prolongs and frees nothing."),
        check!(an_examination_changes_nothing, [], "An examination can be repeated, and changes nothing."),
        check!(
            the_address_tells_no_secret,
            [],
            "The address stays the same, for every client of the store, and neither it nor what is printed of a node tells a secret."
        ),
        check!(
            abilities_stay_the_same,
            [],
            "What a node can do is fixed for its life, and the same for every client of the store."
        ),
        check!(
            a_probe_says_the_same_again,
            [],
            "A probe is idempotent, and two clients of one store see one instance."
        ),
        check!(
            no_counter_is_above_the_ceiling,
            [Fencing],
            "No fencing counter of the node is above the ceiling that a probe states."
        ),
        check!(
            a_clock_that_can_be_set_is_told,
            [SettableClock],
            "A node whose clock can be set tells the time."
        ),
        check!(
            without_a_marker_there_is_nothing_to_mark,
            [NoMarker],
            "A node that keeps no marker says so, and refuses to change one."
        ),
    ]
}

async fn a_look_agrees_with_what_was_done(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let free = bench.one().inspect(&claim.name).await?.value;
    let is_free = !free.held && free.remaining.is_none() && free.counter.is_none();
    expect(is_free, "a look at what nobody ever had shows nothing", || format!("{free:?}"))?;
    let sent = bench.one().acquire(&claim, bench.long()).await?.granted("a name that nobody has")?.sent;
    for client in [bench.one(), bench.other()] {
        let look = client.inspect(&claim.name).await?;
        let is_right = |left| bench.is_left(left, look.received, sent, bench.long());
        let is_held = look.value.held && look.value.remaining.is_some_and(is_right);
        expect(is_held, "a look shows that the name is held, and for how long", || {
            format!("{:?}, after {:?}", look.value, look.received.saturating_since(sent))
        })?;
    }
    bench.one().release(&claim).await?;
    let free = bench.other().inspect(&claim.name).await?.value;
    expect(!free.held && free.remaining.is_none(), "a look shows that it was released", || {
        format!("{free:?}")
    })
}

async fn a_look_changes_nothing(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    for client in [bench.one(), bench.other(), bench.one()] {
        client.inspect(&claim.name).await?;
    }
    bench.one().acquire(&claim, bench.short()).await?.granted("a name that was looked at")?;
    // Looks at it again and again, until it has ended.
    bench.becomes_free(&claim, "a lock that is looked at ends").await?;
    let (held, _) = bench.held_by(bench.one(), bench.long()).await?;
    bench.other().inspect(&held.name).await?;
    let released = bench.one().release(&held).await?;
    expect(released.was_held, "an owner keeps what was looked at", || format!("{released:?}"))
}

async fn an_examination_changes_nothing(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let free = bench.claim()?;
    for client in [bench.one(), bench.other(), bench.one()] {
        client.answer("an examination", client.node.clone().examine()).await?;
    }
    bench.stays_held(&claim, "behind an examination").await?;
    bench.stays_free(&free, "behind an examination").await?;
    bench.one().release(&claim).await.map(drop)
}

async fn the_address_tells_no_secret(bench: Bench) -> Verdict {
    let (one, other) = (&bench.one().node, &bench.other().node);
    let address = one.address().to_owned();
    expect(!address.is_empty(), "a node has an address", || "an empty one".to_owned())?;
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    bench.one().release(&claim).await?;
    expect(one.address() == address && other.address() == address, "one address for one store", || {
        format!("{address:?}, {:?} and {:?}", one.address(), other.address())
    })?;
    let identity = bench.one().probe().await?;
    let owner = claim.owner.to_hex();
    let shown = [address, format!("{one:?}"), format!("{identity:?}")];
    let secrets = bench.stage.subject.secrets.iter().chain([&owner]).filter(|secret| !secret.is_empty());
    for secret in secrets {
        let is_shown = shown.iter().any(|text| text.contains(secret.as_str()));
        expect(!is_shown, "no secret in the address, the identity, or what is printed of the node", || {
            "one of the subject's secrets, or an owner token".to_owned()
        })?;
    }
    Ok(())
}

async fn abilities_stay_the_same(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    bench.other().release(&claim).await?;
    for client in [bench.one(), bench.other(), bench.one()] {
        let (before, now) = (bench.stage.abilities, client.node.abilities());
        expect(before == now, "the same abilities at every look", || format!("{before:?} and {now:?}"))?;
    }
    Ok(())
}

async fn a_probe_says_the_same_again(bench: Bench) -> Verdict {
    // Ceilings rise with time.
    let lasting = |identity: Identity| (identity.instance, identity.version);
    let first = lasting(bench.one().probe().await?);
    for client in [bench.one(), bench.other(), bench.one()] {
        let again = lasting(client.probe().await?);
        expect(first == again, "every probe names the same instance and version", || {
            format!("{first:?} and {again:?}")
        })?;
    }
    Ok(())
}

async fn no_counter_is_above_the_ceiling(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    let (now, _) = bench.one().node_micros();
    let reply = bench.one().acquire_fenced(&claim, bench.long(), fence(now, 1)).await?;
    let counter = reply.granted("a name that nobody has")?.counter()?;
    let mut highest = counter;
    for ahead in [0, 3_600_000_000] {
        if ahead > 0 {
            highest = counter + ahead;
            bench.one().raise(&claim, bench.long(), highest).await?.granted("an owner's raise")?;
        }
        for client in [bench.one(), bench.other()] {
            let Some(ceiling) = client.probe().await?.ceiling else { continue };
            expect(ceiling >= highest, "a ceiling that no counter is above", || {
                format!("{ceiling}, and a counter stands at {highest}")
            })?;
        }
    }
    bench.one().release(&claim).await.map(drop)
}

async fn a_clock_that_can_be_set_is_told(bench: Bench) -> Verdict {
    for client in [bench.one(), bench.other()] {
        let (claim, _) = bench.held_by(client, bench.long()).await?;
        client.release(&claim).await?;
        let reading = client.node.clock();
        let is_sound = |now| reading.is_some_and(|read| read.least <= read.most && read.taken <= now);
        expect(is_sound(bench.now()), "a reading of the clock behind an answer", || format!("{reading:?}"))?;
    }
    Ok(())
}

async fn without_a_marker_there_is_nothing_to_mark(bench: Bench) -> Verdict {
    let request = MarkRequest::new(super::stage::charter(), Mark::Raise { floor: 1 });
    let marked = bench.one().node.clone().mark(request).await;
    let is_refused = match &marked {
        Ok(standing) => *standing == Standing::Unguarded,
        Err(error) => error.effect == Effect::None,
    };
    expect(is_refused, "no marker is made where none is kept", || format!("{marked:?}"))?;
    let standing = bench.one().node.standing();
    expect(standing == Standing::Unguarded, "it keeps no marker still", || format!("{standing:?}"))
}
