//! `redlock nodes status`.

use std::process::ExitCode;

use redlock::node::{Charter, Stage, Standing};

use super::standing;
use crate::exit::Failed;
use crate::source::FleetSource;

/// Show which set of nodes is in force, and how far a change has come
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: FleetSource,
}

impl Args {
    pub(super) async fn run(&self) -> Result<ExitCode, Failed> {
        let nodes = self.source.builder()?.look().await?;
        standing::list(&nodes);
        let charters = nodes.iter().filter_map(|node| match node.standing() {
            Standing::Marked(marker) => Some(marker.charter),
            _ => None,
        });
        let charters: Vec<Charter> = charters.collect();
        if nodes.iter().all(|node| node.standing() == Standing::Unknown) {
            return Err(Failed::Unavailable("no node can be reached".to_owned()));
        }
        println!("{}", said_of(&charters));
        Ok(ExitCode::SUCCESS)
    }
}

/// What the markers say together: the furthest that any is.
fn said_of(charters: &[Charter]) -> String {
    let rank = |stage| match stage {
        Stage::Open { .. } => 0,
        Stage::Closed => 1,
        Stage::Settled => 2,
    };
    // Fewer than a quorum of the set that says so: it has only just begun.
    let Some(furthest) = charters.iter().max_by_key(|charter| (charter.epoch, rank(charter.stage))) else {
        return "No client has used these nodes yet.".to_owned();
    };
    let Charter { epoch, nodes, quorum, stage, .. } = *furthest;
    let alike = charters.iter().filter(|charter| **charter == *furthest).count();
    let before = epoch.saturating_sub(1);
    match stage {
        Stage::Open { .. } => format!(
            "Node set {epoch} ({nodes} nodes) is being made: clients of node sets {before} and {epoch} work. Restart all clients \
             with node set {epoch}; then run the command that began the change again."
        ),
        _ if alike < quorum as usize || stage == Stage::Closed => format!(
            "Clients of node set {before} are being shut out: run the command that began the change to node set {epoch} \
             ({nodes} nodes) again, to its end."
        ),
        _ => format!("Node set {epoch} ({nodes} nodes) is in force: clients have nodeSet = {epoch}."),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_says_what_is_in_force_and_what_is_to_be_done() {
        let four = Charter::new(1, 1, 4, 3, Duration::from_secs(30));
        let five = Charter::new(1, 0, 5, 3, Duration::from_secs(30));
        let open = four.at(Stage::Open { nodes: 5, quorum: 3 });
        for (charters, said) in [
            (&[][..], "No client"),
            (&[five; 5], "Node set 0 (5 nodes) is in force"),
            (&[five, open, open, open, open], "clients of node sets 0 and 1 work"),
            (&[five, four.at(Stage::Closed), four.at(Stage::Closed)], "node set 0 are being shut out"),
            (&[four.at(Stage::Closed), four.at(Stage::Closed), four], "node set 0 are being shut out"),
            (&[four; 3], "Node set 1 (4 nodes) is in force"),
        ] {
            assert!(said_of(charters).contains(said), "{}", said_of(charters));
        }
    }
}
