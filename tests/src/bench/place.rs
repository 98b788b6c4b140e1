//! Which thread does what: the caller's runtime, and the one that does the I/O.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

use super::{Result, contender::Contender, usage::process_cpu, yardstick::Block};

/// Worker threads of the caller's multi-thread runtime.
pub const WORKERS: usize = 2;

/// What kind of code calls the lock.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// Tasks on a runtime with one thread.
    CurrentThread,
    /// Tasks on a runtime with [`WORKERS`] threads.
    MultiThread,
    /// Plain threads that block, one for each task.
    PlainThreads,
}

/// Who polls the sockets.
#[derive(Clone, Copy, Debug)]
pub enum Io {
    /// The runtime that the caller's tasks run on.
    Callers,
    /// A current-thread runtime on a thread of its own.
    OwnThread,
}

/// The threads of one contender; they sleep while others are measured.
pub struct Place {
    caller: Option<Runtime>,
    io: Option<IoThread>,
}

struct IoThread {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system refuses a thread, or plain threads are to do their own I/O, which they cannot.
    pub fn new(caller: Caller, io: Io) -> Result<Self> {
        let caller = match caller {
            Caller::CurrentThread => Some(Builder::new_current_thread().enable_all().build()?),
            Caller::MultiThread => {
                Some(Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?)
            }
            Caller::PlainThreads => None,
        };
        let io = match io {
            Io::Callers if caller.is_none() => return Err("plain threads need an I/O thread".into()),
            Io::Callers => None,
            Io::OwnThread => Some(IoThread::start()?),
        };
        Ok(Self { caller, io })
    }

    /// Runs `future` where the I/O is done and waits for it.
    ///
    /// # Errors
    /// Those of `future`.
    pub fn on_io<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        match (&self.io, &self.caller) {
            (Some(io), _) => futures::executor::block_on(io.runtime.spawn(future))?,
            (None, Some(caller)) => caller.block_on(async { tokio::spawn(future).await? }),
            (None, None) => Err("no runtime".into()),
        }
    }

    /// The runtime that does the I/O.
    pub fn io_runtime(&self) -> Option<&Handle> {
        match &self.io {
            Some(io) => Some(&io.runtime),
            None => self.caller.as_ref().map(Runtime::handle),
        }
    }

    /// The runtime that callers run on; `None` for plain threads.
    pub fn caller_runtime(&self) -> Option<&Runtime> {
        self.caller.as_ref()
    }

    /// Has `tasks` concurrent callers do `cycles` cycles altogether and waits for all of them.
    ///
    /// # Errors
    /// The first one of a contender.
    pub fn measure(&self, contender: &Arc<dyn Contender>, tasks: usize, cycles: usize) -> Result<Block> {
        let each = (cycles / tasks).max(1);
        let start = Start::now();
        let samples: Vec<Result<Samples>> = match &self.caller {
            Some(runtime) => runtime.block_on(async {
                let callers: Vec<_> =
                    (0..tasks).map(|_| tokio::spawn(cycle_on(contender.clone(), each))).collect();
                let mut samples = Vec::with_capacity(tasks);
                for caller in callers {
                    samples.push(caller.await.map_err(Into::into).and_then(|outcome| outcome));
                }
                samples
            }),
            None => thread::scope(|scope| {
                let block_on = || futures::executor::block_on(cycle_on(contender.clone(), each));
                let callers: Vec<_> = (0..tasks).map(|_| scope.spawn(block_on)).collect();
                let join = |caller: thread::ScopedJoinHandle<'_, Result<Samples>>| {
                    caller.join().unwrap_or_else(|_| Err("a caller panicked".into()))
                };
                callers.into_iter().map(join).collect()
            }),
        };
        let (wall, cpu) = start.elapsed();
        let samples = samples.into_iter().collect::<Result<Vec<_>>>()?;
        let nanos = |(acquire, release)| (nanos(acquire), nanos(release));
        Block::of(samples.into_iter().flatten().map(nanos), wall, cpu)
    }
}

/// Acquire and release times of one caller.
type Samples = Vec<(Duration, Duration)>;

async fn cycle_on(contender: Arc<dyn Contender>, cycles: usize) -> Result<Samples> {
    static NEXT_NAME: AtomicU64 = AtomicU64::new(0);
    let mut samples = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        let name = format!("bench:{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed));
        let cycle = contender.cycle(&name).await?;
        samples.push((cycle.acquire, cycle.release));
    }
    Ok(samples)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Wall clock and CPU time of this process.
struct Start {
    wall: std::time::Instant,
    cpu: Duration,
}

impl Start {
    fn now() -> Self {
        Self { cpu: process_cpu(), wall: std::time::Instant::now() }
    }

    fn elapsed(&self) -> (Duration, Duration) {
        (self.wall.elapsed(), process_cpu().saturating_sub(self.cpu))
    }
}

impl IoThread {
    fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            // An error means that the sender was dropped: time to stop as well.
            let _ = runtime.block_on(stopped);
        };
        let thread = thread::Builder::new().name("bench-io".to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
