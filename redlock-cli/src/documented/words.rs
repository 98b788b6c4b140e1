//! A line of a shell, taken apart as far as it is written in documents.

/// The words of a command, with quotes taken off; it ends at a pipe, a redirection, `;`, `&` or a comment.
pub(super) fn of_line(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            // `bash|zsh` is a pattern, not a pipe.
            (None, '|') if word.is_some() && characters.peek().is_some_and(|next| next.is_alphanumeric()) => {
                word.get_or_insert_default().push(character);
            }
            (None, '|' | ';' | '&' | '<' | '>') => break,
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The words behind the command itself, if the line runs it: behind `redlock`, or behind `cargo run ... redlock-cli --`.
pub(super) fn behind_redlock(words: &[String]) -> Option<&[String]> {
    let is_assignment = |word: &String| word.contains('=') && !word.starts_with('-');
    let start = words
        .iter()
        .position(|word| !is_assignment(word) && word != "$" && word != "sudo" && word != "exec")?;
    let words = words.get(start..)?;
    let first = words.first()?;
    if first == "redlock" || first.ends_with("/redlock") {
        // `redlock = ...` is a dependency.
        return words.get(1..).filter(|words| words.first().is_none_or(|word| word != "="));
    }
    if first == "cargo" && words.iter().any(|word| word == "redlock-cli") {
        let behind = words.iter().position(|word| word == "--")? + 1;
        return words.get(behind..);
    }
    None
}

#[test]
fn words_end_where_a_shell_ends_them() {
    assert_eq!(of_line("redlock run -c 'a | b' x | head # y"), ["redlock", "run", "-c", "a | b", "x"]);
    assert_eq!(of_line("redlock completions bash|zsh > f"), ["redlock", "completions", "bash|zsh"]);
    let words = of_line("A=1 cargo run -p redlock-cli -- demo --plain");
    assert_eq!(behind_redlock(&words).unwrap(), ["demo", "--plain"]);
    assert_eq!(behind_redlock(&of_line("cargo install redlock-cli")), None);
}
