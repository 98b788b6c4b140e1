//! `chaos soak`

use std::time::Duration;

use clap::Args;
use redlock_tests::soak;

use crate::Good;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long = "for", default_value = "10m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: Duration,
}

pub(crate) fn run(options: &Options) -> Good {
    let report = soak::run(options.length, &mut |line| eprintln!("{line}"))?;
    println!("{report}");
    println!(
        "{}",
        if report.is_flat() { "good: nothing grew, and nothing was left" } else { "BAD: see above" }
    );
    Ok(report.is_flat())
}
