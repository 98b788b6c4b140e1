//! Each way to lose a lock, or not to get it, is told of.

use std::collections::BTreeSet;

use crate::{page, read, root};

/// The variants of an enum in the library's errors.
fn variants(name: &str) -> BTreeSet<String> {
    let source = read(&root().join("redlock/src/error.rs"));
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(|line| line.split(['(', ' ', ',']).next().unwrap().to_owned()).collect()
}

#[test]
fn each_loss_has_a_row() {
    assert_eq!(page::first_column("| reason (`LostReason`) |"), variants("LostReason"));
}

#[test]
fn each_failure_to_acquire_has_a_row() {
    assert_eq!(page::first_column("| error (`AcquireError`) |"), variants("AcquireError"));
}
