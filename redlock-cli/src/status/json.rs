//! The same for programs. Keys stay; new ones may come.

use std::time::Duration;

use redlock::node::{Description, Inspection, NodeError, Standing};
use redlock::{FencingToken, FleetView, Holder, LockView, NodeState};
use serde_json::{Value, json};

use super::table::winner;

pub(super) fn render(view: &FleetView) -> String {
    let document = json!({
        "quorum": { "nodes": view.quorum.nodes(), "needed": view.quorum.size() },
        "reached": view.reached(),
        "node_set": view.node_set,
        "nodes": view.nodes.iter().map(|one| node(one, view.node_set)).collect::<Vec<_>>(),
        "locks": view.locks.iter().map(lock).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn node(node: &NodeState, configured: u64) -> Value {
    let state = match (&node.identity, node.quarantined_for, node.standing) {
        (Err(_), _, _) => "unreached",
        (_, Some(_), _) => "quarantined",
        (_, _, Standing::Marked(_)) => "admitted",
        (_, _, Standing::Unmarked(_)) => "new",
        (_, _, Standing::Unguarded) => "unguarded",
        _ => "unknown",
    };
    json!({
        "address": &*node.address,
        "state": state,
        "node_set": node.node_set(),
        "is_of_another_set": node.is_of_another_set(configured),
        "quarantined_for_ms": node.quarantined_for.map(millis),
        "version": node.identity.as_ref().ok().and_then(|identity| identity.version.as_deref()),
        "clock_ahead_us": node.clock_ahead,
        "error": node.identity.as_ref().err().map(NodeError::to_string),
    })
}

fn lock(lock: &LockView) -> Value {
    let holding = lock.holder();
    let state = match &holding {
        Some(_) => "held",
        None if !lock.is_known() => "unknown",
        None if lock.is_free() => "free",
        None => "undecided",
    };
    let winner = winner(lock);
    let nodes = lock.nodes.iter().map(|node| {
        let answer = node.answer.as_ref().ok();
        let vote = match answer {
            Some(answer) if answer.held => "held",
            Some(_) => "free",
            None => "none",
        };
        json!({
            "address": &*node.address,
            "vote": vote,
            "is_holders": answer.is_some_and(|answer| winner.is_some() && answer.owner == winner),
            "remaining_ms": answer.and_then(|answer| answer.remaining).map(millis),
            "token": answer.and_then(|answer: &Inspection| answer.counter),
            "holder": answer.and_then(|answer| answer.description.as_ref()).map(described),
            "error": node.answer.as_ref().err().map(NodeError::to_string),
        })
    });
    let nodes: Vec<Value> = nodes.collect();
    json!({
        "name": lock.name.to_string(),
        "state": state,
        "holder": holding.as_ref().and_then(|holding| holding.holder.as_ref()).map(holder),
        "held_for_ms": holding.as_ref().and_then(|holding| holding.held_for).map(millis),
        "remaining_ms": holding.as_ref().and_then(|holding| holding.remaining).map(millis),
        "token": holding.as_ref().and_then(|holding| holding.token).map(FencingToken::get),
        "votes": holding.as_ref().map_or(0, |holding| holding.votes),
        "nodes": nodes,
    })
}

fn described(description: &Description) -> Value {
    holder(&description.into())
}

fn holder(holder: &Holder) -> Value {
    json!({ "host": holder.host, "pid": holder.pid, "since_ms": holder.since, "text": holder.text })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
