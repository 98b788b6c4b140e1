//! A run of the chaos command: a fleet, clients in processes of their own, faults, and the oracle over all that was written
//! down.

mod course;
mod options;
mod progress;
mod stop;
mod summary;

pub use options::{Faults, Options};
pub use progress::Progress;
pub use summary::Summary;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::history::History;
use crate::oracle::Verdict;
use crate::report;

/// Has it all go wrong, writes the report, and says what it came to. `program` is the chaos command itself, which is started
/// as the clients.
///
/// # Errors
/// What kept the run from taking place. What the locks did wrong is in the verdict.
pub fn run(options: &Options, program: &Path) -> Result<Verdict, Box<dyn Error>> {
    let stop = stop::on_signals()?;
    let progress = Progress::start();
    let result = course::run(options, program, &progress, &stop);
    progress.end();
    let (history, verdict) = result?;
    print!("{}", Summary { run: &history.run, verdict: &verdict });
    if let Some(path) = &options.history {
        write(path, |file| history.write(file))?;
        println!("  history       {}", path.display());
    }
    let path = report_path(options, &history);
    write(&path, |file| report::write(&history, &verdict, file))?;
    println!("  report        {}", path.display());
    Ok(verdict)
}

fn report_path(options: &Options, history: &History) -> PathBuf {
    options.report.clone().unwrap_or_else(|| format!("chaos-{}.html", history.run.seed).into())
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = BufWriter::new(File::create(path).map_err(named)?);
    content(&mut file).and_then(|()| file.flush()).map_err(|error| named(error).into())
}
