//! Every use of this command that is written down, in the documentation and in the examples of deployment, is one that it
//! understands: a page that names a subcommand or flag that does not exist fails here.

mod deployed;
mod pages;
mod words;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};

use crate::Cli;

/// A use of the command that is written down somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    /// The file and line.
    at: String,
    /// The words behind `redlock`.
    words: Vec<String>,
    /// Whether it is the whole command line, rather than a mention of it or a pattern such as `[--ttl SECS]`.
    is_whole: bool,
}

impl Use {
    /// Why the command does not understand it.
    fn refused(&self) -> Option<String> {
        if self.is_whole {
            let words = std::iter::once("redlock").chain(self.words.iter().map(String::as_str));
            let error = Cli::try_parse_from(words).err()?;
            let is_fine = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return (!is_fine).then(|| error.to_string());
        }
        let mut whole = Cli::command();
        whole.build();
        self.unknown(&whole)
    }

    /// The first word that is a subcommand or a flag, and is none.
    fn unknown(&self, whole: &Command) -> Option<String> {
        let mut command = whole;
        for (index, word) in self.words.iter().take_while(|word| *word != "--").enumerate() {
            let word = word.trim_matches(['[', ']', '(', ')']);
            if word.starts_with('-') {
                let name = word.split_once('=').map_or(word, |(name, _)| name);
                let all = [command, whole].into_iter().flat_map(Command::get_arguments);
                let mut known = all.flat_map(|argument| {
                    let long = argument.get_long_and_visible_aliases().unwrap_or_default();
                    let short = argument.get_short_and_visible_aliases().unwrap_or_default();
                    let long = long.into_iter().map(|long| format!("--{long}"));
                    long.chain(short.into_iter().map(|short| format!("-{short}")))
                });
                if !known.any(|known| known == name) {
                    return Some(format!("{} has no {name}", command.get_name()));
                }
                continue;
            }
            let subs: Vec<&Command> =
                word.split('|').filter_map(|word| command.find_subcommand(word)).collect();
            match subs.first() {
                Some(sub) if subs.len() == word.split('|').count() => command = sub,
                _ if index == 0 => return Some(format!("there is no subcommand {word}")),
                // An argument, or a pattern for some.
                _ => {}
            }
        }
        None
    }
}

#[track_caller]
fn all_are_understood(uses: &[Use]) {
    let refused =
        uses.iter().filter_map(|used| Some(format!("{}: {:?}\n{}", used.at, used.words, used.refused()?)));
    let refused: Vec<String> = refused.collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn every_use_in_the_documentation_is_understood() {
    let uses = pages::uses();
    assert!(uses.iter().any(|used| used.is_whole) && uses.iter().any(|used| !used.is_whole), "{uses:?}");
    all_are_understood(&uses);
}

#[test]
fn every_use_in_the_examples_of_deployment_is_understood() {
    let uses = deployed::uses();
    for file in ["reports.service", "reports.yaml", "Dockerfile"] {
        assert!(uses.iter().any(|used| used.at.contains(file)), "nothing of {file}: {uses:?}");
    }
    all_are_understood(&uses);
}

#[test]
fn every_example_in_the_help_is_understood() {
    let whole = Cli::command();
    let helps = whole.get_subcommands().flat_map(|command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        pages::in_block(&format!("help of {}", command.get_name()), &help)
    });
    let uses: Vec<Use> = helps.collect();
    assert!(!uses.is_empty());
    all_are_understood(&uses);
}

#[test]
fn every_subcommand_lists_its_exit_codes() {
    let whole = Cli::command();
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Exit codes: ") && help.contains("64 usage"), "{}: {help}", command.get_name());
    }
}

#[test]
fn a_flag_or_subcommand_that_does_not_exist_is_found() {
    let used = |words: &str, is_whole| Use {
        at: "here".to_owned(),
        words: words.split_whitespace().map(str::to_owned).collect(),
        is_whole,
    };
    for is_whole in [true, false] {
        assert!(used("doctor --nodes redis://h --json", is_whole).refused().is_none());
        assert!(used("docter", is_whole).refused().is_some());
        assert!(used("doctor --jsn", is_whole).refused().is_some());
    }
    assert!(used("init [--yes] [--max-ttl=DURATION]", false).refused().is_none());
    assert!(used("init [--yess]", false).refused().is_some());
    assert!(used("completions bash|zsh|fish", false).refused().is_none());
}
