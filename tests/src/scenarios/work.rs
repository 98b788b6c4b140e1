//! Work of a leader that can be seen from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sets a flag until it has returned or was dropped.
pub(crate) struct Work(Arc<AtomicBool>);

impl Work {
    pub(crate) fn begins(flag: &Arc<AtomicBool>) -> Self {
        flag.store(true, Ordering::SeqCst);
        Self(Arc::clone(flag))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
