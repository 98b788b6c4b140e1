//! Uses of the command in examples/deploy: the unit's ExecStart, the commands and probes of containers, the image's words.

use std::fs;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode as _, Yaml};

use super::{Use, pages, words};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deploy")
}

pub(super) fn uses() -> Vec<Use> {
    let mut uses = Vec::new();
    for path in files(&deploy()) {
        let text = fs::read_to_string(&path).unwrap();
        let at = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => {
                for document in Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{at}: {error}")) {
                    in_yaml(&at, &document, &mut uses);
                }
            }
            Some("service") => uses.extend(of_unit(&at, &text)),
            None if at.starts_with("Dockerfile") => uses.extend(of_image(&at, &text)),
            _ => {}
        }
        // What the comments tell the reader to type.
        let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("#   "));
        uses.extend(pages::in_block(&at, &comments.collect::<Vec<_>>().join("\n")));
    }
    uses
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A list of words under `command`, with those under `args` behind it.
fn in_yaml(at: &str, node: &Yaml<'_>, uses: &mut Vec<Use>) {
    if let Some(list) = node.as_sequence() {
        list.iter().for_each(|node| in_yaml(at, node, uses));
    }
    let Some(map) = node.as_mapping() else { return };
    let list = |key: &str| -> Vec<String> {
        let list = node.as_mapping_get(key).and_then(Yaml::as_sequence);
        list.into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let line = [list("command"), list("args")].concat();
    if let Some(behind) = words::behind_redlock(&line) {
        uses.push(Use { at: format!("{at}: {}", line.join(" ")), words: behind.to_vec(), is_whole: true });
    }
    map.iter().for_each(|(_, node)| in_yaml(at, node, uses));
}

fn of_unit(at: &str, text: &str) -> Vec<Use> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
    let uses = lines.filter_map(|(_, line)| {
        let words = words::of_line(line.trim_start_matches(['-', '+', '!', ':', '@']));
        let behind = words::behind_redlock(&words)?;
        Some(Use { at: format!("{at}: {line}"), words: behind.to_vec(), is_whole: true })
    });
    uses.collect()
}

/// The words behind the entry point, also in the example in the comments.
fn of_image(at: &str, text: &str) -> Vec<Use> {
    let lines = text.lines().filter_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix("CMD "));
    let uses = lines.map(|line| {
        let words: Vec<String> = serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{at}: {line}: {error}"))
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        Use { at: format!("{at}: {line}"), words, is_whole: true }
    });
    uses.collect()
}
