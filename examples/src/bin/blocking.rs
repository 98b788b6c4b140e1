//! The lock in a program of threads, without an async runtime.
//!
//! ```sh
//! cargo run -p redlock-examples --bin blocking
//! ```

use std::thread;
use std::time::Duration;

use redlock::blocking::Locks;
use redlock_examples::Nodes;

fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(3)?;
    let locks = redlock::Locks::builder().nodes(nodes.urls()).build_blocking()?;

    // Threads that are refused wait in line. Whoever holds the lock is renewed by the library's own thread, however
    // long the thread itself is busy.
    thread::scope(|scope| {
        let workers: Vec<_> = (1..=3)
            .map(|worker| {
                scope.spawn({
                    let locks = &locks;
                    move || work(locks, worker)
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;

    locks.shutdown(Duration::from_secs(1));
    println!("done");
    Ok(())
}

fn work(locks: &Locks, worker: u32) -> anyhow::Result<()> {
    // Any call blocks its thread: this one until the lock is held, 30 s at most.
    let guard = locks.lock("printer").wait_at_most(Duration::from_secs(30)).acquire()?;
    println!("worker {worker}: begins, valid for {:.1?}", guard.remaining());
    thread::sleep(Duration::from_millis(20));
    println!("worker {worker}: ends");
    guard.release()?;
    Ok(())
}
