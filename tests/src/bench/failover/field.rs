//! All candidates of one election, each a process of this very program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::candidate::{Event, Order};
use crate::bench::Result;

/// Far longer than anything takes that is measured.
const PATIENCE: Duration = Duration::from_secs(60);

/// They end with this.
pub(super) struct Field {
    ttl: Duration,
    candidates: Vec<Candidate>,
    heard: Receiver<(usize, Event)>,
    said: Sender<(usize, Event)>,
}

/// Who leads since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reign {
    pub(super) candidate: usize,
    /// Nanoseconds of the machine's clock.
    pub(super) since: u64,
    pub(super) epoch: u64,
}

impl Field {
    /// Starts a candidate for each list of addresses.
    pub(super) fn start(ttl: Duration, urls: &[Vec<String>]) -> Result<Self> {
        let (said, heard) = channel();
        let mut field = Self { ttl, candidates: Vec::new(), heard, said };
        for urls in urls {
            let candidate = Candidate::start(field.candidates.len(), ttl, urls, &field.said)?;
            field.candidates.push(candidate);
        }
        Ok(field)
    }

    /// The next to lead.
    pub(super) fn next_leader(&self) -> Result<Reign> {
        self.until("a leader", |candidate, event| match event {
            Event::Leads { at, epoch } => Some(Reign { candidate, since: at, epoch }),
            _ => None,
        })
    }

    /// When the next of this kind happens: nanoseconds of the machine's clock.
    pub(super) fn until<T>(&self, what: &str, mut is_it: impl FnMut(usize, Event) -> Option<T>) -> Result<T> {
        loop {
            let (candidate, event) =
                self.heard.recv_timeout(PATIENCE).map_err(|_| format!("not within {PATIENCE:?}: {what}"))?;
            if let Some(found) = is_it(candidate, event) {
                return Ok(found);
            }
        }
    }

    /// Everything that is said for so long.
    pub(super) fn listen(&self, length: Duration) -> Result<Vec<(usize, Event)>> {
        let end = std::time::Instant::now() + length;
        let mut all = Vec::new();
        loop {
            match self.heard.recv_timeout(end.saturating_duration_since(std::time::Instant::now())) {
                Ok(event) => all.push(event),
                Err(RecvTimeoutError::Timeout) => return Ok(all),
                Err(RecvTimeoutError::Disconnected) => return Err("all candidates have ended".into()),
            }
        }
    }

    pub(super) fn order(&mut self, candidate: usize, order: Order) -> Result<()> {
        self.candidates[candidate].send(order)
    }

    /// Ends one by SIGKILL, and starts another in its place once somebody else leads. When it was killed, and the new leader.
    pub(super) fn kill(&mut self, candidate: usize) -> Result<(u64, Reign)> {
        let killed = redlock::Instant::now().as_nanos();
        self.candidates[candidate].child.kill()?;
        let next = self.next_leader()?;
        let urls = self.candidates[candidate].urls.clone();
        self.candidates[candidate] = Candidate::start(candidate, self.ttl, &urls, &self.said)?;
        self.until("the new candidate", |who, event| {
            (who == candidate && matches!(event, Event::Ready)).then_some(())
        })?;
        Ok((killed, next))
    }
}

struct Candidate {
    child: Child,
    urls: Vec<String>,
    /// Closed, it ends the child.
    orders: Option<ChildStdin>,
}

impl Candidate {
    fn start(number: usize, ttl: Duration, urls: &[String], said: &Sender<(usize, Event)>) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "failover-candidate",
                "--ttl",
                &humantime::format_duration(ttl).to_string().replace(' ', ""),
            ])
            .args(urls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let said = said.clone();
        thread::spawn(move || {
            // A line that was cut off by SIGKILL is none.
            let lines = stdout.lines().map_while(std::io::Result::ok);
            for event in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                // The field may have gone.
                let _ = said.send((number, event));
            }
        });
        Ok(Self { child, urls: urls.to_vec(), orders })
    }

    fn send(&mut self, order: Order) -> Result<()> {
        let orders = self.orders.as_mut().ok_or("no stdin")?;
        writeln!(orders, "{}", serde_json::to_string(&order)?)?;
        Ok(orders.flush()?)
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
