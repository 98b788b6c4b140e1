//! `redlock man`: the manual pages, made of the same texts as `--help`.

mod codes;
mod page;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, str};

use clap::{Command, CommandFactory as _};

use crate::Cli;
use crate::exit::{self, Failed};

/// Print a manual page, or write all of them
///
/// Without a subcommand it is the page of `redlock` itself, with the exit codes of all subcommands in one table.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  redlock man | man -l -
  redlock man run | man -l -
  redlock man --dir /usr/local/share/man/man1

Exit codes: 0 success, 1 a page could not be written, 64 usage")]
pub(crate) struct Args {
    /// The subcommand that the page is about
    #[arg(value_name = "SUBCOMMAND", conflicts_with = "dir")]
    about: Option<String>,
    /// Write all pages into this directory, which exists
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// Prints or writes pages.
pub(crate) fn run(args: Args) -> ExitCode {
    exit::block_on(async { args.run() })
}

impl Args {
    fn run(&self) -> Result<ExitCode, Failed> {
        let whole = whole();
        let page = match (&self.dir, &self.about) {
            (Some(dir), _) => return write_all(&whole, dir).map(|()| ExitCode::SUCCESS),
            (None, Some(name)) => {
                let mut shown = whole.get_subcommands().filter(|command| !command.is_hide_set());
                let found = shown.find(|command| command.get_name() == name);
                page::of_subcommand(found.ok_or_else(|| {
                    Failed::Misused(format!("there is no subcommand {name}; redlock --help lists them"))
                })?)
            }
            (None, None) => page::of_all(&whole),
        };
        // A reader that has gone (`| head`) changes nothing.
        let _ = io::stdout().write_all(page.map_err(not_written)?.as_bytes());
        Ok(ExitCode::SUCCESS)
    }
}

/// The command as its users see it, with all that clap adds.
fn whole() -> Command {
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    whole
}

fn write_all(whole: &Command, dir: &Path) -> Result<(), Failed> {
    let write = |name: &str, page: io::Result<String>| {
        let file = dir.join(format!("{name}.1"));
        let failed = |error: io::Error| Failed::Other(format!("{}: {error}", file.display()));
        page.and_then(|page| fs::write(&file, page)).map_err(failed)
    };
    write("redlock", page::of_all(whole))?;
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        write(&format!("redlock-{}", command.get_name()), page::of_subcommand(command))?;
    }
    Ok(())
}

fn not_written(error: io::Error) -> Failed {
    Failed::Other(error.to_string())
}
