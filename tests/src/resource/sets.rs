//! The sets themselves, and what is asked of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which of the two sets of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetKind {
    /// It refuses tokens below the highest that it has seen.
    Fenced,
    /// It checks nothing.
    Unfenced,
}

/// A line that a client sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    /// The lock that protects the set.
    pub(super) name: String,
    pub(super) set: SetKind,
    /// The fencing token of the hold.
    pub(super) token: Option<u64>,
    pub(super) step: Step,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Read,
    /// The set is now what that version had, and the element.
    Write {
        version: usize,
        element: String,
    },
}

/// A line that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The version that was read.
    Version(usize),
    Done,
    Refused,
}

/// Every set of a run.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: BTreeMap<(SetKind, String), Set>,
    reads: usize,
}

#[derive(Debug, Default)]
struct Set {
    /// Each version but the first, 0, which is empty: its last element, and the version that had the others.
    versions: Vec<(String, usize)>,
    current: usize,
    highest: u64,
}

impl Sets {
    pub(super) fn answer(&mut self, request: Request) -> Reply {
        let Request { name, set: kind, token, step } = request;
        let set = self.sets.entry((kind, name)).or_default();
        if kind == SetKind::Fenced {
            // Without a token nothing is known about who asks.
            let Some(token) = token.filter(|token| *token >= set.highest) else { return Reply::Refused };
            set.highest = token;
        }
        match step {
            Step::Read => {
                self.reads += 1;
                Reply::Version(set.current)
            }
            Step::Write { version, element } => {
                set.versions.push((element, version.min(set.versions.len())));
                set.current = set.versions.len();
                Reply::Done
            }
        }
    }

    /// The elements of all sets of a kind.
    pub(super) fn elements(&self, kind: SetKind) -> Vec<String> {
        let sets = self.sets.iter().filter(|((of, _), _)| *of == kind);
        sets.flat_map(|(_, set)| set.elements()).cloned().collect()
    }

    pub(super) fn reads(&self) -> usize {
        self.reads
    }
}

impl Set {
    fn elements(&self) -> impl Iterator<Item = &String> {
        let mut version = self.current;
        std::iter::from_fn(move || {
            let (element, before) = self.versions.get(version.checked_sub(1)?)?;
            version = *before;
            Some(element)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(sets: &mut Sets, set: SetKind, token: Option<u64>, step: Step) -> Reply {
        sets.answer(Request { name: "a".to_owned(), set, token, step })
    }

    fn write(version: usize, element: &str) -> Step {
        Step::Write { version, element: element.to_owned() }
    }

    #[test]
    fn a_write_replaces_the_set_by_what_was_read_and_an_element_more() {
        let mut sets = Sets::default();
        let set = SetKind::Unfenced;
        assert_eq!(ask(&mut sets, set, None, write(0, "one")), Reply::Done);
        assert_eq!(ask(&mut sets, set, None, Step::Read), Reply::Version(1));
        assert_eq!(ask(&mut sets, set, None, write(1, "two")), Reply::Done);
        assert_eq!(sets.elements(set), ["two", "one"]);
        // From a read before the second one: that one is lost.
        assert_eq!(ask(&mut sets, set, None, write(1, "three")), Reply::Done);
        assert_eq!(sets.elements(set), ["three", "one"]);
    }

    #[test]
    fn the_fenced_set_refuses_the_write_of_a_holder_after_the_next_one_has_read() {
        let mut sets = Sets::default();
        let set = SetKind::Fenced;
        assert_eq!(ask(&mut sets, set, Some(5), Step::Read), Reply::Version(0));
        assert_eq!(ask(&mut sets, set, Some(6), Step::Read), Reply::Version(0));
        assert_eq!(ask(&mut sets, set, Some(5), write(0, "late")), Reply::Refused);
        assert_eq!(ask(&mut sets, set, Some(5), Step::Read), Reply::Refused);
        assert_eq!(ask(&mut sets, set, Some(6), write(0, "next")), Reply::Done);
        assert_eq!(ask(&mut sets, set, None, Step::Read), Reply::Refused);
        assert_eq!(sets.elements(set), ["next"]);
    }

    #[test]
    fn every_name_has_sets_of_its_own() {
        let mut sets = Sets::default();
        for (name, token) in [("a", 9), ("b", 2)] {
            let step = write(0, name);
            let request = Request { name: name.to_owned(), set: SetKind::Fenced, token: Some(token), step };
            assert_eq!(sets.answer(request), Reply::Done);
        }
        assert_eq!(sets.elements(SetKind::Fenced), ["a", "b"]);
    }
}
