//! Lock libraries of other languages, each in a process of its own that is driven by lines of JSON, so that its blocks take turns
//! with ours. What they need is installed under `target/peers`, pinned.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use super::Result;
use super::peer_process::PeerProcess;
use super::yardstick::{Entry, Subject};
use crate::python;

/// A library of another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// npm `redlock`, on ioredis.
    NodeRedlock,
    /// PyPI `redlock-py`.
    RedlockPy,
    /// PyPI `pottery`.
    Pottery,
}

/// Which of them can be measured here, and why the others cannot.
#[derive(Debug, Default)]
pub struct Peers {
    there: Vec<(Library, PathBuf, PathBuf)>,
    missing: Vec<(Library, String)>,
}

impl Library {
    const ALL: [Self; 3] = [Self::NodeRedlock, Self::RedlockPy, Self::Pottery];

    /// As it stands in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeRedlock => "node-redlock",
            Self::RedlockPy => "redlock-py",
            Self::Pottery => "pottery",
        }
    }

    /// So many times fewer cycles are enough for a block of some length.
    fn slower(self) -> usize {
        match self {
            Self::NodeRedlock => 2,
            Self::RedlockPy => 5,
            Self::Pottery => 20,
        }
    }
}

impl Peers {
    /// Installs what they need, once; without the network or the language they are missing, and so if they are `left_out`.
    pub fn install(left_out: bool) -> Self {
        let mut peers = Self { there: Vec::new(), missing: Vec::new() };
        for library in Library::ALL {
            if left_out {
                peers.missing.push((library, "not asked for".to_owned()));
                continue;
            }
            let installed = match library {
                Library::NodeRedlock => node(),
                Library::RedlockPy | Library::Pottery => in_python(),
            };
            match installed {
                Ok((program, driver)) => peers.there.push((library, program, driver)),
                Err(error) => peers.missing.push((library, error.to_string())),
            }
        }
        peers
    }

    /// An entry for each of those that are there.
    pub fn entries(&self, wanted: &[Library]) -> Vec<Entry> {
        let wanted = self.there.iter().filter(|(library, ..)| wanted.contains(library));
        wanted
            .map(|(library, program, driver)| {
                let (library, program, driver) = (*library, program.clone(), driver.clone());
                Entry::other(library.name(), library.slower(), move |urls| {
                    let mut command = Command::new(program);
                    command.arg(driver).arg(library.name()).args(urls);
                    Ok(Box::new(PeerProcess::start(&mut command)?) as Box<dyn Subject>)
                })
            })
            .collect()
    }

    /// Who is missing, and why; nothing where all are there.
    pub fn missing(&self) -> Option<String> {
        let told = |(library, why): &(Library, String)| {
            format!("**{} was left out**: {}.", library.name(), why.trim_end_matches('.'))
        };
        (!self.missing.is_empty()).then(|| self.missing.iter().map(told).collect::<Vec<_>>().join(" "))
    }

    /// What is measured, with versions.
    pub fn versions(&self) -> String {
        let told = |(library, program, driver): &(Library, PathBuf, PathBuf)| {
            let process = PeerProcess::start(Command::new(program).arg(driver).arg(library.name()));
            process.map_or_else(|error| format!("{}: {error}", library.name()), |it| it.versions().to_owned())
        };
        self.there.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

/// Node.js, and the driver beside its packages.
fn node() -> Result<(PathBuf, PathBuf)> {
    const PACKAGE: &str = include_str!("peers/package.json");
    const LOCK: &str = include_str!("peers/package-lock.json");
    let cache = cache()?;
    let (packages, driver) = (cache.join("node"), cache.join("node/driver.mjs"));
    let lock = File::create(cache.join("node.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if fs::read_to_string(packages.join("package-lock.json")).is_ok_and(|lock| lock == LOCK) {
        fs::write(&driver, include_str!("peers/driver.mjs"))?;
        return Ok(("node".into(), driver));
    }
    // Made elsewhere, so that what was broken off half-way is never taken for one.
    let unfinished = tempfile::tempdir_in(&cache)?;
    fs::write(unfinished.path().join("package.json"), PACKAGE)?;
    fs::write(unfinished.path().join("package-lock.json"), LOCK)?;
    fs::write(unfinished.path().join("driver.mjs"), include_str!("peers/driver.mjs"))?;
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    python::succeed(Command::new("npm").args(install).current_dir(unfinished.path()))
        .map_err(|said| format!("it needs Node.js with npm and, once, the network: {said}"))?;
    if packages.exists() {
        fs::remove_dir_all(&packages)?;
    }
    fs::rename(unfinished.path(), &packages)?;
    Ok(("node".into(), driver))
}

/// Python, and the driver.
fn in_python() -> Result<(PathBuf, PathBuf)> {
    let cache = cache()?;
    let interpreter = python::interpreter(&cache)?;
    let driver = cache.join("driver.py");
    fs::write(&driver, include_str!("peers/driver.py"))?;
    Ok((interpreter, driver))
}

/// Beside the directory that this program was built into.
fn cache() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("no directory for what is installed")?;
    let cache: &Path = &target.join("peers");
    fs::create_dir_all(cache)?;
    Ok(cache.to_owned())
}
