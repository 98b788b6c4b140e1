//! The library that gives a server a wall clock of its own; `build.rs` has compiled it.

use std::path::Path;

/// The file to hand to [`RedisOptions::clock_shim`](redlock::testing::servers::RedisOptions::clock_shim).
///
/// # Panics
/// On a platform that has no such library, or if the build's directory has been removed since.
#[track_caller]
pub fn clock_shim() -> &'static Path {
    match (BUILT, built_clock_shim()) {
        (_, Some(file)) => file,
        (None, _) => panic!(
            "servers whose clock can be set exist on Linux alone: there is no clock shim for this platform"
        ),
        (Some(gone), None) => {
            panic!("{gone} is gone; build the tests again (`cargo clean -p redlock-tests`)")
        }
    }
}

/// The same where there is one.
pub fn built_clock_shim() -> Option<&'static Path> {
    BUILT.map(Path::new).filter(|file| file.is_file())
}

const BUILT: Option<&str> = option_env!("REDLOCK_CLOCK_SHIM");
