//! Tables of `docs/operations.md`.

use std::collections::BTreeSet;

use crate::{read, root};

/// The cells of the table whose head begins so, without code quotes.
pub(crate) fn table(head: &str) -> Vec<Vec<String>> {
    let page = read(&root().join("docs/operations.md"));
    let lines = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> = rows
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
        })
        .collect();
    assert!(!rows.is_empty(), "there is no table that begins with {head}");
    rows
}

pub(crate) fn first_column(head: &str) -> BTreeSet<String> {
    table(head).into_iter().map(|row| row[0].clone()).collect()
}
