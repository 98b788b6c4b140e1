//! The table at the top of `main.rs` names every test here, and none that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// This file's own tests hold no defect of others.
const NOT_IN_THE_TABLE: &str = "table";

#[test]
fn the_table_names_every_test_and_none_that_does_not_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/defects_of_others");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let named: BTreeSet<String> = main
        .lines()
        .filter(|line| line.starts_with("//! |"))
        .flat_map(|line| line.split("[`").skip(1).filter_map(|rest| rest.split_once("`]")))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(!named.is_empty());

    let mut existing = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module != NOT_IN_THE_TABLE {
            let source = fs::read_to_string(&path).unwrap();
            existing.extend(tests(&source).into_iter().map(|test| format!("{module}::{test}")));
        }
    }
    assert_eq!(named, existing);
}

#[test]
fn every_row_has_a_test_or_a_reason_and_every_test_names_a_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/defects_of_others");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let rows: Vec<_> = main.lines().filter(|line| line.starts_with("//! | ")).collect();
    assert!(rows.len() > 50);
    for row in rows {
        let cells: Vec<_> = row.trim_matches(['/', '!', ' ', '|']).split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(cells.iter().all(|cell| !cell.trim().is_empty()), "{row}");
    }
    for module in fs::read_dir(&folder).unwrap() {
        let path = module.unwrap().path();
        if path.file_stem().unwrap() == NOT_IN_THE_TABLE {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for test in tests(&source) {
            let body = source.split(&format!("fn {test}(")).nth(1).unwrap();
            let first = body.lines().nth(1).unwrap().trim();
            assert!(first.starts_with("// ") && first.contains(':'), "{test} names no library: {first}");
        }
    }
}

/// The names of the functions that follow a test attribute.
fn tests(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines() {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
            is_test = false;
        }
    }
    names
}
