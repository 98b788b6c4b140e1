//! What is protected by nothing but the lock, and notes what goes wrong.

use std::sync::{Mutex, MutexGuard};

use redlock::Held;

/// A number that is read, and written later.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) number: u64,
    pub(crate) turns: u64,
    inside: u32,
    /// How many came while somebody was there.
    pub(crate) overlaps: u32,
    last_token: u64,
    /// How many had a token that was not above the one before.
    pub(crate) fallen: u32,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Adds 1, with `pause` between reading and writing.
    pub(crate) async fn add_one(&self, held: &Held, pause: impl Future<Output = ()>) {
        let token = held.fencing_token().unwrap().get();
        let read = {
            let mut state = self.state();
            state.overlaps += u32::from(state.inside > 0);
            state.fallen += u32::from(token <= state.last_token);
            state.last_token = token;
            state.inside += 1;
            state.number
        };
        pause.await;
        let mut state = self.state();
        state.number = read + 1;
        state.turns += 1;
        state.inside -= 1;
    }

    pub(crate) fn so_far(&self) -> State {
        self.state().clone()
    }

    /// Nobody overlapped, nothing was lost, tokens rose.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        let state = self.so_far();
        assert_eq!((state.overlaps, state.fallen, state.number), (0, 0, state.turns), "{state:?}");
        assert!(state.turns > 0);
    }
}
