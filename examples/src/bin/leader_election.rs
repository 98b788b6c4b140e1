//! Leader election: of two candidates one leads, steps down, and the other one takes over; a third party watches.
//!
//! In a real program each candidate is a process of its own, and `run` is all that it needs.
//!
//! ```sh
//! cargo run -p redlock-examples --bin leader_election
//! ```

use std::ops::ControlFlow;
use std::time::Duration;

use redlock::{Election, Locks, Observation, Term};
use redlock_examples::Nodes;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(5)?;
    // As if each were a process of its own.
    let [first, second] = [Locks::builder().nodes(nodes.urls()), Locks::builder().nodes(nodes.urls())];
    let (first, second) = (first.build().await?, second.build().await?);
    let candidates = [("first", first.election("scheduler")), ("second", second.election("scheduler"))];

    let [one, other] = &candidates;
    let (one_runs, other_runs, watched) =
        tokio::join!(campaign(one.0, &one.1), campaign(other.0, &other.1), watch(&candidates));
    one_runs?;
    other_runs?;
    watched?;

    tokio::join!(first.shutdown(Duration::from_secs(1)), second.shutdown(Duration::from_secs(1)));
    println!("done");
    Ok(())
}

/// Leads whenever this candidate is elected, until it retires.
async fn campaign(name: &str, election: &Election) -> anyhow::Result<()> {
    election.run(|term| lead(name, term)).await?;
    println!("{name}: has retired");
    Ok(())
}

async fn lead(name: &str, term: Term) -> ControlFlow<()> {
    println!("{name}: leads");
    if let Err(error) = term.proclaim(format!("http://{name}.example")).await {
        println!("{name}: nobody knows my address: {error}");
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let reason = loop {
        tokio::select! {
            reason = term.stop_requested() => break reason,
            _ = ticks.tick() => {
                // The leader's work. What must not be done by a leader of the past goes along with `term.epoch()`.
            }
        }
    };
    println!("{name}: stops, since {reason}");
    ControlFlow::Continue(())
}

/// Follows the leaders, has each step down, and ends the election when both have led.
async fn watch(candidates: &[(&str, Election)]) -> anyhow::Result<()> {
    // Whoever only wants to know who leads needs to be no candidate.
    let mut observer = candidates[0].1.observe()?;
    let mut seen = 0;
    while seen < 2 {
        match observer.next().await {
            Observation::Leader(leader) if !leader.value.is_empty() => {
                println!("watcher: {} leads", leader.value);
                seen += 1;
                for (_, election) in candidates.iter().filter(|(_, one)| *one.candidate() == leader.candidate)
                {
                    election.set_eligible(false);
                }
            }
            Observation::NoLeader => println!("watcher: nobody leads"),
            Observation::Disconnected(error) => println!("watcher: {error}"),
            _ => {}
        }
    }
    candidates.iter().for_each(|(_, election)| election.retire());
    Ok(())
}
