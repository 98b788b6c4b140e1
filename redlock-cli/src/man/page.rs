//! Manual pages in roff.

use std::fmt::Write as _;
use std::io;

use clap::Command;
use clap_mangen::Man;

use super::codes::{self, Code};

/// The page of `redlock`: an overview, and the exit codes of all subcommands.
pub(super) fn of_all(whole: &Command) -> io::Result<String> {
    let man = Man::new(whole.clone());
    // What is behind `'\"` tells man that there is a table.
    let mut page = "'\\\" t\n".to_owned();
    page += &rendered(|out| man.render_title(out))?;
    page += &rendered(|out| man.render_name_section(out))?;
    page += &rendered(|out| man.render_synopsis_section(out))?;
    page += &rendered(|out| man.render_description_section(out))?;
    page += &rendered(|out| man.render_subcommands_section(out))?;
    page += &rendered(|out| man.render_options_section(out))?;
    page += ".SH \"EXIT STATUS\"\n.TS\nl l lx.\n";
    let visible = || whole.get_subcommands().filter(|command| !command.is_hide_set());
    for command in visible() {
        for (index, code) in codes::of(command).into_iter().enumerate() {
            let name = if index == 0 { command.get_name() } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(page, "{}\t{}", escaped(name), row(&code));
        }
    }
    page += ".TE\n";
    page += ENVIRONMENT;
    page += ".SH \"SEE ALSO\"\n";
    let others: Vec<String> =
        visible().map(|command| format!("\\fBredlock\\-{}\\fR(1)", escaped(command.get_name()))).collect();
    page += &others.join(", ");
    page += "\n";
    page += &rendered(|out| man.render_version_section(out))?;
    Ok(page)
}

/// The page of a subcommand.
pub(super) fn of_subcommand(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut page = "'\\\" t\n".to_owned();
    page += &rendered(|out| man.render_title(out))?;
    page += &rendered(|out| man.render_name_section(out))?;
    page += &rendered(|out| man.render_synopsis_section(out))?;
    page += &rendered(|out| man.render_description_section(out))?;
    page += &rendered(|out| man.render_options_section(out))?;
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        page += &rendered(|out| man.render_subcommands_section(out))?;
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let man = Man::new(sub.clone());
            let _ = writeln!(page, ".SH \"{}\"", escaped(&sub.get_name().to_uppercase()));
            page += &rendered(|out| man.render_synopsis_section(out))?.replace(".SH SYNOPSIS\n", "");
            page +=
                &rendered(|out| man.render_description_section(out))?.replace(".SH DESCRIPTION\n", ".PP\n");
            page += &rendered(|out| man.render_options_section(out))?.replace(".SH OPTIONS\n", ".PP\n");
        }
    }
    page += &notes(&codes::notes(command));
    page += ".SH \"EXIT STATUS\"\n.TS\nl lx.\n";
    for code in codes::of(command) {
        let _ = writeln!(page, "{}", row(&code));
    }
    page += ".TE\n.SH \"SEE ALSO\"\n\\fBredlock\\fR(1)\n";
    Ok(page)
}

const ENVIRONMENT: &str = ".SH ENVIRONMENT
.TP
\\fBREDLOCK_CONFIG\\fR
The configuration file, where neither \\-\\-config nor \\-\\-nodes is given.
.TP
\\fBREDLOCK_NODES\\fR
The nodes' URLs, separated by commas, where REDLOCK_CONFIG is not set either.
.TP
\\fBNO_COLOR\\fR
Set and not empty: nothing is coloured.
";

/// Paragraphs; those with a heading of their own (`Examples:`) are sections, kept as they are.
fn notes(text: &str) -> String {
    let mut page = String::new();
    let mut in_notes = false;
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let _ = match first.strip_suffix(':') {
            Some(heading) if rest.starts_with(' ') => {
                in_notes = false;
                writeln!(page, ".SH \"{}\"\n.nf\n{}\n.fi", escaped(&heading.to_uppercase()), escaped(rest))
            }
            _ => {
                page += if in_notes { ".PP\n" } else { ".SH NOTES\n" };
                in_notes = true;
                writeln!(page, "{}", escaped(paragraph))
            }
        };
    }
    page
}

/// Cells of a table, of which the last may be as wide as there is room.
fn row(code: &Code) -> String {
    format!("{}\tT{{\n{}\nT}}", escaped(&code.code), escaped(&code.meaning))
}

fn rendered(section: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut roff = Vec::new();
    section(&mut roff)?;
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

/// Text that roff takes as it is: no line of it begins a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
