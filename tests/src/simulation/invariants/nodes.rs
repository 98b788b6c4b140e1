//! What a node promises to clients, request by request.

use std::time::Duration;

use redlock::Instant;
use redlock::testing::faulty::Op;

use super::Invariant;
use crate::simulation::event::{Event, Ran};
use crate::simulation::scene::{Promise, Scene};

pub(super) struct Nodes;

impl Invariant for Nodes {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Ran(ran) if ran.granted() => {
                let promise = scene.promises[ran.node].get(&ran.name);
                granted(ran, promise.filter(|promise| ran.node_time < promise.until).copied(), scene)
            }
            Event::Released { node, name, owner, was_held: true } => match scene.promised(*node, name) {
                Some(promise) if promise.owner != *owner => {
                    Err(format!("node {node} released {name:?} for one who does not have it"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn granted(ran: &Ran, promise: Option<Promise>, scene: &Scene) -> Result<(), String> {
    let (node, op, name) = (ran.node, ran.op, &ran.name);
    if promise.is_some_and(|promise| promise.owner != ran.owner) {
        return Err(format!("node {node} ran {op:?} of {name:?} for one while another has it"));
    }
    if ran.node_time > ran.deadline {
        let late = ran.node_time.saturating_since(ran.deadline);
        return Err(format!("node {node} ran {op:?} of {name:?} {late:?} after its deadline"));
    }
    let (before, after) = (ran.before.counter.unwrap_or(0), ran.after.counter.unwrap_or(0));
    match op {
        Op::Extend => {
            if promise.is_some() && ran.after.remaining < ran.before.remaining {
                return Err(format!("node {node} shortened {name:?} when it extended it"));
            }
            // Of those who had the lease one after the other the last one counts.
            let own = |hold: &&usize| scene.holds[**hold].owner == ran.owner;
            let token =
                scene.open.iter().rev().find(own).and_then(|&hold| scene.holds[hold].held.fencing_token());
            match token {
                Some(token) if after < token.get() => {
                    Err(format!("node {node} extended {name:?} and does not store its token"))
                }
                _ => Ok(()),
            }
        }
        Op::Acquire => {
            let is_again = promise.is_some();
            if is_again && before > 0 && after > before && ran.floor <= before {
                return Err(format!("node {node} counted twice for one request for {name:?}"));
            }
            let known = before.max(ran.floor) + ran.span;
            let clamped = micros(ran.node_time.saturating_add(Duration::from_secs(1))) + ran.span;
            if ran.span > 0 && after > known && after > clamped {
                return Err(format!("node {node} followed a hint for {name:?} far ahead of its own time"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn micros(at: Instant) -> u64 {
    at.as_nanos() / 1_000
}
