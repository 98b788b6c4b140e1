//! Fleets that cannot be opened say what was expected.

use redlock_tests::fleet::open;

fn refused(kind: &str, nodes: usize) -> String {
    open(kind, nodes).unwrap_err().to_string()
}

#[test]
fn a_kind_that_there_is_not_is_refused_with_those_that_there_are() {
    let text = refused("podman", 3);
    for expected in ["`podman`", "process", "docker", "redis://"] {
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
}

#[test]
fn a_fleet_of_no_nodes_is_refused() {
    assert!(refused("process", 0).contains("expected one at least"));
}

#[test]
fn a_url_that_is_none_asks_for_tls_or_does_not_answer_is_refused_without_its_password() {
    for (url, expected) in [
        ("rediss://user:secret-of-the-test@localhost:6379", "without TLS"),
        ("http://user:secret-of-the-test@localhost:6379", "URL 1"),
        // Nobody listens on a privileged port of this address.
        ("redis://user:secret-of-the-test@127.99.99.99:1", "127.99.99.99:1"),
    ] {
        let text = refused(url, 1);
        assert!(text.contains(expected), "{text} lacks {expected}");
        assert!(!text.contains("secret-of-the-test"), "{text}");
    }
}
