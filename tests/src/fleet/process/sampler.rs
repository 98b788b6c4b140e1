//! The thread that looks at the nodes' logs now and then.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::written::Written;

/// How often.
const INTERVAL: Duration = Duration::from_millis(100);

/// The thread ends with its value.
pub(super) struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    pub(super) fn start(logs: Vec<Arc<Mutex<Written>>>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let sample = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // One that is locked is just being started.
                for mut log in logs.iter().filter_map(|log| log.try_lock().ok()) {
                    // Without this sample a power loss goes back to an earlier one.
                    let _ = log.sample(Instant::now());
                }
            }
        };
        let thread = thread::Builder::new().name("redlock-fleet-logs".to_owned()).spawn(sample)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sampler")
    }
}
