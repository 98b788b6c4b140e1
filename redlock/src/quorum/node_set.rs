//! Nodes by their numbers, in one machine word: a round counts its votes without allocating anything.

use super::Quorum;

/// A set of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NodeSet(u64);

impl NodeSet {
    /// Adds a node; `false` if it is in already, or if no quorum has so many nodes.
    pub(crate) fn insert(&mut self, node: usize) -> bool {
        let is_new = node < Quorum::MAX_NODES && !self.contains(node);
        if is_new {
            self.0 |= 1 << node;
        }
        is_new
    }

    pub(crate) fn contains(self, node: usize) -> bool {
        node < Quorum::MAX_NODES && self.0 & (1 << node) != 0
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_every_node_that_a_quorum_can_have_once_and_no_other() {
        let mut set = NodeSet::default();
        for node in 0..Quorum::MAX_NODES {
            assert!(!set.contains(node));
            assert!(set.insert(node) && set.contains(node));
            assert!(!set.insert(node), "it is in already");
        }
        for node in [Quorum::MAX_NODES, 64, 64 + 3, usize::MAX] {
            assert!(!set.insert(node) && !set.contains(node));
        }
        assert_eq!(set.len(), Quorum::MAX_NODES);
    }
}
