//! The report for people, in colours where there are any.

use redlock::preflight::{Report, Severity};

use super::Verdict;
use crate::terminal::{Colours, Tone};

/// The report as the library words it, with its severities coloured, and wrapped where the terminal ends.
pub(super) fn coloured(report: &Report, colours: Colours, width: Option<usize>) -> String {
    let text = report.to_string();
    let text: String = text.lines().map(|line| wrapped(line, width.unwrap_or(usize::MAX)) + "\n").collect();
    let lines = text.lines().enumerate().map(|(index, line)| {
        let begun = line.split_once(' ').and_then(|(word, rest)| Some((tone(word)?, word, rest)));
        match begun {
            _ if index == 0 => colours.paint(Tone::Heading, line),
            Some((tone, word, rest)) => format!("{} {rest}", colours.paint(tone, word)),
            None => line.to_owned(),
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// Where a line goes on: below the text behind its severity.
const INDENT: &str = "         ";

/// A line of the report in lines of this width, where words allow it.
fn wrapped(line: &str, width: usize) -> String {
    let (mut done, mut rest) = (String::new(), line.to_owned());
    while rest.chars().count() > width {
        let room = rest.char_indices().nth(width + 1).map_or(rest.len(), |(index, _)| index);
        // A gap behind the indent: else the line would grow for ever.
        let gap = rest.get(..room).and_then(|start| start.rfind(' ')).filter(|gap| *gap > INDENT.len() + 3);
        let Some((start, behind)) = gap.and_then(|gap| rest.split_at_checked(gap)) else { break };
        done += start;
        done.push('\n');
        let indent = if line.trim_start().starts_with("->") { "            " } else { INDENT };
        rest = format!("{indent}{}", behind.trim_start());
    }
    done + &rest
}

/// How a line that begins with this word is coloured: the words are those of [`Severity`].
fn tone(word: &str) -> Option<Tone> {
    let tones = [
        (Severity::Error, Tone::Bad),
        (Severity::Warning, Tone::Warning),
        (Severity::Unknown, Tone::Warning),
        (Severity::Note, Tone::Faint),
        (Severity::Good, Tone::Good),
    ];
    tones.into_iter().find_map(|(severity, tone)| (severity.to_string() == word).then_some(tone))
}

/// The last line.
pub(super) fn verdict(report: &Report, verdict: Verdict, colours: Colours) -> String {
    let (tone, text) = match (verdict, report.worst()) {
        (Verdict::Unreachable, _) => {
            (Tone::Bad, "No lock can be acquired: no quorum of nodes answers.".to_owned())
        }
        (Verdict::Misconfigured, _) => {
            (Tone::Bad, "No lock can be acquired: no quorum of nodes can be used.".to_owned())
        }
        (_, Severity::Error) => (Tone::Bad, "Not fit for locks: see the errors.".to_owned()),
        (_, Severity::Warning) => (Tone::Warning, "Locks work; see the warnings.".to_owned()),
        (_, Severity::Unknown) => {
            (Tone::Good, "Nothing wrong was found; not everything could be read.".to_owned())
        }
        _ => (Tone::Good, "All is as it should be.".to_owned()),
    };
    colours.paint(tone, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_its_text_and_loses_no_word() {
        let advice = format!("{INDENT}-> the restart guard covers it; without that, appendfsync always");
        let expected = "         -> the restart guard covers it;\n            without that, appendfsync\n            always";
        assert_eq!(wrapped(&advice, 40), expected);
        for width in 0..80 {
            let words: Vec<String> = wrapped(&advice, width).split_whitespace().map(str::to_owned).collect();
            assert_eq!(words, advice.split_whitespace().collect::<Vec<_>>(), "{width}");
        }
        let long = "a".repeat(100);
        assert_eq!(wrapped(&long, 40), long);
    }
}
