//! What a check works with: clients, names of its own, and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Subject;
use super::check::{Stop, Verdict, expect};
use super::client::{Claim, Client, PATIENCE, fence, to};
use super::stage::Stage;
use crate::env::{Env, fresh_owner};
use crate::id::{Instant, LockName, Ttl};
use crate::node::{Abilities, AcquireRequest, Description, ExtendRequest, Standing};

/// For how long it is observed that nothing happens.
pub(super) const MOMENT: Duration = Duration::from_millis(60);
/// The TTL of a lock whose end is awaited, unless the node keeps time more coarsely.
const SHORT: Duration = Duration::from_millis(200);
/// The TTL of a lock that no check outlives.
const LONG: Duration = Duration::from_secs(60);

/// A check's own.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) stage: Arc<Stage>,
    time: Time,
    check: &'static str,
    names: Arc<AtomicU64>,
}

/// Time as the subject has it.
#[derive(Clone)]
pub(super) struct Time {
    env: Arc<dyn Env>,
    abilities: Abilities,
}

impl Bench {
    pub(super) fn new(stage: &Arc<Stage>, check: &'static str) -> Self {
        let time = Self::of(&stage.subject, stage.abilities);
        Self { stage: Arc::clone(stage), time, check, names: Arc::default() }
    }

    pub(super) fn of(subject: &Subject, abilities: Abilities) -> Time {
        Time { env: Arc::clone(&subject.env), abilities }
    }

    pub(super) fn one(&self) -> &Client {
        &self.stage.one
    }

    pub(super) fn other(&self) -> &Client {
        &self.stage.other
    }

    /// A name that nobody has had, and an owner for it.
    pub(super) fn claim(&self) -> Verdict<Claim> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        self.claim_to(format!("{}-{number}", self.check))
    }

    pub(super) fn claim_to(&self, name: impl AsRef<[u8]>) -> Verdict<Claim> {
        let name = LockName::new(name).map_err(|why| Stop::new("a name", why.to_string()))?;
        let owner = fresh_owner(&*self.time.env).map_err(|why| Stop::new("an owner", why.to_string()))?;
        Ok(Claim { name, owner })
    }

    /// Somebody else who wants the same.
    pub(super) fn rival(&self, of: &Claim) -> Verdict<Claim> {
        self.claim_to(of.name.as_bytes())
    }

    /// A claim that `client` has been granted for so long.
    pub(super) async fn held_by(&self, client: &Client, ttl: Ttl) -> Verdict<(Claim, Instant)> {
        let claim = self.claim()?;
        let sent = client.acquire(&claim, ttl).await?.granted("a name that nobody has")?.sent;
        Ok((claim, sent))
    }

    /// An acquisition that says this, with a fence where there are counters.
    pub(super) fn described(
        &self,
        claim: &Claim,
        ttl: Ttl,
        description: Option<Description>,
    ) -> AcquireRequest {
        let mut request = self.one().acquisition(claim, ttl);
        request.fence = self.stage.abilities.fencing.then(|| fence(self.one().node_micros().0, 1));
        request.description = description;
        request
    }

    /// An extension that says this, with a fence where there are counters.
    pub(super) fn saying(
        &self,
        claim: &Claim,
        description: Option<Description>,
        restore: bool,
    ) -> ExtendRequest {
        let mut request = self.one().extension(claim, self.long());
        request.fence = self.stage.abilities.fencing.then(|| to(1));
        request.description = description;
        request.restore = restore;
        request
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        self.time.sleep(duration).await;
    }

    pub(super) fn now(&self) -> Instant {
        self.time.env.now()
    }

    pub(super) fn short(&self) -> Ttl {
        self.time.ttl(SHORT.max(self.stage.abilities.ttl_granularity))
    }

    pub(super) fn long(&self) -> Ttl {
        self.time.ttl(LONG)
    }

    /// Until when a grant of `ttl` that was asked for at `sent` must last, with the drift that the quorum allows for.
    pub(super) fn lasts_until(&self, sent: Instant, ttl: Ttl) -> Instant {
        let drift = ttl.get() / 100 + Duration::from_millis(2);
        sent.saturating_add(ttl.get().saturating_sub(drift))
    }

    /// The name is free, and stays so for a moment.
    pub(super) async fn stays_free(&self, claim: &Claim, when: &str) -> Verdict {
        self.stays(claim, false, &format!("{when}, the name is free and stays so")).await
    }

    /// The name is held, and stays so for a moment.
    pub(super) async fn stays_held(&self, claim: &Claim, when: &str) -> Verdict {
        self.stays(claim, true, &format!("{when}, the name is held and stays so")).await
    }

    async fn stays(&self, claim: &Claim, held: bool, expected: &str) -> Verdict {
        for _ in 0..4 {
            for client in [self.one(), self.other()] {
                let look = client.inspect(&claim.name).await?.value;
                expect(look.held == held, expected, || format!("a look shows {look:?}"))?;
            }
            self.sleep(MOMENT / 4).await;
        }
        Ok(())
    }

    /// The name is held at every look until then.
    pub(super) async fn held_until(&self, claim: &Claim, until: Instant, expected: &str) -> Verdict {
        let started = self.now();
        let step = until.saturating_since(started) / 24;
        loop {
            let look = self.other().inspect(&claim.name).await?;
            // A look that was answered later says nothing of the time before.
            if look.received >= until {
                return Ok(());
            }
            expect(look.value.held, expected, || {
                format!("it was free {:?} too early", until.saturating_since(look.received))
            })?;
            self.sleep(step.max(Duration::from_millis(1))).await;
        }
    }

    /// The name is held until `until` at least, which is far away: as a look says, or, where looks do not say, as far as
    /// shorter TTLs would have ended meanwhile.
    pub(super) async fn held_for_long(&self, claim: &Claim, until: Instant, expected: &str) -> Verdict {
        let look = self.other().inspect(&claim.name).await?;
        match look.value.remaining {
            Some(left) if look.value.held => {
                let slack = self.stage.abilities.ttl_granularity.saturating_add(Duration::from_millis(5));
                let ends = look.received.saturating_add(left).saturating_add(slack);
                expect(ends >= until, expected, || format!("a look shows that {left:?} are left"))
            }
            _ => {
                let rounding = 4 * self.stage.abilities.ttl_granularity;
                let short = self.now().saturating_add(self.short().get()).saturating_add(rounding);
                self.held_until(claim, short.min(until), expected).await
            }
        }
    }

    /// Whether what an answer says is left can be true of a hold that was asked for at `sent` for `ttl`.
    pub(super) fn is_left(&self, left: Duration, at: Instant, sent: Instant, ttl: Ttl) -> bool {
        let slack = self.stage.abilities.ttl_granularity.saturating_add(Duration::from_millis(5));
        let ends = at.saturating_add(left).saturating_add(slack);
        ends >= self.lasts_until(sent, ttl) && left <= 2 * ttl.get().max(Duration::from_secs(5))
    }

    /// Looks until it is free.
    pub(super) async fn becomes_free(&self, claim: &Claim, expected: &str) -> Verdict {
        self.eventually(expected, async || {
            let look = self.other().inspect(&claim.name).await?.value;
            Ok(if look.held { Err(format!("a look shows {look:?}")) } else { Ok(()) })
        })
        .await
    }

    /// Tries again until it is so. What the look returns as `Ok(Err(_))` is what was found instead.
    pub(super) async fn eventually(
        &self,
        expected: &str,
        look: impl AsyncFnMut() -> Verdict<Result<(), String>>,
    ) -> Verdict {
        self.time.eventually(expected, look).await
    }

    /// Waits until both clients can use the store, and it grants.
    pub(super) async fn be_ready(&self) -> Verdict {
        self.eventually("a store that answers both clients", async || {
            for client in [&self.stage.one, &self.stage.other, &self.stage.elsewhere] {
                if let Err(stop) = client.probe().await {
                    return Ok(Err(stop.found));
                }
            }
            for client in [&self.stage.one, &self.stage.elsewhere] {
                if self.stage.is_guarded() && !is_admitted(client.node.standing()) {
                    let made = self.stage.init(client).await;
                    return Ok(Err(made.map_or_else(|stop| stop.found, |standing| format!("{standing:?}"))));
                }
            }
            Ok(self.agreed())
        })
        .await
    }

    /// Waits until both clients know the marker that is there.
    pub(super) async fn agree(&self) -> Verdict {
        self.eventually("both clients see the same marker", async || {
            for client in [self.one(), self.other()] {
                if let Err(stop) = client.probe().await {
                    return Ok(Err(stop.found));
                }
            }
            Ok(self.agreed())
        })
        .await
    }

    fn agreed(&self) -> Result<(), String> {
        let [one, other] = [self.one(), self.other()].map(|client| client.node.standing());
        if one == other { Ok(()) } else { Err(format!("{one:?} and {other:?}")) }
    }
}

fn is_admitted(standing: Standing) -> bool {
    matches!(standing, Standing::Marked(marker) if marker.floor.is_some())
}

impl Time {
    fn ttl(&self, wanted: Duration) -> Ttl {
        let longest = self.abilities.longest_ttl.unwrap_or(Ttl::MAX);
        let ttl = wanted.min(longest).clamp(Ttl::MIN, Ttl::MAX);
        Ttl::new(ttl).unwrap_or_else(|_| Ttl::from_const(Ttl::MIN))
    }

    async fn sleep(&self, duration: Duration) {
        self.env.sleep_until(self.env.now().saturating_add(duration)).await;
    }

    pub(super) async fn eventually(
        &self,
        expected: &str,
        mut look: impl AsyncFnMut() -> Verdict<Result<(), String>>,
    ) -> Verdict {
        // What a node rounds up comes on top.
        let patience = PATIENCE.saturating_add(4 * self.abilities.ttl_granularity);
        let end = self.env.now().saturating_add(patience);
        let mut pause = Duration::from_millis(2);
        loop {
            let Err(found) = look().await? else { return Ok(()) };
            if self.env.now() >= end {
                return Err(Stop::new(expected, format!("{found}, still so after {patience:?}")));
            }
            self.sleep(pause).await;
            pause = (2 * pause).min(Duration::from_millis(50));
        }
    }
}
