//! The manual pages and completions, as the programs that read them take them.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn redlock(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_redlock")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn page(arguments: &[&str]) -> String {
    let ran = redlock(&[&["man"], arguments].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// All subcommands, as the help lists them.
fn subcommands() -> Vec<String> {
    let help = String::from_utf8(redlock(&["--help"]).stdout).unwrap();
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let names: Vec<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.iter().any(|name| name == "doctor"), "{names:?}");
    names
}

/// What a program makes of its input; `None` where it is not installed.
fn through(program: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // One that does not read all of it says why when it ends.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Some(child.wait_with_output().unwrap())
}

/// Backspaces print bold text.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut plain = String::new();
    for character in text.chars() {
        if character == '\u{8}' {
            let _ = plain.pop();
        } else {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn every_page_renders_without_a_complaint() {
    let mut pages = vec![(String::new(), page(&[]))];
    pages.extend(subcommands().into_iter().map(|name| (name.clone(), page(&[&name]))));
    for (name, page) in pages {
        assert!(
            page.contains(".TH ") && page.contains(".SH NAME") && page.contains("EXIT STATUS"),
            "{name}: {page}"
        );
        // groff says what it does not know; mandoc's style hints are about dates and the like.
        for program in [&["man", "--warnings", "-l", "-"][..], &["mandoc", "-W", "error", "-T", "utf8"]] {
            let Some(rendered) = through(program, &page) else { continue };
            let said = String::from_utf8_lossy(&rendered.stderr);
            assert!(rendered.status.success() && said.is_empty(), "{name} by {program:?}: {said}");
            let text = plain(&rendered.stdout);
            assert!(text.contains("EXIT STATUS") && text.contains(&name), "{name} by {program:?}: {text}");
        }
    }
}

#[test]
fn the_exit_codes_of_all_subcommands_are_in_one_table() {
    let page = page(&[]);
    let (_, table) = page.split_once(".TS\n").unwrap();
    let (table, _) = table.split_once(".TE\n").unwrap();
    for name in subcommands() {
        let begin = format!("{}\t", name.replace('-', "\\-"));
        let (_, rows) = table.split_once(&begin).unwrap_or_else(|| panic!("{name} is not in {table}"));
        // Until the next subcommand begins.
        let own: Vec<&str> = rows.split("\nT}\n").take_while(|row| !row.is_empty()).collect();
        let own = own.iter().enumerate().take_while(|(index, row)| *index == 0 || row.starts_with('\t'));
        let own: Vec<&str> = own.map(|(_, row)| row.trim_start_matches('\t')).collect();
        assert!(own.iter().any(|row| row.starts_with("64\t")), "{name}: {own:?}");
        assert!(own.len() >= 2, "{name}: {own:?}");
    }
}

#[test]
fn all_pages_are_written_into_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let ran = redlock(&["man", "--dir", directory.path().to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::read_to_string(directory.path().join("redlock.1")).unwrap(), page(&[]));
    for name in subcommands() {
        let file = directory.path().join(format!("redlock-{name}.1"));
        assert_eq!(fs::read_to_string(file).unwrap(), page(&[&name]), "{name}");
    }
    let nowhere = redlock(&["man", "--dir", "/no/such/directory"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/no/such/directory"));
    assert_eq!(redlock(&["man", "demo-worker"]).status.code(), Some(64), "it is no command of users");
}

#[test]
fn completions_are_scripts_of_their_shells_and_name_every_subcommand() {
    for (shell, check) in [("bash", &["bash", "-n"][..]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "-n"])]
    {
        let ran = redlock(&["completions", shell]);
        assert_eq!(ran.status.code(), Some(0));
        let script = String::from_utf8(ran.stdout).unwrap();
        for name in subcommands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
        if let Some(read) = through(check, &script) {
            assert!(read.status.success(), "{shell}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
    assert_eq!(redlock(&["completions", "cmd"]).status.code(), Some(64));
}
