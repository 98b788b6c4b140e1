//! What a candidate does.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, Shared, select};
use redlock::env::Env;
use redlock::{CampaignError, Election, Leadership, Observer, StopReason, Term};

use super::event::Event;
use super::ledger::Ledger;
use super::world::World;

pub(super) const SITUATIONS: &[&str] = &[
    "told to stop: not eligible",
    "told to stop: retired",
    "told to stop: renewals fail",
    "told to stop: lost",
    "told to stop: resigned",
    "campaign cancelled",
    "campaign tried in vain",
    "campaign tried and won",
    "run cancelled",
    "run ended by its work",
    "run ended by retiring",
    "work dropped",
    "leadership dropped",
    "leadership resigned",
    "leadership verified",
    "value proclaimed",
];

/// How somebody works who leads.
#[derive(Debug, Clone, Copy)]
struct Habit {
    /// Whether it listens to what it is told.
    listens: bool,
    /// How long it works.
    time: Duration,
    /// How long it takes to come to its end when it was told to.
    end: Duration,
    /// Whether it asks the nodes whether it leads, and tells what it has to tell.
    asks: bool,
}

impl World {
    /// The life of a candidate, until it has retired.
    pub(crate) async fn stand(self: Arc<Self>, client: usize, election: Election, delay: Duration) {
        loop {
            let goes_on = if self.below(3) == 0 {
                self.campaign_once(client, &election, delay).await
            } else {
                self.run_for_long(client, &election, delay).await
            };
            if !goes_on {
                return;
            }
            self.rest(client, self.millis(50)).await;
        }
    }

    /// The usual way. Returns whether it goes on.
    async fn run_for_long(self: &Arc<Self>, client: usize, election: &Election, delay: Duration) -> bool {
        let patience = if self.below(4) == 0 { self.millis(2_000) } else { Duration::from_secs(3_600) };
        let work = |term: Term| {
            let office = self.led(client, term.clone(), delay);
            // Before anybody can drop it.
            let work = Work { ledger: Arc::clone(&self.ledger), office, is_done: false };
            let (world, habit) = (Arc::clone(self), self.habit());
            async move {
                world.serve(client, &term, habit).await;
                work.done();
                if world.below(4) == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        };
        match select(pin!(election.run(work)), pin!(self.rest(client, patience))).await {
            Either::Left((Ok(Some(())), _)) => self.ledger.count("run ended by its work"),
            Either::Left((Ok(None), _)) => {
                self.ledger.count("run ended by retiring");
                return false;
            }
            Either::Left((Err(error), _)) => {
                self.ledger.violate("campaign", format!("client {client} cannot run: {error}"));
                return false;
            }
            Either::Right(_) => self.ledger.count("run cancelled"),
        }
        true
    }

    /// By hand. Returns whether it goes on.
    async fn campaign_once(self: &Arc<Self>, client: usize, election: &Election, delay: Duration) -> bool {
        let patience = if self.below(4) == 0 { self.millis(300) } else { Duration::from_secs(3_600) };
        let waits = self.below(3) > 0;
        let campaign =
            async { if waits { election.campaign().await.map(Some) } else { election.try_campaign().await } };
        let leadership = match select(pin!(campaign), pin!(self.rest(client, patience))).await {
            Either::Left((Ok(Some(leadership)), _)) => {
                if !waits {
                    self.ledger.count("campaign tried and won");
                }
                leadership
            }
            Either::Left((Ok(None), _)) => {
                self.ledger.count("campaign tried in vain");
                return true;
            }
            Either::Left((Err(CampaignError::Retired), _)) => return false,
            Either::Left((Err(CampaignError::Acquire(_)), _)) => return true,
            Either::Left((Err(error), _)) => {
                self.ledger.violate("campaign", format!("client {client} cannot campaign: {error}"));
                return false;
            }
            Either::Right(_) => {
                self.ledger.count("campaign cancelled");
                return true;
            }
        };
        let office = self.led(client, leadership.term(), delay);
        let work = Work { ledger: Arc::clone(&self.ledger), office, is_done: false };
        // Nobody drops its work when it is time.
        let habit = Habit { listens: true, end: Duration::ZERO, ..self.habit() };
        self.serve(client, &leadership, habit).await;
        work.done();
        self.resign(client, leadership).await;
        true
    }

    async fn resign(&self, client: usize, mut leadership: Leadership) {
        if self.below(3) == 0 {
            self.ledger.count("leadership dropped");
            return drop(leadership);
        }
        let term = leadership.term();
        let patience = if self.below(3) == 0 { self.millis(3) } else { Duration::from_secs(3_600) };
        if let Either::Left((Ok(()), _)) =
            select(pin!(leadership.resign()), pin!(self.rest(client, patience))).await
        {
            self.ledger.count("leadership resigned");
        }
        self.told_to_stop(term.stop_requested().await);
    }

    fn habit(&self) -> Habit {
        let some = |millis: &[u64]| self.millis(millis[self.below(millis.len() as u64) as usize]);
        Habit {
            listens: self.below(3) > 0,
            time: some(&[50, 500, 3_000]),
            end: some(&[1, 20, 200, 1_000]),
            asks: self.below(3) == 0,
        }
    }

    /// Works for a leader: until it is done, or has come to its end.
    async fn serve(&self, client: usize, term: &Term, habit: Habit) {
        let work = async {
            if habit.asks {
                if term.proclaim(format!("at {}", self.below(1_000))).await.is_ok() {
                    self.ledger.count("value proclaimed");
                }
                self.rest(client, habit.time / 2).await;
                if term.verify().await.is_ok() {
                    self.ledger.count("leadership verified");
                }
            }
            self.rest(client, habit.time).await;
        };
        if !habit.listens {
            return work.await;
        }
        if let Either::Left((reason, _)) = select(pin!(term.stop_requested()), pin!(work)).await {
            self.told_to_stop(reason);
            if !habit.end.is_zero() {
                self.rest(client, habit.end).await;
            }
        }
    }

    fn told_to_stop(&self, reason: StopReason) {
        self.ledger.count(match reason {
            StopReason::Ineligible => "told to stop: not eligible",
            StopReason::Retired => "told to stop: retired",
            StopReason::AtRisk => "told to stop: renewals fail",
            StopReason::Lost(_) => "told to stop: lost",
            _ => "told to stop: resigned",
        });
    }

    /// Watches who leads, until it is over.
    pub(crate) async fn watch_leaders(
        self: Arc<Self>,
        client: usize,
        mut observer: Observer,
        over: Shared<futures::channel::oneshot::Receiver<()>>,
    ) {
        while let Either::Left((observation, _)) = select(pin!(observer.next()), over.clone()).await {
            self.ledger.tell(&Event::Observed { client, observation: &observation });
        }
    }

    /// A leadership was given to a candidate; returns its number.
    fn led(&self, client: usize, term: Term, delay: Duration) -> usize {
        let env = Arc::clone(&self.clients[client].env) as Arc<dyn Env>;
        let mut state = self.ledger.now();
        let office = state.scene.led(client, term, delay, env);
        state.tell(&Event::Led { office });
        office
    }
}

/// The work of a leader, which ends by itself or is dropped.
struct Work {
    ledger: Arc<Ledger>,
    office: usize,
    is_done: bool,
}

impl Work {
    fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_done {
            self.ledger.count("work dropped");
        }
        self.ledger.tell(&Event::WorkEnded { office: self.office });
    }
}
