//! The wall clock of one server, in a file that its process maps.
//!
//! A library that is preloaded into the server reads the file whenever the server asks for the time. Both must agree on
//! the layout: `tests/clock_shim/shim.rs`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// How a server's wall clock is stepped: [`RedisServer::step_clock`](super::RedisServer::step_clock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockStep {
    /// It shows so much more than before.
    Forward(Duration),
    /// It shows so much less than before.
    Back(Duration),
}

/// Names the file to the preloaded library.
pub(super) const VARIABLE: &str = "REDLOCK_CLOCK_FILE";

/// How many changes there were, modulo 256; the lowest bit says which reading is current. It is one byte, so that the
/// server never sees it half written; the reading that it points to was complete before.
const GENERATION_AT: u64 = 0;
/// The process that has mapped the file, a u32 that the library writes.
const USER_AT: u64 = 4;
const READINGS_AT: [u64; 2] = [8, 32];
const LENGTH: u64 = 56;

/// Survives restarts of its server.
pub(super) struct ServerClock {
    path: PathBuf,
    file: File,
    current: Mutex<Current>,
}

#[derive(Clone, Copy, Default)]
struct Current {
    generation: u8,
    reading: Reading,
}

/// How far the clock is off: `offset` when the monotonic clock showed `base`, and `rate_ppm` millionths of what has passed
/// since. In nanoseconds.
#[derive(Clone, Copy, Default)]
struct Reading {
    offset: i64,
    base: i64,
    rate_ppm: i32,
}

impl ServerClock {
    /// The machine's time, in a new file.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        file.set_len(LENGTH)?;
        Ok(Self { path, file, current: Mutex::default() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the process has loaded the library and mapped this file.
    pub(super) fn is_used_by(&self, pid: u32) -> io::Result<bool> {
        let mut user = [0; 4];
        self.file.read_exact_at(&mut user, USER_AT)?;
        Ok(u32::from_ne_bytes(user) == pid)
    }

    pub(super) fn step(&self, step: ClockStep) -> io::Result<()> {
        let nanos = match step {
            ClockStep::Forward(by) => nanos(by)?,
            ClockStep::Back(by) => -nanos(by)?,
        };
        self.change(|reading| {
            reading.offset = reading.offset.checked_add(nanos).ok_or_else(too_far)?;
            Ok(())
        })
    }

    pub(super) fn set(&self, at: SystemTime) -> io::Result<()> {
        let wanted = nanos(at.duration_since(UNIX_EPOCH).map_err(|_| too_far())?)?;
        self.change(|reading| {
            reading.offset = wanted - nanos_of(ClockId::Realtime);
            Ok(())
        })
    }

    pub(super) fn slew(&self, rate_ppm: i32) -> io::Result<()> {
        self.change(|reading| {
            reading.rate_ppm = rate_ppm;
            Ok(())
        })
    }

    /// Shows what another one shows, at the same rate; what becomes of that one later has no effect here.
    pub(super) fn copy(&self, other: &Self) -> io::Result<()> {
        let shown = other.current().reading;
        self.change(|reading| {
            *reading = shown.at(reading.base);
            Ok(())
        })
    }

    /// Changes the reading as it is now; unchanged after an error.
    fn change(&self, change: impl FnOnce(&mut Reading) -> io::Result<()>) -> io::Result<()> {
        let mut current = self.current();
        let mut reading = current.reading.at(nanos_of(ClockId::Monotonic));
        change(&mut reading)?;
        let shown = nanos_of(ClockId::Realtime).checked_add(reading.offset);
        shown.filter(|&shown| shown >= 0).ok_or_else(too_far)?;
        let generation = current.generation.wrapping_add(1);
        self.file.write_all_at(&reading.to_bytes(), READINGS_AT[usize::from(generation % 2)])?;
        self.file.write_all_at(&[generation], GENERATION_AT)?;
        *current = Current { generation, reading };
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// The same clock, with what its rate has made of it until `now` in the offset.
    fn at(self, now: i64) -> Self {
        let passed = i128::from(now - self.base);
        let gained = passed * i128::from(self.rate_ppm) / 1_000_000;
        let offset = self.offset.saturating_add(i64::try_from(gained).unwrap_or(i64::MAX));
        Self { offset, base: now, ..self }
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.offset, self.base, i64::from(self.rate_ppm)]
            .iter()
            .flat_map(|part| part.to_ne_bytes())
            .collect()
    }
}

fn nanos_of(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}

fn nanos(duration: Duration) -> io::Result<i64> {
    i64::try_from(duration.as_nanos()).map_err(|_| too_far())
}

fn too_far() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a server's clock shows times from 1970 to 2262")
}
