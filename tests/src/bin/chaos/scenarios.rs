//! `chaos scenarios`

use std::env;

use clap::Args;
use redlock::Protections;
use redlock_tests::fleet::FleetError;
use redlock_tests::scenarios::{self, Finding, SCENARIOS, Scenario, SceneError};

use crate::Good;

/// Which scenarios, where.
#[derive(Args)]
pub(crate) struct Options {
    /// Their names; without any, all of them
    names: Vec<String>,
    /// Only says what there is
    #[arg(long)]
    list: bool,
    /// Where the nodes come from
    #[arg(long, default_value = "process", value_parser = clap::builder::PossibleValuesParser::new(scenarios::KINDS))]
    fleet: String,
    /// Plays them without this safeguard, to see what it is for
    #[arg(long, value_name = "SWITCH", value_parser = clap::builder::PossibleValuesParser::new(Protections::NAMES))]
    without: Option<String>,
}

pub(crate) fn run(options: &Options) -> Good {
    let chosen = chosen(&options.names)?;
    if options.list {
        for scenario in chosen {
            println!("{:<28} {} ({})", scenario.name, scenario.about, scenario.source);
        }
        return Ok(true);
    }
    let without = options.without.as_deref().and_then(Protections::without);
    let program = env::current_exe()?;
    let mut is_good = true;
    for scenario in chosen {
        match scenario.play(&options.fleet, &program, without.unwrap_or_default()) {
            Ok(outcome) => {
                let seconds = outcome.took.as_secs_f64();
                match outcome.finding {
                    Finding::Good => println!("good  {seconds:5.1} s  {}", scenario.name),
                    Finding::Bad(what) => {
                        is_good = false;
                        println!("BAD   {seconds:5.1} s  {}: {what}", scenario.name);
                    }
                }
            }
            Err(SceneError::Unsupported { action, .. }) => {
                println!("-              {}: needs {action:?}, not on {}", scenario.name, options.fleet);
            }
            Err(SceneError::Fleet(error @ FleetError::NotBuilt { .. })) => {
                println!("-              {}: {error}", scenario.name);
            }
            Err(error) => return Err(format!("{}: {error}", scenario.name).into()),
        }
    }
    Ok(is_good)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, String> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let find = |name: &String| {
        scenarios::named(name)
            .ok_or_else(|| format!("there is no scenario `{name}`; `chaos scenarios --list` names them all"))
    };
    names.iter().map(find).collect()
}
