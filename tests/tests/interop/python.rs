//! Python with the libraries for it, and their client in a process of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use redlock::testing::servers::RedisFleet;
use redlock_tests::support::HolderProcess;
use rustix::fs::{FlockOperation, flock};

/// All of it is pinned, what the libraries need too.
const PACKAGES: &[&str] =
    &["redlock-py==1.0.8", "pottery==3.0.1", "redis==8.1.0", "mmh3==5.3.1", "typing_extensions==4.16.0"];

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/client.py");

/// Starts the client: `what` as it is described there, with the servers behind it.
pub(crate) fn start(what: &[&str], fleet: &RedisFleet) -> HolderProcess {
    HolderProcess::run(Command::new(interpreter()).arg(CLIENT).args(what).args(fleet.admin_urls()))
}

/// The interpreter of a virtual environment that has the packages. Made once, and kept: by its name it is another one for other
/// packages.
fn interpreter() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(cache).unwrap();
    let environment = cache.join(format!("python-{}", PACKAGES.concat().replace("==", "-")));
    let interpreter = environment.join("bin/python");
    // Tests of other processes want it too.
    let lock = File::create(cache.join("python.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    if !interpreter.exists() {
        install(cache, &environment);
    }
    interpreter
}

/// Makes the environment elsewhere, so that what was broken off half-way is never taken for one.
fn install(cache: &Path, environment: &Path) {
    let unfinished = tempfile::tempdir_in(cache).unwrap();
    succeed(Command::new("python3").args(["-m", "venv"]).arg(unfinished.path()));
    let install = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    succeed(Command::new(unfinished.path().join("bin/python")).args(install).args(PACKAGES));
    fs::rename(unfinished.path(), environment).unwrap();
}

fn succeed(command: &mut Command) {
    let said = match command.output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            format!("{}: {}", output.status, String::from_utf8_lossy(&text).trim())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such program".to_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "the tests with libraries for Python need Python 3.10 or later with venv (`apt-get install python3 python3-venv`, \
         `dnf install python3`, `apk add python3`, `pacman -S python` or `brew install python`) and, once, the network, for \
         {PACKAGES:?} from PyPI.\n{command:?}: {said}"
    );
}
