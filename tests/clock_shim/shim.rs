//! The wall clock of one process, read from a file that a test writes: preload it into a server (`LD_PRELOAD`).
//!
//! It replaces `clock_gettime` for the two wall clocks, `gettimeofday` and `time`; every other clock is the machine's. The
//! true time comes from the kernel by a system call, so that nothing can lead back here. There is no allocation and no
//! lock: servers ask for the time in constructors, in signal handlers, and in allocators.
//!
//! `redlock/src/testing/servers/clock.rs` writes the file; both must agree on its layout. `tests/build.rs` compiles this.

#![no_std]

use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU8, AtomicU32, Ordering, fence};

/// Where the file is.
const VARIABLE: &CStr = c"REDLOCK_CLOCK_FILE";

/// The file. All numbers are in the machine's own order of bytes.
#[repr(C)]
struct Clock {
    /// Counts changes; its lowest bit says which reading is current. One byte, so that no write is seen half done.
    generation: AtomicU8,
    /// Written here: the last process that uses the file.
    user: AtomicU32,
    /// The next change is written to the one that is not current.
    readings: [Reading; 2],
}

/// The offset is `offset + (monotonic - base) * rate_ppm / 1,000,000`, all in nanoseconds.
#[repr(C)]
struct Reading {
    offset: AtomicI64,
    base: AtomicI64,
    rate_ppm: AtomicI64,
}

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanos: i64,
}

#[repr(C)]
pub struct Timeval {
    seconds: i64,
    micros: i64,
}

const REALTIME: c_int = 0;
const MONOTONIC: c_int = 1;
const REALTIME_COARSE: c_int = 5;

#[cfg(target_arch = "x86_64")]
const SYS_CLOCK_GETTIME: c_long = 228;
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64"))]
const SYS_CLOCK_GETTIME: c_long = 113;

const O_RDWR_CLOEXEC: c_int = 0o2 | 0o2_000_000;
const PROT_READ_WRITE: c_int = 1 | 2;
const MAP_SHARED: c_int = 1;

#[link(name = "c")]
unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const c_char) -> *const c_char;
    fn getpid() -> c_int;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(file: c_int) -> c_int;
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
}

/// Null until the file is mapped: the clock is the machine's then.
static CLOCK: AtomicPtr<Clock> = AtomicPtr::new(null_mut());

/// Runs when the process has loaded this.
#[used]
#[unsafe(link_section = ".init_array")]
static ATTACH: extern "C" fn() = attach;

extern "C" fn attach() {
    // SAFETY: the strings end in 0, the mapping is as large as `Clock` and never undone. A file that cannot be mapped is
    // told by `user`, which stays 0.
    unsafe {
        let path = getenv(VARIABLE.as_ptr());
        if path.is_null() {
            return;
        }
        let file = open(path, O_RDWR_CLOEXEC);
        if file < 0 {
            return;
        }
        let mapped = mmap(null_mut(), size_of::<Clock>(), PROT_READ_WRITE, MAP_SHARED, file, 0);
        close(file);
        if mapped as isize == -1 {
            return;
        }
        let clock = mapped.cast::<Clock>();
        (*clock).user.store(getpid().unsigned_abs(), Ordering::SeqCst);
        CLOCK.store(clock, Ordering::SeqCst);
    }
}

impl Clock {
    /// How far the clock is off now.
    fn offset(&self) -> i64 {
        let (offset, base, rate_ppm) = self.reading();
        if rate_ppm == 0 {
            return offset;
        }
        let mut now = Timespec { seconds: 0, nanos: 0 };
        // SAFETY: `now` outlives the call.
        unsafe { syscall(SYS_CLOCK_GETTIME, MONOTONIC, &raw mut now) };
        let passed = now.nanos_in_all().wrapping_sub(base);
        // In two parts, so that no product is too large.
        let (millis, rest) = (passed / 1_000_000, passed % 1_000_000);
        let gained = millis.wrapping_mul(rate_ppm).wrapping_add(rest * rate_ppm / 1_000_000);
        offset.wrapping_add(gained)
    }

    fn reading(&self) -> (i64, i64, i64) {
        loop {
            let generation = self.generation.load(Ordering::Acquire);
            let [even, odd] = &self.readings;
            let reading = if generation.is_multiple_of(2) { even } else { odd };
            let read = (
                reading.offset.load(Ordering::Relaxed),
                reading.base.load(Ordering::Relaxed),
                reading.rate_ppm.load(Ordering::Relaxed),
            );
            fence(Ordering::Acquire);
            if self.generation.load(Ordering::Relaxed) == generation {
                return read;
            }
        }
    }
}

impl Timespec {
    fn nanos_in_all(&self) -> i64 {
        self.seconds.wrapping_mul(1_000_000_000).wrapping_add(self.nanos)
    }
}

/// The wall clock that the test wants, or an error of the system call.
fn wall_clock(clock: c_int) -> Result<Timespec, c_int> {
    let mut now = Timespec { seconds: 0, nanos: 0 };
    // SAFETY: `now` outlives the call.
    let result = unsafe { syscall(SYS_CLOCK_GETTIME, clock, &raw mut now) };
    if result != 0 {
        return Err(-1);
    }
    // SAFETY: what it points to is mapped for as long as the process lives.
    if let Some(file) = unsafe { CLOCK.load(Ordering::Acquire).as_ref() } {
        let nanos = now.nanos_in_all().wrapping_add(file.offset()).max(0);
        now = Timespec { seconds: nanos / 1_000_000_000, nanos: nanos % 1_000_000_000 };
    }
    Ok(now)
}

/// As clock_gettime(2).
///
/// # Safety
/// `time` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    if (clock != REALTIME && clock != REALTIME_COARSE) || time.is_null() {
        // SAFETY: the kernel checks the pointer.
        return unsafe { syscall(SYS_CLOCK_GETTIME, clock, time) } as c_int;
    }
    match wall_clock(clock) {
        Ok(now) => {
            // SAFETY: the caller gave memory for it.
            unsafe { time.write(now) };
            0
        }
        Err(result) => result,
    }
}

/// As gettimeofday(2); the time zone is UTC.
///
/// # Safety
/// `time` and `zone` are null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut Timeval, zone: *mut [c_int; 2]) -> c_int {
    match wall_clock(REALTIME) {
        Ok(now) => {
            // SAFETY: the caller gave memory for what is not null.
            unsafe {
                if !time.is_null() {
                    time.write(Timeval { seconds: now.seconds, micros: now.nanos / 1_000 });
                }
                if !zone.is_null() {
                    zone.write([0, 0]);
                }
            }
            0
        }
        Err(result) => result,
    }
}

/// As time(2).
///
/// # Safety
/// `seconds` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(seconds: *mut i64) -> i64 {
    let Ok(now) = wall_clock(REALTIME) else { return -1 };
    if !seconds.is_null() {
        // SAFETY: the caller gave memory for it.
        unsafe { seconds.write(now.seconds) };
    }
    now.seconds
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
