//! `chaos simulate`

use std::thread;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use redlock::Protections;
use redlock_tests::simulation;

use crate::Good;

/// Which seeds.
#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Those of this plan alone
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(simulation::plan_names()))]
    plan: Option<String>,
    /// Runs without this safeguard
    #[arg(long, value_name = "SWITCH", value_parser = clap::builder::PossibleValuesParser::new(Protections::NAMES))]
    without: Option<String>,
}

pub(crate) fn run(options: &Options) -> Good {
    let protections = options.without.as_deref().and_then(Protections::without).unwrap_or_default();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let bar = ProgressBar::new(options.seeds)
        .with_style(ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {pos}/{len} seeds, {per_sec}")?);
    let seeds = options.from..options.from.saturating_add(options.seeds);
    let progress = |runs| bar.set_position(runs);
    let summary = match &options.plan {
        None => simulation::run_many(seeds, protections, threads, &progress),
        Some(plan) => simulation::run_many_in(plan, seeds, protections, threads, &progress),
    };
    bar.finish_and_clear();
    println!("{} runs, {} locks acquired, {:.1?}", summary.runs, summary.acquired, bar.elapsed());
    for (situation, count) in summary.record.counts() {
        println!("{count:>12}  {situation}");
    }
    // One plan does not come to all situations.
    let complaint = match &options.plan {
        None => summary.complaint(),
        Some(_) => summary.bad.first().and_then(simulation::Outcome::complaint),
    };
    match complaint {
        None if options.plan.is_some() => println!("good: nothing happened that must not"),
        None => println!("good: nothing happened that must not, and every situation came up"),
        Some(complaint) => {
            println!("BAD: {complaint}");
            return Ok(false);
        }
    }
    Ok(true)
}
