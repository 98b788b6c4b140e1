//! `redlock nodes add`, `remove` and `replace`: each run does what can be done before clients must be restarted.

use std::process::ExitCode;
use std::time::Duration;

use redlock::{LocksBuilder, NodeChange, NodeSetChange, Progress};

use super::{confirm, standing};
use crate::exit::{self, Failed};
use crate::source::FleetSource;

/// Add a server
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The server; without user and password it has those of the first node
    #[arg(value_name = "URL")]
    new: String,
    #[command(flatten)]
    how: How,
}

/// Remove a server, which may be dead
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The server, by its URL or as host:port
    #[arg(value_name = "URL")]
    old: String,
    #[command(flatten)]
    how: How,
}

/// Replace a server, which may be dead, by another one
#[derive(Debug, clap::Args)]
pub(super) struct Replace {
    /// The server to be removed, by its URL or as host:port
    #[arg(value_name = "OLD")]
    old: String,
    /// The server to be added
    #[arg(value_name = "NEW")]
    new: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    #[command(flatten)]
    source: FleetSource,
    /// Do not ask: the change is wanted, and, in a later run, all clients have been restarted
    #[arg(long)]
    yes: bool,
}

/// What came of a run.
#[derive(PartialEq, Eq)]
enum Came {
    ToRestart,
    ToTheEnd,
}

impl Add {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let change = self.how.source.builder()?.change_nodes(NodeChange::Add(self.new.clone())).await?;
        Ok(ended(&[self.how.go_on(&change).await?]))
    }
}

impl Remove {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let change = self.how.source.builder()?.change_nodes(NodeChange::Remove(self.old.clone())).await?;
        Ok(ended(&[self.how.go_on(&change).await?]))
    }
}

impl Replace {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let builder = self.how.source.builder()?;
        let adding = |builder: LocksBuilder| builder.change_nodes(NodeChange::Add(self.new.clone()));
        // With the list of after the replacement the removal is over.
        let last = adding(builder.clone()).await;
        if let Ok(last) = last
            && !last.was_given_the_old_list()
        {
            return Ok(ended(&[self.how.go_on(&last).await?]));
        }
        let first = builder.change_nodes(NodeChange::Remove(self.old.clone())).await?;
        let second = adding(first.after()).await?;
        if !second.was_given_the_old_list() {
            return Err(Failed::Misused("OLD and NEW are both among the nodes".to_owned()));
        }
        // As far as the second has come the first has come to its end.
        let is_second = second.progress().await.is_ok_and(|progress| progress != Progress::NotBegun);
        if !is_second && self.how.go_on(&first).await? == Came::ToRestart {
            return Ok(exit::later());
        }
        Ok(ended(&[self.how.go_on(&second).await?]))
    }
}

fn ended(came: &[Came]) -> ExitCode {
    if came.contains(&Came::ToRestart) { exit::later() } else { ExitCode::SUCCESS }
}

impl How {
    /// Does what can be done now.
    async fn go_on(&self, change: &NodeSetChange) -> Result<Came, Failed> {
        let (number, before) = (change.number(), change.number() - 1);
        let progress = change.progress().await?;
        standing::list(change.nodes());
        match progress {
            Progress::NotBegun | Progress::Opening => {
                println!("Node set {number} is to be made from node set {before}. Clients go on meanwhile.");
                confirm(self.yes, "Open the nodes to clients of it?", "give --yes to begin")?;
                change.open().await?;
                println!("Opened: clients of node sets {before} and {number} work side by side.");
                tell_restart(change);
                Ok(Came::ToRestart)
            }
            Progress::Open | Progress::Closing => {
                if progress == Progress::Open {
                    tell_restart(change);
                    let question = format!("Have all clients been restarted with node set {number}?");
                    let advice =
                        format!("give --yes when all clients have been restarted with node set {number}");
                    confirm(self.yes, &question, &advice)?;
                }
                println!(
                    "Clients of node set {before} are shut out. Waiting for {} s, until all that they held has ended ...",
                    seconds(change.wait())
                );
                change.finish().await?;
                println!("Node set {number} is in force.");
                Ok(Came::ToTheEnd)
            }
            Progress::Done => {
                // Nodes that were away are seen to.
                change.finish().await?;
                println!("Node set {number} is in force.");
                Ok(Came::ToTheEnd)
            }
            _ => Err(Failed::Other("the nodes are in a state that this version does not know".to_owned())),
        }
    }
}

/// What clients are to be given.
fn tell_restart(change: &NodeSetChange) {
    let list: Vec<String> = change.new_nodes().map(|node| format!("    {:?},", node.address())).collect();
    println!("Restart the clients, one after the other, with this list (user and password as before):");
    println!("  nodeSet = {}", change.number());
    println!("  nodes = [\n{}\n  ]", list.join("\n"));
    println!("Then run this command again.");
}

/// Rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
