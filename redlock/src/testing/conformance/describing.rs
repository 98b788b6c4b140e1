//! What an owner says of itself, and whose a lock is.

use super::bench::Bench;
use super::check::{Check, Verdict, check, expect};
use super::client::{Claim, Client};
use crate::node::{Description, OwnerId};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!(
            a_look_says_whose_it_is,
            [Descriptions],
            "A look says whose a name is: the same for every client, another for another owner, nobody's when it is free."
        ),
        check!(
            a_description_is_shown_to_all,
            [Descriptions],
            "What an owner says of itself when it acquires is shown to every client, byte by byte, up to 1 KiB of it."
        ),
        check!(
            a_description_goes_with_its_lock,
            [Descriptions],
            "A description is gone with a release and with the end of the TTL, and the next owner has none but its own."
        ),
        check!(
            an_extension_leaves_or_changes_a_description,
            [Descriptions],
            "An extension with a description changes it; one without, and a raise, leave it as it is."
        ),
        check!(
            what_is_restored_brings_its_description,
            [Descriptions],
            "An extension that restores a name brings its description."
        ),
    ]
}

fn said(text: impl AsRef<str>) -> Option<Description> {
    Some(Description::new(text))
}

/// Both clients are shown this.
async fn shows(bench: &Bench, claim: &Claim, description: Option<&Description>, when: &str) -> Verdict {
    let expected = format!("{when}, a look shows {description:?}");
    for client in [bench.one(), bench.other()] {
        let look = client.inspect(&claim.name).await?.value;
        expect(look.description.as_ref() == description, &expected, || format!("{:?}", look.description))?;
    }
    Ok(())
}

async fn described(
    bench: &Bench,
    client: &Client,
    claim: &Claim,
    description: Option<Description>,
) -> Verdict {
    let request = bench.described(claim, bench.long(), description);
    client.ask_to_acquire(request).await?.granted("a name that nobody has").map(drop)
}

async fn a_look_says_whose_it_is(bench: Bench) -> Verdict {
    let (claim, _) = bench.held_by(bench.one(), bench.long()).await?;
    let rival = bench.rival(&claim)?;
    for (holder, client) in [(&claim, bench.one()), (&rival, bench.other())] {
        client.acquire(holder, bench.long()).await?.granted("the owner's, or a free name")?;
        for client in [bench.one(), bench.other()] {
            let owner = client.inspect(&claim.name).await?.value.owner;
            let is_right = owner == Some(OwnerId::from(&holder.owner));
            expect(is_right, "a look says whose the name is", || match owner {
                Some(_) => "it says that it is another's".to_owned(),
                None => "it does not say".to_owned(),
            })?;
        }
        client.release(holder).await?;
        let free = bench.one().inspect(&claim.name).await?.value;
        expect(free.owner.is_none(), "a name that is free is nobody's", || format!("{free:?}"))?;
    }
    Ok(())
}

async fn a_description_is_shown_to_all(bench: Bench) -> Verdict {
    let odd = "a\0b\r\nEND\r\n 7 %s {\u{1b}[2J} \u{e9}\u{1f512} ".to_owned();
    for text in ["web-3 812 1700000000000 nightly".to_owned(), odd, " ".to_owned(), "é".repeat(512)] {
        let claim = bench.claim()?;
        described(&bench, bench.one(), &claim, said(&text)).await?;
        shows(&bench, &claim, said(&text).as_ref(), "behind a grant").await?;
        // Repeated, it is granted again, and says it again.
        described(&bench, bench.other(), &claim, said("again")).await?;
        shows(&bench, &claim, said("again").as_ref(), "behind a repeated acquire").await?;
        bench.other().release(&claim).await?;
    }
    Ok(())
}

async fn a_description_goes_with_its_lock(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    described(&bench, bench.one(), &claim, said("the first")).await?;
    bench.one().release(&claim).await?;
    shows(&bench, &claim, None, "behind a release").await?;
    let second = bench.rival(&claim)?;
    described(&bench, bench.other(), &second, None).await?;
    shows(&bench, &claim, None, "with an owner who says nothing").await?;
    bench.other().release(&second).await?;
    // An owner without a counter is not described by what lies beside the counter.
    bench.other().acquire(&second, bench.long()).await?.granted("a free name")?;
    shows(&bench, &claim, None, "with an owner who says nothing, and counts nothing").await?;
    bench.other().release(&second).await?;
    let third = bench.rival(&claim)?;
    let request = bench.described(&third, bench.short(), said("the third"));
    bench.one().ask_to_acquire(request).await?.granted("a free name")?;
    bench.becomes_free(&third, "a lock that ends some time after its TTL").await?;
    shows(&bench, &claim, None, "behind the end of a lock").await?;
    bench.other().acquire(&second, bench.long()).await?.granted("a name whose lock has ended")?;
    shows(&bench, &claim, None, "with an owner who says nothing, behind the end of another's lock").await?;
    bench.other().release(&second).await.map(drop)
}

async fn an_extension_leaves_or_changes_a_description(bench: Bench) -> Verdict {
    let claim = bench.claim()?;
    described(&bench, bench.one(), &claim, said("the first")).await?;
    for client in [bench.one(), bench.other()] {
        let request = bench.saying(&claim, None, false);
        client.ask_to_extend(request).await?.granted("an owner's extension")?;
        shows(&bench, &claim, said("the first").as_ref(), "behind an extension that says nothing").await?;
    }
    if bench.stage.abilities.fencing {
        let counter = bench.one().inspect(&claim.name).await?.value.counter.unwrap_or_default();
        bench.other().raise(&claim, bench.long(), counter + 5).await?.granted("an owner's raise")?;
        shows(&bench, &claim, said("the first").as_ref(), "behind a raise").await?;
    }
    for (client, text) in [(bench.one(), "the second"), (bench.other(), "the third, and longer")] {
        let request = bench.saying(&claim, said(text), false);
        client.ask_to_extend(request).await?.granted("an owner's extension")?;
        shows(&bench, &claim, said(text).as_ref(), "behind an extension that says something else").await?;
    }
    bench.one().release(&claim).await.map(drop)
}

async fn what_is_restored_brings_its_description(bench: Bench) -> Verdict {
    let earlier = bench.claim()?;
    described(&bench, bench.other(), &earlier, said("an earlier owner")).await?;
    bench.other().release(&earlier).await?;
    for text in [None, said("restored")] {
        let claim = bench.rival(&earlier)?;
        let request = bench.saying(&claim, text.clone(), true);
        bench.one().ask_to_extend(request).await?.granted("a restoring extension")?;
        shows(&bench, &claim, text.as_ref(), "behind a restoring extension").await?;
        bench.one().release(&claim).await?;
    }
    Ok(())
}
