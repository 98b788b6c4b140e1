//! Clients of one kind, each a process of this very program.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum as _;

use super::client::{Account, Order, Way};
use crate::bench::Result;

/// They end with this.
pub(super) struct Crowd {
    members: Vec<Member>,
}

struct Member {
    child: Child,
    /// Closed, it ends the child.
    orders: Option<ChildStdin>,
    accounts: Lines<BufReader<ChildStdout>>,
}

impl Crowd {
    /// Starts so many processes, and waits until all are connected.
    pub(super) fn start(way: Way, count: usize, urls: &[String]) -> Result<Self> {
        let members = (0..count).map(|_| Member::start(way, urls)).collect::<Result<_>>()?;
        let mut crowd = Self { members };
        for member in &mut crowd.members {
            member.line()?;
        }
        Ok(crowd)
    }

    /// Has all of them do the same at once; what came of it, a member each.
    pub(super) fn all(&mut self, order: &Order) -> Result<Vec<Account>> {
        let order = serde_json::to_string(order)?;
        self.members.iter_mut().try_for_each(|member| member.send(&order))?;
        self.members.iter_mut().map(Member::account).collect()
    }

    /// Has one of them do something; [`account`](Self::account) is what came of it.
    pub(super) fn send(&mut self, member: usize, order: &Order) -> Result<()> {
        self.members[member].send(&serde_json::to_string(order)?)
    }

    pub(super) fn account(&mut self, member: usize) -> Result<Account> {
        self.members[member].account()
    }
}

impl Member {
    fn start(way: Way, urls: &[String]) -> Result<Self> {
        let way = way.to_possible_value().ok_or("every way has a name")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["contention-client", way.get_name()])
            .args(urls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let accounts = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        Ok(Self { child, orders, accounts })
    }

    fn send(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().ok_or("no stdin")?;
        orders.write_all(format!("{order}\n").as_bytes())?;
        Ok(orders.flush()?)
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.accounts.next().ok_or("a client has ended")??)
    }

    fn account(&mut self) -> Result<Account> {
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
