//! The image.

use crate::{deploy, read, root};

fn instructions() -> Vec<(String, String)> {
    let text = read(&deploy("Dockerfile"));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let lines = lines.map(|line| line.split_once(' ').unwrap());
    lines.map(|(word, rest)| (word.to_owned(), rest.to_owned())).collect()
}

#[test]
fn it_is_built_in_one_stage_and_runs_without_root_in_another() {
    let all = instructions();
    assert_eq!(all.iter().filter(|(word, _)| word == "FROM").count(), 2);
    let last = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let of_last: Vec<&(String, String)> = all[last..].iter().collect();
    let user = of_last.iter().find(|(word, _)| word == "USER").unwrap();
    assert!(user.1.split(':').all(|id| id.parse::<u32>().unwrap() > 0), "{user:?}");
    assert!(
        of_last.iter().any(|(word, rest)| word == "ENTRYPOINT" && rest == "[\"/usr/local/bin/redlock\"]")
    );
    // Nothing is run there: there is no shell.
    assert!(of_last.iter().all(|(word, _)| word != "RUN"));
    assert!(all.iter().all(|(_, rest)| !rest.contains(":latest")));
}

#[test]
fn its_compiler_is_the_one_that_the_sources_ask_for() {
    let cargo = read(&root().join("Cargo.toml"));
    let wanted =
        cargo.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    let dockerfile = read(&deploy("Dockerfile"));
    assert!(dockerfile.contains(&format!("rust:{wanted}-")), "rust-version is {wanted}");
}

#[test]
fn every_member_of_the_workspace_goes_into_it() {
    let ignored = read(&deploy("Dockerfile.dockerignore"));
    for member in ["redlock", "redlock-cli", "examples", "tests"] {
        let is_in = |line: &str| line == format!("!{member}") || line.starts_with(&format!("!{member}/"));
        assert!(ignored.lines().any(is_in), "cargo needs {member}");
    }
}
