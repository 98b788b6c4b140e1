//! What somebody else has done to the files: never a free lock.

use std::os::unix::fs::symlink;

use redlock::node::NodeErrorKind;

use super::*;

#[test]
fn a_record_that_is_not_whole_is_never_taken_for_a_free_lock() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    let file = directory.file();
    let good = fs::read(&file).unwrap();
    release(&node, "a", 1).unwrap();
    let free = fs::read(&file).unwrap();
    let differs = good.iter().zip(&free).position(|(one, other)| one != other).unwrap();
    let mut flipped = free.clone();
    flipped[free.len() / 2] ^= 1;
    let torn = [&free[..differs + 10], &good[differs + 10..]].concat();
    for damaged in [&b""[..], b"x", &good[..good.len() / 2], &flipped, &torn, &[0; 4_096]] {
        fs::write(&file, damaged).unwrap();
        for result in [acquire(&node, "a", 2, 60_000), extend(&node, "a", 1, 60_000)] {
            let error = result.unwrap_err();
            assert_eq!(error.kind, NodeErrorKind::WrongType, "{error}");
            let text = error.to_string();
            assert!(text.contains(file.to_str().unwrap()) && text.contains("remove the file"), "{text}");
        }
        assert!(release(&node, "a", 1).is_err());
        assert!(block_on(Arc::clone(&node).inspect(name("a"))).is_err());
        // Other locks are not concerned.
        assert!(is_granted(&acquire(&node, "b", 1, 60_000)));
    }
    fs::write(&file, &good).unwrap();
    refusal(acquire(&node, "a", 2, 60_000), RefusalReason::Held);
    fs::remove_file(&file).unwrap();
    assert!(is_granted(&acquire(&node, "a", 2, 60_000)));
}

#[test]
fn the_record_of_another_lock_and_a_link_are_none() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    let file = directory.file();
    fs::copy(&file, file.with_file_name("b")).unwrap();
    assert_eq!(acquire(&node, "b", 2, 60_000).unwrap_err().kind, NodeErrorKind::WrongType);
    symlink(&file, file.with_file_name("c")).unwrap();
    assert!(acquire(&node, "c", 2, 60_000).is_err());
    fs::create_dir(file.with_file_name("d")).unwrap();
    assert!(acquire(&node, "d", 2, 60_000).is_err());
}

#[test]
fn a_damaged_mark_is_an_error_that_names_it() {
    let directory = Directory::new();
    drop(directory.node());
    fs::write(directory.path().join("mark"), "0").unwrap();
    let node = FileNode::start(directory.config(), real_env().unwrap(), Protections::default()).unwrap();
    let error = block_on(node.probe()).unwrap_err().to_string();
    assert!(error.contains("locks/mark is damaged"), "{error}");
}

#[test]
fn a_directory_that_was_removed_grants_nothing_until_it_is_made_again() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    let away = directory.path().with_file_name("away");
    fs::rename(directory.path(), &away).unwrap();
    fs::remove_dir_all(&away).unwrap();
    for _ in 0..2 {
        let reply = acquire(&node, "b", 1, 60_000);
        assert!(is_granted(&reply) || reply.unwrap_err().kind == NodeErrorKind::Unreachable);
    }
    // It is another one now, which knows nothing of the first one's locks.
    refusal(extend(&node, "a", 1, 60_000), RefusalReason::Missing);
    refusal(acquire(&directory.node(), "b", 2, 60_000), RefusalReason::Held);
}
