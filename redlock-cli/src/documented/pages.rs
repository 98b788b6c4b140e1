//! Uses of the command in README.md and docs/*.md: lines of fenced blocks, and mentions such as `redlock init`.

use std::fs;
use std::path::Path;

use super::{Use, words};

pub(super) fn uses() -> Vec<Use> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain([root.join("README.md")]).flat_map(|path| of_page(&path)).collect()
}

fn of_page(path: &Path) -> Vec<Use> {
    let text = fs::read_to_string(path).unwrap();
    let page = path.file_name().unwrap().to_string_lossy();
    let mut uses = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.trim_start().starts_with("```")) {
            (None, true) => block = Some(String::new()),
            (Some(_), true) => uses.extend(in_block(&page, &block.take().unwrap())),
            (Some(block), false) => *block += &format!("{line}\n"),
            (None, false) => uses.extend(mentions(&page, line)),
        }
    }
    uses
}

/// The lines of a block that run the command.
pub(super) fn in_block(at: &str, block: &str) -> Vec<Use> {
    let lines = block.replace("\\\n", " ");
    let commands = lines.lines().flat_map(|line| line.split("&&"));
    let uses = commands.filter_map(|line| {
        // What stands behind a wide gap explains the example.
        let line = line.trim().split("   ").next().unwrap_or_default();
        let words = words::of_line(line);
        let behind = words::behind_redlock(&words)?;
        Some(Use { at: format!("{at}: {line}"), words: behind.to_vec(), is_whole: !is_pattern(line) })
    });
    uses.collect()
}

/// Whether a line shows what can be written, rather than something that is.
fn is_pattern(line: &str) -> bool {
    line.contains('[')
        || line.contains("...")
        || line.contains('…')
        || line.contains(" | ") && line.contains("SUBCOMMAND")
}

/// Code in running text that begins with the command.
fn mentions(page: &str, line: &str) -> Vec<Use> {
    let code = line.split('`').skip(1).step_by(2);
    let uses = code.filter_map(|code| {
        let behind = code.strip_prefix("redlock ")?;
        let words = words::of_line(behind);
        // `redlock X` of a TOML table or a sentence is none.
        (!words.is_empty()).then(|| Use { at: format!("{page}: {code}"), words, is_whole: false })
    });
    uses.collect()
}
