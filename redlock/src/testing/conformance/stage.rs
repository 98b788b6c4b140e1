//! The clients of one store, and the checks that run on them.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::{Either, select};
use futures::stream;

use super::bench::Bench;
use super::check::{Stop, Verdict};
use super::client::Client;
use super::report::Entry;
use super::{Check, Outcome, Report, Subject};
use crate::env::fresh_owner;
use crate::node::{Abilities, Charter, Incarnation, Mark, MarkRequest, Standing};

/// A check that has not ended after this hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// How many run at a time: a slow store still answers them all within their patience.
const AT_ONCE: usize = 24;

/// Two clients of one store, and one of another namespace of it.
pub(super) struct Stage {
    pub(super) subject: Subject,
    pub(super) one: Client,
    pub(super) other: Client,
    pub(super) elsewhere: Client,
    pub(super) abilities: Abilities,
    standing: Standing,
}

/// What the suite writes into a marker.
pub(super) fn charter() -> Charter {
    Charter::new(0xc0_4f04, 0, 1, 1, Duration::from_secs(60))
}

pub(super) fn run(subject: &Subject, checks: Vec<Check>) -> Report {
    subject.drive(|| async {
        let started = subject.env.now();
        let (address, outcomes) = match guarded(Stage::open(subject)).await {
            Ok(stage) => (stage.one.node.address().to_owned(), stage.run(&checks).await),
            Err(stop) => {
                let outcome = (Outcome::from(Err(stop)), Duration::ZERO);
                ("a store that cannot be used".to_owned(), vec![outcome; checks.len()])
            }
        };
        let entries = checks.into_iter().zip(outcomes);
        let entries = entries.map(|(check, (outcome, took))| Entry { check, outcome, took });
        let took = subject.env.now().saturating_since(started);
        Report { address, took, entries: entries.collect() }
    })
}

impl Stage {
    async fn open(subject: &Subject) -> Verdict<Arc<Self>> {
        let fresh = fresh_owner(&*subject.env).map_err(|why| Stop::new("random numbers", why.to_string()))?;
        let run = &fresh.to_hex()[..10];
        let client = |namespace: &str| Client::new(subject.client(namespace), Arc::clone(&subject.env));
        let (one, two) = (format!("conformance-{run}"), format!("elsewhere-{run}"));
        let (one, other, elsewhere) = (client(&one), client(&one), client(&two));
        let (abilities, standing) = (one.node.abilities(), Standing::Unguarded);
        let mut stage = Self { subject: subject.clone(), one, other, elsewhere, abilities, standing };
        for client in [&stage.one, &stage.other, &stage.elsewhere] {
            let bench = Bench::of(&stage.subject, abilities);
            bench
                .eventually("a node that can be probed", async || match client.probe().await {
                    Ok(_) => Ok(Ok(())),
                    Err(stop) => Ok(Err(stop.found)),
                })
                .await?;
        }
        stage.standing = stage.one.node.standing();
        let stage = Arc::new(stage);
        Bench::new(&stage, "opening").be_ready().await?;
        Ok(stage)
    }

    async fn run(self: &Arc<Self>, checks: &[Check]) -> Vec<(Outcome, Duration)> {
        let applies: Vec<_> = checks.iter().map(|check| self.applies(check)).collect();
        let ready = |at: usize| applies[at].is_none();
        let together = (0..checks.len()).filter(|&at| ready(at) && !checks[at].is_alone());
        let together = together.map(async |at| (at, self.look(&checks[at]).await));
        let mut done: Vec<_> = stream::iter(together).buffer_unordered(AT_ONCE).collect().await;
        for at in (0..checks.len()).filter(|&at| ready(at) && checks[at].is_alone()) {
            done.push((at, self.look(&checks[at]).await));
        }
        let or_not = |why: Option<String>| (why.map_or(Outcome::Ok, Outcome::NotApplicable), Duration::ZERO);
        let mut outcomes: Vec<_> = applies.into_iter().map(or_not).collect();
        done.into_iter().for_each(|(at, outcome)| outcomes[at] = outcome);
        outcomes
    }

    /// Why the check does not apply, if it does not.
    fn applies(&self, check: &Check) -> Option<String> {
        let unmet = |need: &&super::Need| !need.is_met(&self.subject, &self.abilities, self.standing);
        check.needs.iter().find(unmet).map(ToString::to_string)
    }

    async fn look(self: &Arc<Self>, check: &Check) -> (Outcome, Duration) {
        let bench = Bench::new(self, check.name);
        let (body, is_alone) = (check.body, check.is_alone());
        let looked = guarded(async {
            if is_alone {
                bench.be_ready().await?;
            }
            body(bench.clone()).await
        });
        let env = &self.subject.env;
        let started = env.now();
        let late = env.sleep_until(started.saturating_add(LIMIT));
        let verdict = match select(Box::pin(looked), late).await {
            Either::Left((verdict, _)) => verdict,
            Either::Right(_) => Err(Stop::new("the check ends", format!("it had not after {LIMIT:?}"))),
        };
        (verdict.into(), env.now().saturating_since(started))
    }

    /// Whether the node keeps a marker.
    pub(super) fn is_guarded(&self) -> bool {
        self.standing != Standing::Unguarded
    }

    /// Says that nobody holds a lock.
    pub(super) async fn init(&self, client: &Client) -> Verdict<Standing> {
        let incarnation = Incarnation::new(self.subject.env.now().as_nanos());
        let mark = Mark::Init { incarnation, floor: 0 };
        client.mark(MarkRequest::new(charter(), mark)).await
    }
}

/// A panic is a finding too.
async fn guarded<T>(work: impl Future<Output = Verdict<T>>) -> Verdict<T> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(Stop::new("no panic", format!("a panic: {}", words(&*panic)))))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it says nothing")
}
