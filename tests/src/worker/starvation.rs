//! When this process did not get the CPU: it was stopped, or the machine is busy.

use std::time::Duration;
use std::{io, process, thread};

use redlock::Instant;

use crate::history::{ClientEvent, Journal};

const BEAT: Duration = Duration::from_millis(10);

/// A thread that sleeps for a beat was away for so long: noted.
pub(crate) const THRESHOLD: Duration = Duration::from_millis(30);

/// Watches until the process ends.
pub(super) fn watch(journal: Journal) -> io::Result<()> {
    thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
        let mut last = Instant::now();
        loop {
            thread::sleep(BEAT);
            let now = Instant::now();
            if now.saturating_since(last) > THRESHOLD
                && journal.note_at(now, ClientEvent::Starved { from: last.as_nanos() }).is_err()
            {
                // A history with gaps would be misjudged.
                process::exit(1);
            }
            last = now;
        }
    })?;
    Ok(())
}
