//! One run from its start to its end: who increments, which nodes die when, and what came of it.

use std::fmt;
use std::time::Duration;

use redlock::Instant;
use tokio::time;

use super::crew::{Crew, News};
use super::event::{Event, Hold};
use super::fleet::Fleet;
use super::screen::{Screen, Tone, count};
use super::view::{UP, View};
use super::votes::Votes;

/// Problems beyond these are counted, not told.
const LISTED: usize = 10;
/// How often the progress line is renewed at least.
const TICK: Duration = Duration::from_millis(100);

/// What a run is about to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) contenders: u32,
    /// Increments of each of them.
    pub(super) rounds: u32,
    /// Increments of all contenders together.
    pub(super) increments: u64,
    /// Nodes that are killed on the way.
    pub(super) kills: usize,
    /// How long it may take.
    pub(super) limit: Duration,
}

/// What has happened so far.
#[derive(Debug)]
pub(super) struct Course {
    plan: Plan,
    /// When the contenders were let loose.
    started: Option<Instant>,
    pub(super) holds: Vec<Hold>,
    /// By node.
    pub(super) votes: Vec<Votes>,
    /// Nodes are killed in their order.
    pub(super) killed: usize,
    /// How many times something did not go as planned; the first ones were told as they came.
    pub(super) problems: usize,
    clients: Vec<Progress>,
    /// Increments made, by contender.
    made_by: Vec<u32>,
    /// Who has had the lock last: the client, the contender, its token, and whether it still has it.
    holder: Option<Holder>,
}

/// Who has the lock, or had it last.
#[derive(Debug, Clone, Copy)]
struct Holder {
    client: usize,
    contender: u32,
    token: u64,
    has_it_still: bool,
}

/// Where one client stands.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    ready: bool,
    /// It has finished, and its votes are counted.
    done: bool,
    ended: bool,
    increments: u64,
}

impl Course {
    pub(super) fn new(plan: Plan, nodes: usize, clients: usize) -> Self {
        Self {
            plan,
            started: None,
            holds: Vec::new(),
            votes: vec![Votes::default(); nodes],
            killed: 0,
            problems: 0,
            clients: vec![Progress::default(); clients],
            made_by: vec![0; plan.contenders as usize],
            holder: None,
        }
    }

    /// Follows the run until all clients have ended, or its time is up.
    pub(super) async fn run(&mut self, crew: &mut Crew, fleet: &Fleet, screen: &mut Screen) {
        let limit = time::sleep(self.plan.limit);
        let mut ticks = time::interval(TICK);
        tokio::pin!(limit);
        while !self.clients.iter().all(|client| client.ended) {
            tokio::select! {
                Some((client, news)) = crew.next() => self.note(client, news, crew, screen),
                // Time goes on also while nobody gets on.
                _ = ticks.tick() => {}
                () = &mut limit => {
                    self.time_is_up(crew, screen);
                    break;
                }
            }
            if self.started.is_none() && self.clients.iter().all(|client| client.ready || client.ended) {
                self.started = Some(Instant::now());
                crew.go().await;
            }
            self.kill_what_is_due(fleet, screen);
            if self.started.is_some() {
                screen.progress(self.made(), self.plan.increments, self.elapsed(), || self.view(crew, fleet));
            }
        }
        screen.settle();
    }

    /// How things stand.
    fn view(&self, crew: &Crew, fleet: &Fleet) -> View {
        let done = self.made_by.iter().filter(|made| **made >= self.plan.rounds).count();
        View {
            elapsed: self.elapsed(),
            increments: (self.made(), self.plan.increments),
            contenders: (done as u64, self.plan.contenders.into()),
            holder: self.holder.filter(|holder| holder.has_it_still).map(|holder| {
                (format!("contender {} in {}", holder.contender, crew.name(holder.client)), holder.token)
            }),
            nodes: (0..self.votes.len())
                .map(|node| if node < self.killed { fleet.fate() } else { UP })
                .collect(),
        }
    }

    /// Whether the votes of every client are counted.
    pub(super) fn has_all_votes(&self) -> bool {
        self.clients.iter().all(|client| client.done)
    }

    /// From the first word to the end of the last hold.
    pub(super) fn duration(&self) -> Duration {
        let last = self.holds.iter().map(|hold| hold.end).max();
        last.zip(self.started).map(|(last, started)| last.saturating_since(started)).unwrap_or_default()
    }

    fn made(&self) -> u64 {
        self.holds.len() as u64
    }

    fn elapsed(&self) -> Duration {
        self.started.map(|started| Instant::now().saturating_since(started)).unwrap_or_default()
    }

    fn note(&mut self, client: usize, news: News, crew: &Crew, screen: &mut Screen) {
        let progress = &mut self.clients[client];
        let problem = match news {
            News::Said(Event::Failed(why)) | News::Garbled(why) => Some(why),
            News::Said(Event::Ready) => {
                progress.ready = true;
                None
            }
            News::Said(Event::Holding { contender, token }) => {
                self.holder = Some(Holder { client, contender, token, has_it_still: true });
                None
            }
            News::Said(Event::Hold(hold)) => {
                progress.increments += 1;
                if let Some(made) = self.made_by.get_mut((hold.contender as usize).wrapping_sub(1)) {
                    *made += 1;
                }
                if let Some(holder) = self.holder.as_mut().filter(|holder| holder.contender == hold.contender)
                {
                    holder.has_it_still = false;
                }
                self.holds.push(hold);
                None
            }
            News::Said(Event::Votes(node, votes)) => match self.votes.get_mut(node) {
                Some(sum) => {
                    *sum += votes;
                    None
                }
                None => Some(format!("counted votes of node {node}, counted from 0; there is none")),
            },
            News::Said(Event::Done) => {
                progress.done = true;
                None
            }
            News::Ended(how) => {
                progress.ended = true;
                how.map(|how| format!("{how}, {} made", count(progress.increments, "increment")))
            }
        };
        if let Some(problem) = problem {
            self.problem(format_args!("{}: {problem}", crew.name(client)), screen);
        }
    }

    fn problem(&mut self, what: impl fmt::Display, screen: &mut Screen) {
        self.problems += 1;
        if self.problems <= LISTED {
            screen.event(self.elapsed(), Tone::Bad, what);
        }
    }

    /// With two to kill: one after a quarter of the increments, one after half of them.
    fn kill_what_is_due(&mut self, fleet: &Fleet, screen: &mut Screen) {
        while self.killed < self.plan.kills {
            let parts = self.plan.kills as u64 + 2;
            let due = self.plan.increments * (self.killed as u64 + 1) / parts;
            if self.made() < due.max(1) {
                return;
            }
            fleet.kill(self.killed);
            self.killed += 1;
            let (fate, made, all) = (fleet.fate(), self.made(), self.plan.increments);
            let what = format!("node {} {fate} after {made} of {all} increments", self.killed);
            screen.event(self.elapsed(), Tone::Warning, what);
        }
    }

    fn time_is_up(&mut self, crew: &Crew, screen: &mut Screen) {
        let limit = self.plan.limit.as_secs();
        for client in 0..self.clients.len() {
            let Progress { ended, increments, .. } = self.clients[client];
            if !ended {
                let made = count(increments, "increment");
                let name = crew.name(client);
                self.problem(format_args!("{name}: not finished after {limit} s, {made} made"), screen);
            }
        }
    }
}
