//! What becomes of locks and counters when the machine is started again, or loses its power.

use redlock::node::NodeErrorKind;

use super::env::MovedEnv;
use super::*;

fn on_boot(directory: &Directory, boot: &str, env: &Arc<MovedEnv>) -> Arc<FileNode> {
    start(directory.config().machine(boot, 1), Arc::clone(env) as _, Protections::default())
}

#[test]
fn after_a_reboot_all_locks_are_free_and_tokens_go_on_whatever_the_wall_clock_shows() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let before = on_boot(&directory, "first", &env);
    let first = token(&before, "a", 1, 1_000_000);
    drop(before);
    env.set_wall(-3_600_000_000);
    let after = on_boot(&directory, "second", &env);
    assert!(!is_held(&after, "a"));
    assert!(token(&after, "a", 2, 60_000) > first);
    let left = fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("first"));
    assert_eq!(left.count(), 0, "the locks of the first boot");
}

#[test]
fn tokens_go_on_when_a_power_failure_leaves_but_what_was_synced() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let before = on_boot(&directory, "first", &env);
    // What is on disk by now, at the latest, is what was synced before the first request.
    let mark = fs::read(directory.path().join("mark")).unwrap();
    let first = (0..20).map(|round| {
        env.pass(millis(500));
        token(&before, &format!("{round}"), 1, 20)
    });
    let first = first.max().unwrap();
    drop(before);
    fs::remove_dir_all(directory.path()).unwrap();
    fs::create_dir(directory.path()).unwrap();
    fs::write(directory.path().join("mark"), mark).unwrap();
    env.set_wall(-3_600_000_000);
    assert!(token(&on_boot(&directory, "second", &env), "a", 2, 60_000) > first);
}

#[test]
fn no_counter_is_above_what_was_synced() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let node = on_boot(&directory, "first", &env);
    let mut last = 0;
    for _ in 0..20 {
        env.pass(Duration::from_secs(45));
        let counter = token(&node, "a", 1, 20);
        let mark = fs::read_to_string(directory.path().join("mark")).unwrap();
        let mark: u64 = mark.lines().nth(1).unwrap().parse().unwrap();
        assert!(counter > last && counter <= mark, "{last} {counter} {mark}");
        last = counter;
    }
}

#[test]
fn processes_with_another_clock_are_refused_while_one_of_the_first_is_there() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let first = on_boot(&directory, "first", &env);
    token(&first, "a", 1, 1_000_000);
    for (boot, namespace) in [("second", 1), ("first", 2)] {
        let config = directory.config().machine(boot, namespace);
        let second = FileNode::start(config, Arc::clone(&env) as _, Protections::default()).unwrap();
        for _ in 0..2 {
            let refused = block_on(Arc::clone(&second).probe()).unwrap_err();
            assert_eq!(refused.kind, NodeErrorKind::Foreign, "{refused}");
            assert!(refused.detail.contains("another clock"), "{refused}");
            assert!(acquire(&second, "a", 2, 60_000).is_err());
        }
        refusal(acquire(&first, "a", 3, 60_000), RefusalReason::Held);
    }
}

#[test]
fn a_record_that_was_written_in_the_future_is_not_read() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    token(&start(directory.config(), Arc::clone(&env) as _, Protections::default()), "a", 1, 20);
    env.pass(Duration::from_secs(60));
    let ahead = start(directory.config(), env, Protections::default());
    token(&ahead, "a", 2, 20);
    let refused = acquire(&directory.node(), "a", 3, 20).unwrap_err();
    assert_eq!(refused.kind, NodeErrorKind::Clock, "{refused}");
}
