//! Python with the lock libraries for it, in a virtual environment of their own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// All of it is pinned, what the libraries need too.
pub const PACKAGES: &[&str] =
    &["redlock-py==1.0.8", "pottery==3.0.1", "redis==8.1.0", "mmh3==5.3.1", "typing_extensions==4.16.0"];

/// The interpreter of a virtual environment under `cache` that has [`PACKAGES`]. Made once, and kept: by its name it is another one
/// for other packages.
///
/// # Errors
/// What is missing, and how to get it; or those of the directory.
pub fn interpreter(cache: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(cache)?;
    let environment = cache.join(format!("python-{}", PACKAGES.concat().replace("==", "-")));
    let interpreter = environment.join("bin/python");
    // Other processes want it too.
    let lock = File::create(cache.join("python.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if !interpreter.exists() {
        // Made elsewhere, so that what was broken off half-way is never taken for one.
        let unfinished = tempfile::tempdir_in(cache)?;
        install(unfinished.path()).map_err(|said| {
            io::Error::other(format!(
                "the lock libraries for Python need Python 3.10 or later with venv (`apt-get install python3 python3-venv`, \
                 `dnf install python3`, `apk add python3`, `pacman -S python` or `brew install python`) and, once, the \
                 network, for {PACKAGES:?} from PyPI: {said}"
            ))
        })?;
        fs::rename(unfinished.path(), environment)?;
    }
    Ok(interpreter)
}

fn install(environment: &Path) -> Result<(), String> {
    succeed(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    succeed(Command::new(environment.join("bin/python")).args(install).args(PACKAGES))
}

/// Runs a command; what it said if it fails.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let said = match command.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            format!("{}: {}", output.status, String::from_utf8_lossy(&text).trim())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such program".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("{command:?}: {said}"))
}
