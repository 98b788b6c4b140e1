//! Compiles the clock shim, and tells the package where it is.
//!
//! A build script, because that is the one place where the shim is there, and up to date, for every way to run a test.

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "clock_shim/shim.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    // What it replaces, and how it is loaded, are Linux's.
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let shim = Path::new(&variable("OUT_DIR")).join("libredlock_clock.so");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "redlock_clock"]);
    // It has no unwinding and no standard library; dynamic also where that is not the default.
    rustc.args(["-C", "opt-level=2", "-C", "panic=abort", "-C", "target-feature=-crt-static"]);
    rustc.args(["--target", &variable("TARGET")]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    rustc.arg("-o").arg(&shim).arg(SOURCE);
    let status = rustc.status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{rustc:?}: {status:?}");
    println!("cargo::rustc-env=REDLOCK_CLOCK_SHIM={}", shim.display());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}; cargo sets it for a build script"))
}
