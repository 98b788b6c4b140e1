//! What the nodes remember: which fleet they belong to, and which of them grant nothing new yet.

use std::sync::Arc;

use redlock::node::{Node, Standing};
use redlock::preflight::{Finding, FindingKind, Severity};

use crate::nodes::standing;

/// A finding for each node that keeps a marker and could be asked for it.
pub(super) fn judge(nodes: &[Arc<dyn Node>]) -> Vec<Finding> {
    // Those that say nothing say nothing against it.
    let all_are_new = !nodes.iter().any(|node| was_used(node.standing()));
    let finding = |node: &Arc<dyn Node>| {
        let (severity, advice) = weigh(node.standing(), all_are_new)?;
        let what = standing::describe(node.standing(), node.clock());
        let advice = advice.map(str::to_owned);
        Some(Finding::new(Some(node.address().into()), FindingKind::Other { severity, what, advice }))
    };
    nodes.iter().filter_map(finding).collect()
}

fn was_used(standing: Standing) -> bool {
    matches!(standing, Standing::Marked(_) | Standing::Unmarked(Some(_)))
}

fn weigh(standing: Standing, all_are_new: bool) -> Option<(Severity, Option<&'static str>)> {
    const WAIT: &str = "it grants nothing new until its quarantine is over; keep the other nodes up until then, and find out why";
    Some(match standing {
        Standing::Marked(marker) if marker.floor.is_some() => (Severity::Good, None),
        Standing::Unmarked(None) if all_are_new => {
            let advice = "before the first use: redlock init, or the first client waits for maxExpiration";
            (Severity::Note, Some(advice))
        }
        Standing::Marked(_) | Standing::Unmarked(_) => (Severity::Warning, Some(WAIT)),
        // Not kept, or said in other words already.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redlock::node::{Charter, Incarnation, Marker};

    use super::*;

    #[test]
    fn a_node_that_forgot_is_a_warning_and_a_new_fleet_is_not() {
        let charter = Charter::new(1, 0, 3, 2, Duration::from_secs(30));
        let marked = |floor| Standing::Marked(Marker::new(Incarnation::new(1), charter, 0, floor));
        let severity = |standing, all| weigh(standing, all).map(|(severity, _)| severity);
        assert_eq!(severity(marked(Some(1)), false), Some(Severity::Good));
        assert_eq!(severity(marked(None), false), Some(Severity::Warning));
        assert_eq!(severity(Standing::Unmarked(Some(charter)), false), Some(Severity::Warning));
        assert_eq!(severity(Standing::Unmarked(None), false), Some(Severity::Warning));
        assert_eq!(severity(Standing::Unmarked(None), true), Some(Severity::Note));
        assert_eq!(severity(Standing::Unguarded, false), None);
        assert_eq!(severity(Standing::Unknown, false), None);
    }
}
