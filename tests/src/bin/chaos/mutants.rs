//! `chaos mutants`

use std::env;
use std::path::PathBuf;

use clap::Args;
use redlock_tests::mutants::{Effort, ON_REAL_SERVERS, Table, layers};

use crate::Good;

/// How much is tried.
#[derive(Args)]
pub(crate) struct Options {
    /// Leaves real servers out, which take minutes
    #[arg(long)]
    fast: bool,
    /// How many seeds a mutant must survive in the simulation
    #[arg(long, default_value_t = 3_000)]
    seeds: u64,
    /// Puts the table into this document, between its two marks
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Good {
    let servers = if options.fast { None } else { Some(env::current_exe()?) };
    let table = Table::make(&layers(Effort { seeds: options.seeds, servers }), |safeguard, layer, fate| {
        if let Some(fate) = fate {
            eprintln!("{safeguard:<22} {layer:<22} {}", fate.in_words());
        }
    });
    print!("{}", table.to_markdown());
    if let Some(document) = &options.write {
        table.write_into(document)?;
    }
    let mut survivors = table.survivors();
    if options.fast {
        survivors.retain(|safeguard| !ON_REAL_SERVERS.contains(safeguard));
    }
    let idle = table.idle_layers();
    if !survivors.is_empty() {
        println!("BAD: no layer misses {}", survivors.join(", "));
    }
    if !idle.is_empty() {
        println!("BAD: misses nothing: {}", idle.join(", "));
    }
    Ok(survivors.is_empty() && idle.is_empty())
}
