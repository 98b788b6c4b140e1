//! Configurations that are wrong, or not there: two machines without one must not each believe that they hold the lock.

use std::fs;

use super::stage::{Stage, finish, redlock};

/// Runs it without any environment but this; the exit code must be 78 and nothing may have run.
fn refused(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let stage = Stage::new();
    let ran = finish(
        redlock()
            .arg("run")
            .args(arguments)
            .args(["a", "touch", "ran"])
            .envs(environment.iter().copied())
            .current_dir(stage.path("")),
    );
    assert_eq!(ran.code, Some(78), "{environment:?} {arguments:?}: {}", ran.stderr);
    assert!(!stage.path("ran").exists(), "{environment:?} {arguments:?}");
    ran.stderr
}

#[test]
fn without_a_configuration_it_refuses_and_names_the_lock_of_one_machine() {
    let said = refused(&[], &[]);
    assert!(said.contains("nothing is configured") && said.contains("--local"), "{said}");
    assert!(said.contains("REDLOCK_NODES") && said.contains("--config"), "{said}");
}

#[test]
fn an_environment_that_is_empty_or_contradicts_itself_is_no_configuration() {
    for (environment, expected) in [
        (&[("REDLOCK_NODES", "")][..], "REDLOCK_NODES: no nodes are given"),
        (&[("REDLOCK_NODES", " , ")], "REDLOCK_NODES: no nodes are given"),
        (&[("REDLOCK_CONFIG", "")], "REDLOCK_CONFIG: it is set but empty"),
        (&[("REDLOCK_CONFIG", "a"), ("REDLOCK_NODES", "b")], "REDLOCK_CONFIG: REDLOCK_NODES is set too"),
        (&[("REDLOCK_CONFIG", "/no/such/file")], "/no/such/file"),
    ] {
        let said = refused(environment, &[]);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn options_that_name_no_usable_nodes_are_refused_without_telling_a_password() {
    let password = "redis://u:s3cret@h:1";
    for (arguments, expected) in [
        (&["--nodes", ""][..], "--nodes: no nodes are given"),
        (&["--nodes", "http://a"], "--nodes: node 1"),
        (&["--nodes", &format!("{password},{password}")], "nodes 1 and 2 are both h:1"),
        (&["--nodes", "file://host/a"], "--nodes: node 1"),
        (&["--config", "/no/such/file"], "/no/such/file"),
    ] {
        let said = refused(&[], arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_file_without_locks_is_none() {
    let stage = Stage::new();
    let file = stage.path("etc.toml");
    for text in ["", "[lock]\n", "[lock.file]\n", "[lock.file]\ndirectory = 'a'\nexpiration = '3 parsecs'\n"]
    {
        fs::write(&file, text).unwrap();
        let said = refused(&[], &["--config", file.to_str().unwrap()]);
        assert!(said.contains("etc.toml"), "{text:?}: {said}");
    }
}

#[test]
fn a_ttl_out_of_range_is_refused() {
    let stage = Stage::new();
    for (ttl, expected) in [("0", "0ns"), ("31", "maxExpiration"), ("400d", "366")] {
        let said = refused(&[], &["--nodes", &stage.nodes(), "--ttl", ttl]);
        assert!(said.contains(expected) || expected == "366", "{ttl}: {said}");
    }
}

#[test]
fn a_lock_of_this_machine_needs_no_configuration() {
    let name = format!("test-{}", std::process::id());
    let ran = finish(redlock().args(["run", "--local", "--ttl", "60", &name, "-c", "echo $REDLOCK_NAME"]));
    assert_eq!((ran.code, ran.stdout), (Some(0), format!("{name}\n")), "{}", ran.stderr);
    // It goes before the environment.
    let ran = finish(redlock().args(["run", "--local", &name, "true"]).env("REDLOCK_NODES", "redis://h:1"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
