//! The exit codes of a subcommand, as its help lists them.
//!
//! There is one place for them, the end of the help: `Exit codes: 0 this, 1 that (or what), 64 usage`.

use clap::Command;

/// What comes before them.
const LEAD: &str = "Exit codes: ";

/// An exit code and what it means; no code: all that the text says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) code: String,
    pub(super) meaning: String,
}

/// The help behind the options, without exit codes.
pub(super) fn notes(command: &Command) -> String {
    let help = after_help(command);
    let (notes, rest) = help.split_once(LEAD).unwrap_or((&help, ""));
    let behind = rest.split_once("\n\n").map_or("", |(_, behind)| behind);
    [notes, behind].concat().trim().to_owned()
}

/// The exit codes, in the order in which they are listed.
pub(super) fn of(command: &Command) -> Vec<Code> {
    let help = after_help(command);
    let Some((_, codes)) = help.split_once(LEAD) else { return Vec::new() };
    let codes = codes.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = codes.split_whitespace().collect();
    items(&words.join(" ")).into_iter().map(read).collect()
}

fn after_help(command: &Command) -> String {
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    help.map(ToString::to_string).unwrap_or_default()
}

/// An item begins behind a comma or semicolon, with a digit, outside parentheses.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' | ';' if depth == 0 => {
                let next = text.get(index + 1..).unwrap_or_default().trim_start();
                if next.starts_with(|next: char| next.is_ascii_digit()) {
                    items.extend(text.get(start..index));
                    start = index + 1;
                }
            }
            _ => {}
        }
    }
    items.extend(text.get(start..));
    items
}

fn read(item: &str) -> Code {
    let item = item.trim().trim_end_matches('.');
    let digits = item.len() - item.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
    let signal = item.get(digits..).and_then(|rest| rest.strip_prefix(" + N"));
    let end = match signal {
        Some(rest) if digits > 0 => item.len() - rest.len(),
        _ => digits,
    };
    let (code, meaning) = item.split_at(end);
    Code { code: code.to_owned(), meaning: meaning.trim_start_matches([':', ' ']).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &'static str) -> Vec<(String, String)> {
        let command = Command::new("x").after_help(text);
        of(&command).into_iter().map(|Code { code, meaning }| (code, meaning)).collect()
    }

    #[test]
    fn codes_are_read_over_lines_and_past_what_stands_in_parentheses() {
        let codes = of_text(
            "Examples:\n  x\n\nExit codes: that of CMD, 1 no (or -E, 2 at\nmost), or nothing, 64 usage; 128 + N signal N\n\nMore.",
        );
        let expected = [
            ("", "that of CMD"),
            ("1", "no (or -E, 2 at most), or nothing"),
            ("64", "usage"),
            ("128 + N", "signal N"),
        ];
        assert_eq!(codes, expected.map(|(code, meaning)| (code.to_owned(), meaning.to_owned())));
    }

    #[test]
    fn notes_are_all_but_the_codes() {
        let command = Command::new("x").after_help("Before.\n\nExit codes: 0 good,\n1 bad\n\nBehind.");
        assert_eq!(notes(&command), "Before.\n\nBehind.");
    }
}
