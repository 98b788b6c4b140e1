//! Names of any bytes, and namespaces.

use futures::future::join_all;

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use super::client::{Claim, fence};
use crate::id::LockName;
use crate::node::{Grant, RefusalReason};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            any_bytes_are_a_name,
            [],
            "Any bytes, up to `LockName::MAX_BYTES` of them, are a name: no two names are one lock, nor one of the backend's own keys."
        ),
        check!(namespaces_are_separate, [], "Names under different prefixes are different locks."),
    ]
}

/// Names that a careless backend takes for another one, or for something of its own.
fn odd_names(more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let plain: [&[u8]; 53] = [
        b"a",
        b"A",
        b"a ",
        b" a",
        b"a\n",
        b"a\r\n",
        b"a\0",
        b"\0",
        b"\0a",
        b"a\t",
        b"/",
        b"//",
        b"a/",
        b"/a",
        b"a/b",
        b"a//b",
        b".",
        b"..",
        b"../a",
        b"a/../b",
        b"%",
        b"%2F",
        b"a%2Fb",
        b"a:b",
        b"a::b",
        b":",
        b"*",
        b"a*",
        b"?",
        b"[a]",
        b"{a}",
        b"{}",
        b"}{",
        b"{a",
        b"\\",
        b"a\\b",
        b"'",
        b"\"",
        b"\xff",
        b"\xff\xfe",
        b"\x7f",
        b"\xc3\x28",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
        "🔒".as_bytes(),
        b"0",
        b"-1",
        b"1 2",
        b"get a",
        b"a noreply",
        b"#",
        b"~",
        b"@",
    ];
    // What backends call things of their own.
    let own = ["redlock", "lock", "marker", "counter", "owner", "top"]
        .iter()
        .flat_map(|word| ["", "a:", "a/", "a.", "a\0", "#redlock:"].map(|lead| format!("{lead}{word}")));
    let of_redis = ["#redlock:aux:{a}", "#redlock:esc:a", "#redlock:esc:#redlock:a"].map(str::to_owned);
    let own = own.chain(of_redis);
    let longest = vec![b'x'; LockName::MAX_BYTES];
    let mut nearly = longest.clone();
    nearly[LockName::MAX_BYTES - 1] = b'y';
    let shorter = longest[..LockName::MAX_BYTES - 1].to_vec();
    let binary: Vec<u8> = (0..LockName::MAX_BYTES).map(|at| (at % 256) as u8).collect();
    let lines = vec![b'\n'; LockName::MAX_BYTES];
    let mut names: Vec<Vec<u8>> = plain.iter().map(|name| name.to_vec()).collect();
    names.extend(own.map(String::into_bytes));
    names.extend([longest, nearly, shorter, binary, lines]);
    names.extend(more.iter().cloned());
    names.sort_unstable();
    names.dedup();
    names
}

async fn any_bytes_are_a_name(bench: Bench) -> Verdict {
    let names = odd_names(&bench.stage.subject.names);
    let claims = names.iter().map(|name| bench.claim_to(name)).collect::<Verdict<Vec<_>>>()?;
    // A few dozen at a time, as many as a careful server lets wait.
    let mut counters = Vec::new();
    for some in claims.chunks(40) {
        let granted = join_all(some.iter().map(|claim| take(&bench, claim))).await;
        counters.extend(granted.into_iter().collect::<Verdict<Vec<Grant>>>()?.iter().map(|g| g.counter));
    }
    // One after the other is released; all the others are still held, and no counter has moved.
    let (odd, even): (Vec<_>, Vec<_>) =
        claims.iter().zip(&counters).enumerate().partition(|(number, _)| number % 2 == 1);
    for some in odd.chunks(40) {
        let released = some.iter().map(async |(_, (claim, _))| {
            let released = bench.one().release(claim).await?;
            let expected = format!("{} is held by its owner", claim.name);
            expect(released.was_held, &expected, || format!("{released:?}"))
        });
        join_all(released).await.into_iter().collect::<Verdict<()>>()?;
    }
    for some in even.chunks(40) {
        let looks = some.iter().map(async |(_, (claim, counter))| {
            let look = bench.other().inspect(&claim.name).await?.value;
            let is_right = look.held && (counter.is_none() || look.counter == **counter);
            let expected = format!("{} is as it was when others are released", claim.name);
            expect(is_right, &expected, || format!("{look:?}, and it was counted to {counter:?}"))?;
            let released = bench.one().release(claim).await?;
            expect(released.was_held, &expected, || format!("{released:?}"))
        });
        join_all(looks).await.into_iter().collect::<Verdict<()>>()?;
    }
    Ok(())
}

async fn take(bench: &Bench, claim: &Claim) -> Verdict<Grant> {
    let mut request = bench.one().acquisition(claim, bench.long());
    if bench.stage.abilities.fencing {
        request.fence = Some(fence(bench.one().node_micros().0, 1));
    }
    let granted = bench.one().ask_to_acquire(request).await?;
    Ok(granted.granted(&format!("the name {}, which nobody has,", claim.name))?.value)
}

async fn namespaces_are_separate(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let elsewhere = bench.rival(&claim)?;
    let far = &bench.stage.elsewhere;
    far.acquire(&elsewhere, bench.long()).await?.granted("the same name under another prefix")?;
    let released = far.release(&claim).await?;
    expect(!released.was_held, "an owner has nothing under another prefix", || format!("{released:?}"))?;
    bench.stays_held(&claim, "whatever happens under another prefix").await?;
    bench.one().release(&claim).await?;
    let reply = far.acquire(&bench.rival(&claim)?, bench.long()).await?;
    reply.refused(RefusalReason::Held, "what is held under this prefix")?;
    far.release(&elsewhere).await.map(drop)
}
