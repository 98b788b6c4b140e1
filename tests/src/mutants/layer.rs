//! The layers of the proof, each of which tries what becomes of the library without a safeguard. Another layer is another
//! file here, and a line in [`layers`].

mod model;
mod scripted;
mod servers;
mod simulation;

use std::path::PathBuf;

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was found out; after how much.
    Killed(String),
    /// It was not; in how much.
    Survived(String),
    /// The layer has nothing that this safeguard is in.
    NotThere,
}

impl Fate {
    /// For the table.
    pub fn in_words(&self) -> String {
        match self {
            Self::Killed(after) => format!("killed {after}"),
            Self::Survived(tried) => format!("survived {tried}"),
            Self::NotThere => "-".to_owned(),
        }
    }
}

/// A layer of the proof.
pub trait Layer {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What becomes of the library without this safeguard.
    fn try_without(&self, safeguard: &'static str) -> Fate;
}

/// How much is tried before a mutant counts as a survivor.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Seeds of the simulation.
    pub seeds: u64,
    /// The chaos command, if real servers are to be hurt too, which takes minutes.
    pub servers: Option<PathBuf>,
}

/// All layers.
pub fn layers(effort: Effort) -> Vec<Box<dyn Layer>> {
    let mut layers: Vec<Box<dyn Layer>> = vec![
        Box::new(scripted::Scripted),
        Box::new(simulation::Simulation { seeds: effort.seeds }),
        Box::new(model::Model),
    ];
    if let Some(program) = effort.servers {
        layers.push(Box::new(servers::Servers { program }));
    }
    layers
}
