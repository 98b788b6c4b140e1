//! Ctrl-C and its kin end a run early: what was hurt is healed, and the report is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Becomes true with the first SIGINT, SIGTERM or SIGHUP; the second one ends the process as usual.
pub(super) fn on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    drop(entered);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            for count in 0.. {
                futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
                if count > 0 {
                    std::process::exit(130);
                }
                eprintln!("\nchaos: stopping; what was hurt is healed first (once more to leave at once)");
                stopped.store(true, Ordering::SeqCst);
            }
        });
    })?;
    Ok(stop)
}
