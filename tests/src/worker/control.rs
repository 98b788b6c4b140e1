//! What the process that started a worker tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, process, thread};

/// What stdin has said up to now.
#[derive(Clone)]
pub(super) struct Control {
    calm: Arc<AtomicBool>,
}

impl Control {
    /// Reads stdin from now on; its end ends this process.
    pub(super) fn start() -> io::Result<Self> {
        let calm = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&calm);
        thread::Builder::new().name("control".to_owned()).spawn(move || {
            for line in io::stdin().lines().map_while(Result::ok) {
                if line == "calm" {
                    told.store(true, Ordering::SeqCst);
                }
            }
            // Whoever started this process keeps the pipe open as long as it lives.
            process::exit(1);
        })?;
        Ok(Self { calm })
    }

    /// Whether there are no faults any more.
    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }
}
