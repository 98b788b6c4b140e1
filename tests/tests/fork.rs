//! A process that forks: parent and child must never draw the same owner token.
//!
//! A generator in the process's memory would go on from the same state in both.

#![allow(unsafe_code)] // fork(2) has no safe form.
#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

use std::collections::HashSet;
use std::io::{Read as _, Write as _, pipe};

use redlock::OwnerToken;
use redlock::env::Env;
use redlock::testing::real_env;

const TOKENS: usize = 8;
const FORKS: usize = 50;

type Drawn = [u8; TOKENS * OwnerToken::BYTES];

/// Draws owner tokens as an acquisition does. Allocates nothing: a forked child of several threads must not.
fn draw(env: &dyn Env) -> Drawn {
    let mut drawn = [0; TOKENS * OwnerToken::BYTES];
    for token in drawn.chunks_exact_mut(OwnerToken::BYTES) {
        env.fill_random(token).unwrap();
    }
    drawn
}

/// Forks; returns what the child drew, and what the parent drew at the same time.
fn draw_in_both(env: &dyn Env) -> (Drawn, Drawn) {
    let (mut reader, mut writer) = pipe().unwrap();
    // SAFETY: the child calls only what is safe after a fork of a process with threads: getrandom(2), write(2), _exit(2).
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let failed = i32::from(writer.write_all(&draw(env)).is_err());
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(failed) };
    }
    assert!(pid > 0, "fork failed");
    drop(writer);
    let own = draw(env);
    let mut childs = [0; TOKENS * OwnerToken::BYTES];
    reader.read_exact(&mut childs).unwrap();
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    (childs, own)
}

#[test]
fn parent_and_child_never_draw_the_same_owner_token() {
    let env = real_env().unwrap();
    // Whatever is kept in memory is there before the first fork.
    let mut seen: HashSet<Vec<u8>> = draw(&*env).chunks(OwnerToken::BYTES).map(<[u8]>::to_vec).collect();
    for _ in 0..FORKS {
        let (childs, own) = draw_in_both(&*env);
        for token in childs.chunks(OwnerToken::BYTES).chain(own.chunks(OwnerToken::BYTES)) {
            assert!(seen.insert(token.to_vec()), "a token was drawn twice");
        }
    }
    assert_eq!(seen.len(), TOKENS * (1 + 2 * FORKS));
}
