//! One run from its start to its end: who increments, which nodes die when, and what came of it.

use std::time::Duration;

use redlock::Instant;
use tokio::time;

use super::crew::{Crew, News};
use super::event::{Event, Hold};
use super::fleet::Fleet;
use super::screen::{Screen, Tone, stamp};
use super::votes::Votes;

/// What a run is about to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
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
    /// Whatever kept the run from going as planned.
    pub(super) problems: Vec<String>,
    clients: Vec<Progress>,
}

/// Where one client stands.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    ready: bool,
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
            problems: Vec::new(),
            clients: vec![Progress::default(); clients],
        }
    }

    /// Follows the run until all clients have ended, or its time is up.
    pub(super) async fn run(&mut self, crew: &mut Crew, fleet: &Fleet, screen: &mut Screen) {
        let limit = time::sleep(self.plan.limit);
        tokio::pin!(limit);
        loop {
            let news = tokio::select! {
                news = crew.next() => news,
                () = &mut limit => {
                    self.time_is_up(crew);
                    break;
                }
            };
            let Some((client, news)) = news else { break };
            self.note(client, news, crew, screen);
            if self.started.is_none() && self.clients.iter().all(|client| client.ready || client.ended) {
                self.started = Some(Instant::now());
                crew.go().await;
            }
            if self.clients.iter().all(|client| client.ended) {
                break;
            }
            self.kill_what_is_due(fleet, screen);
            if self.started.is_some() {
                screen.progress(self.made(), self.plan.increments, self.elapsed());
            }
        }
        screen.clear();
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
            News::Said(Event::Ready) => {
                progress.ready = true;
                return;
            }
            News::Said(Event::Hold(hold)) => {
                progress.increments += 1;
                self.holds.push(hold);
                return;
            }
            News::Said(Event::Votes(node, votes)) if node < self.votes.len() => {
                self.votes[node] += votes;
                return;
            }
            News::Said(Event::Done) => return,
            News::Said(Event::Votes(node, _)) => {
                format!("counted the votes of node {node}, which there is not")
            }
            News::Said(Event::Failed(why)) | News::Garbled(why) => why,
            News::Ended(None) => {
                progress.ended = true;
                return;
            }
            News::Ended(Some(how)) => {
                progress.ended = true;
                format!("{how}, after {} increments", progress.increments)
            }
        };
        let problem = format!("{}: {problem}", crew.name(client));
        screen.line(format_args!("{} {}", stamp(self.elapsed()), screen.toned(Tone::Bad, &problem)));
        self.problems.push(problem);
    }

    /// With two to kill: one after a quarter of the increments, one after half of them.
    fn kill_what_is_due(&mut self, fleet: &Fleet, screen: &mut Screen) {
        while self.killed < self.plan.kills {
            let parts = self.plan.kills as u64 + 2;
            if self.made() < self.plan.increments * (self.killed as u64 + 1) / parts {
                return;
            }
            let how = fleet.kill(self.killed);
            self.killed += 1;
            let what =
                format!("node {} {how} after {} of {}", self.killed, self.made(), self.plan.increments);
            screen.line(format_args!("{} {}", stamp(self.elapsed()), screen.toned(Tone::Warning, what)));
        }
    }

    fn time_is_up(&mut self, crew: &Crew) {
        let limit = self.plan.limit.as_secs();
        for (client, progress) in self.clients.iter().enumerate().filter(|(_, client)| !client.ended) {
            self.problems.push(format!(
                "{}: not finished after {limit} s, with {} increments made",
                crew.name(client),
                progress.increments
            ));
        }
    }
}
