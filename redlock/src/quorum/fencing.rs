//! When a fencing token is settled.
//!
//! The token is the largest counter among the granted votes, and it counts only when a quorum of granted nodes stores at
//! least that value. Any later quorum shares a node with these, and that node counts up from there.

use super::Quorum;

/// What the nodes that granted store.
#[derive(Debug, Clone)]
pub(crate) struct Fencing {
    quorum: Quorum,
    stored: Vec<Option<u64>>,
    /// Set once, when the quorum is there: later grants do not move it.
    top: Option<u64>,
}

impl Fencing {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { quorum, stored: vec![None; quorum.nodes()], top: None }
    }

    /// A node has granted, or raised, and stores this much.
    pub(crate) fn record(&mut self, node: usize, counter: u64) {
        if let Some(stored) = self.stored.get_mut(node) {
            *stored = (*stored).max(Some(counter));
        }
    }

    /// The token, if a quorum stores it. The first call with a quorum of grants fixes what it will be.
    pub(crate) fn settled(&mut self, must_be_stored: bool) -> Option<u64> {
        if self.top.is_none() && self.stored.iter().flatten().count() >= self.quorum.size() {
            self.top = self.stored.iter().flatten().max().copied();
        }
        let top = self.top?;
        let storing = self.stored.iter().flatten().filter(|&&stored| stored >= top).count();
        (storing >= self.quorum.size() || !must_be_stored).then_some(top)
    }

    /// How far a node that granted is to be raised; `None` if it stores enough, or there is no token yet.
    pub(crate) fn raise(&self, node: usize) -> Option<u64> {
        let top = self.top?;
        let stored = self.stored.get(node).copied().flatten()?;
        (stored < top).then_some(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fencing(stored: &[(usize, u64)]) -> Fencing {
        let mut fencing = Fencing::new(Quorum::majority(5).unwrap());
        stored.iter().for_each(|&(node, counter)| fencing.record(node, counter));
        fencing
    }

    #[test]
    fn one_round_is_enough_when_all_count_alike() {
        assert_eq!(fencing(&[(0, 7), (2, 7), (4, 7)]).settled(true), Some(7));
    }

    #[test]
    fn the_largest_counter_must_be_stored_by_a_quorum() {
        let mut fencing = fencing(&[(0, 7), (1, 9), (2, 8)]);
        assert_eq!(fencing.settled(true), None);
        assert_eq!([0, 1, 2, 3].map(|node| fencing.raise(node)), [Some(9), None, Some(9), None]);
        fencing.record(0, 9);
        assert_eq!(fencing.settled(true), None);
        fencing.record(2, 9);
        assert_eq!(fencing.settled(true), Some(9));
    }

    #[test]
    fn a_late_grant_does_not_move_the_token_and_helps_if_it_stores_enough() {
        let mut fencing = fencing(&[(0, 7), (1, 9), (2, 9)]);
        assert_eq!(fencing.settled(true), None);
        fencing.record(3, 100);
        assert_eq!(fencing.settled(true), Some(9));
    }

    #[test]
    fn without_a_quorum_there_is_no_token() {
        assert_eq!(fencing(&[(0, 7), (1, 7)]).settled(true), None);
        assert_eq!(fencing(&[(0, 7), (0, 8), (0, 9)]).settled(true), None);
    }
}
