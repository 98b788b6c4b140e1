//! `chaos model`

use clap::Args;
use redlock_tests::model::{self, BOUNDS, Bound};

use crate::Good;

/// Which bounds.
#[derive(Args)]
pub(crate) struct Options {
    /// The names of bounds; without any, the small ones
    bounds: Vec<String>,
    /// All bounds
    #[arg(long, conflicts_with = "bounds")]
    all: bool,
    /// Lacks this safeguard
    #[arg(long, value_name = "SWITCH")]
    without: Option<String>,
}

pub(crate) fn run(options: &Options) -> Good {
    let mut is_good = true;
    for bound in chosen(options)? {
        let report = model::check(bound, options.without.as_deref())?;
        println!("{report}");
        is_good &= report.is_good();
    }
    Ok(is_good)
}

fn chosen(options: &Options) -> Result<Vec<Bound>, String> {
    if options.bounds.is_empty() {
        return Ok(BOUNDS.iter().copied().filter(|bound| options.all || bound.small).collect());
    }
    let find = |name: &String| {
        BOUNDS.iter().copied().find(|bound| bound.name == *name).ok_or_else(|| {
            let names: Vec<&str> = BOUNDS.iter().map(|bound| bound.name).collect();
            format!("there is no bound `{name}`; expected one of {}", names.join(", "))
        })
    };
    options.bounds.iter().map(find).collect()
}
