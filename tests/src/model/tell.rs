//! A path in words: who does what, and when.

use stateright::Path;

use super::Protocol;
use super::sets::{Charter, Stage};
use super::state::{Memory, Phase, Request, State, What};
use super::step::{Step, to_u8};

/// A line for each step.
pub(super) fn tell(model: &Protocol, path: &Path<State, Step>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut before: Option<(State, Step)> = None;
    for (state, step) in path.clone().into_vec() {
        if let Some((earlier, step)) = before.take() {
            let told = told(model, &earlier, step, &state);
            lines.push(format!("{:>3}  {told}", format!("t{}", earlier.now)));
        }
        before = step.map(|step| (state, step));
    }
    lines
}

fn told(model: &Protocol, before: &State, step: Step, after: &State) -> String {
    match step {
        Step::Tick => time_passes(before, after),
        Step::Ask(client) => format!("{} asks every node", client_name(client)),
        Step::Deliver { request, heard } => delivered(&request, heard, before, after),
        Step::Count(client) => match &after.clients[client].phase {
            Phase::Holding(hold) if model.bound.span > 0 => {
                format!(
                    "{} holds the lock until t{}, with token {}",
                    client_name(client),
                    hold.valid_until,
                    hold.token
                )
            }
            Phase::Holding(hold) => {
                format!("{} holds the lock until t{}", client_name(client), hold.valid_until)
            }
            Phase::Asking(asking) => {
                format!(
                    "{} asks for counters to be raised to {}",
                    client_name(client),
                    asking.top.unwrap_or(0)
                )
            }
            Phase::Idle => format!("{} is handed a lock whose validity has ended", client_name(client)),
        },
        Step::GiveUp(client) => format!("{} gives its round up and releases everywhere", client_name(client)),
        Step::Extend { client, short } => {
            let how = if short { " by a shorter TTL" } else { "" };
            format!("{} extends{how} at every node", client_name(client))
        }
        Step::CountExtension(client) => match &after.clients[client].phase {
            Phase::Holding(hold) => {
                format!("{} has extended until t{}", client_name(client), hold.valid_until)
            }
            _ => format!("{} hears of its extension too late", client_name(client)),
        },
        Step::HandOff(client) => match &after.clients[client].phase {
            Phase::Holding(hold) => {
                format!(
                    "{} hands the lock to the next in its process, with token {}",
                    client_name(client),
                    hold.token
                )
            }
            _ => format!("{} hands the lock off", client_name(client)),
        },
        Step::Release(client) => format!("{} releases everywhere", client_name(client)),
        Step::Flush(node) => format!("{} forgets everything", node_name(node)),
        Step::Mark(node) => match after.nodes[node].memory {
            Memory::Quarantined { until, .. } => {
                format!("{} has a new marker: quarantine until t{until}", node_name(node))
            }
            _ => format!("{} has a new marker", node_name(node)),
        },
        Step::AskCeilings(node) => match after.nodes[node].memory {
            Memory::Quarantined { floor: Some(floor), .. } => {
                format!("the floor for the counters of {} is found to be {floor}", node_name(node))
            }
            _ => format!("the floor for the counters of {} is asked for", node_name(node)),
        },
        Step::Admit(node) => format!("{} is admitted", node_name(node)),
        Step::Bring(node) => format!("{} is {}", node_name(node), stage(after.operator.to)),
        Step::Proceed => format!("the operator begins to have nodes {}", stage(after.operator.to)),
        Step::Restart(client) => {
            format!(
                "{} is restarted with the nodes of set {}",
                client_name(client),
                after.clients[client].set
            )
        }
    }
}

fn stage(charter: Charter) -> String {
    let number = charter.number;
    match charter.stage {
        Stage::Open => format!("open to clients of set {number}, too"),
        Stage::Closed => format!("closed to clients that are not of set {number}"),
        Stage::Settled => format!("settled as of set {number}"),
    }
}

fn time_passes(before: &State, after: &State) -> String {
    let mut told = format!("time passes: t{}", after.now);
    for (index, node) in before.nodes.iter().enumerate() {
        if let Some(key) = node.key.filter(|_| after.nodes[index].key.is_none()) {
            told += &format!(
                "; {} lets the lock of {} expire",
                node_name(index),
                client_name(key.owner.client.into())
            );
        }
    }
    for (index, client) in before.clients.iter().enumerate() {
        if matches!(client.phase, Phase::Holding(hold) if after.now >= hold.valid_until && before.now < hold.valid_until)
        {
            told += &format!("; the validity of {} ends", client_name(index));
        }
    }
    told
}

fn delivered(request: &Request, heard: bool, before: &State, after: &State) -> String {
    let (client, node) = (client_name(request.owner.client.into()), node_name(request.node));
    let round = format!("{client} with its owner token {}", request.owner.draw + 1);
    let counter = after.nodes[request.node].counter;
    let counting = if counter > 0 { format!(", its counter is {counter}") } else { String::new() };
    let reply = if heard { "" } else { "; the reply is lost, or comes too late" };
    match request.what {
        What::Acquire { .. } => format!("{node} grants to {round}{counting}{reply}"),
        What::Raise { to, .. } => format!("{node} raises its counter to {to} for {client}{reply}"),
        What::Extend { restore, .. } => {
            let what = if restore { "extends or restores the lock for" } else { "extends the lock for" };
            let until = after.nodes[request.node].key.map_or(after.now, |key| key.expires);
            format!("{node} {what} {round}, until t{until}{counting}{reply}")
        }
        What::Release { .. } if before.nodes[request.node].key == after.nodes[request.node].key => {
            format!("{node} has nothing that a release of {round} could delete")
        }
        What::Release { .. } => format!("{node} deletes the lock by a release of {round}"),
    }
}

fn client_name(client: usize) -> String {
    char::from(b'A' + to_u8(client)).to_string()
}

fn node_name(node: usize) -> String {
    format!("node {}", node + 1)
}
