//! What holds of the pure core for every order, number and repetition of answers.

mod backoffs;
mod claims;
mod clocks;
mod floors;
mod releases;
mod rounds;
mod sizes;
mod validities;

use proptest::prelude::*;

use super::Quorum;

/// Any quorum of up to nine nodes.
fn quorum() -> impl Strategy<Value = Quorum> {
    (1..=9_usize)
        .prop_flat_map(|nodes| (Just(nodes), nodes / 2 + 1..=nodes))
        .prop_map(|(nodes, size)| Quorum::new(nodes, size).unwrap())
}

/// A quorum, and answers of its nodes in any order: repeated, missing, and from nodes that do not exist.
fn quorum_and_answers<T: std::fmt::Debug + Clone + 'static>(
    answer: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = (Quorum, Vec<(usize, T)>)> {
    quorum().prop_flat_map(move |quorum| {
        let node = prop_oneof![9 => 0..quorum.nodes(), 1 => any::<usize>()];
        (Just(quorum), prop::collection::vec((node, answer.clone()), 0..30))
    })
}

/// The answers that count: each node's first.
fn first_answers<T: Clone>(quorum: Quorum, answers: &[(usize, T)]) -> Vec<Option<T>> {
    let first = |node| answers.iter().find(|(from, _)| *from == node).map(|(_, answer)| answer.clone());
    (0..quorum.nodes()).map(first).collect()
}

/// Every way to fill in the missing answers.
fn completions<T: Clone>(answers: &[Option<T>], possible: &[T]) -> Vec<Vec<T>> {
    answers.iter().fold(vec![Vec::new()], |all, answer| {
        let choices = answer.as_ref().map_or(possible, std::slice::from_ref);
        let extend = |done: &Vec<T>| {
            choices
                .iter()
                .map(|choice| [&done[..], std::slice::from_ref(choice)].concat())
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(extend).collect()
    })
}
