//! Nothing stays on a node when all clients have ended.

use super::{Rule, Violation};
use crate::history::{Event, History, RunEvent};

pub(super) fn violations(history: &History) -> Vec<Violation> {
    let left = history.events.iter().filter_map(|event| match event {
        Event::Run { at, what: RunEvent::LeftKey { node, key } } => {
            let name = history.run.nodes.get(*node).map_or_else(|| format!("node {node}"), Clone::clone);
            Some(Violation {
                rule: Rule::NothingLeft,
                detail: format!("{key} is still on {name} after all clients have ended"),
                span: (*at, *at),
                holds: Vec::new(),
            })
        }
        _ => None,
    });
    left.collect()
}
