//! Finds and reads the sources of all members.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;

pub(crate) fn read_workspace() -> Vec<Source> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let members =
        [("crate", "redlock/src"), ("cli", "redlock-cli"), ("examples", "examples"), ("tests", "tests")];
    let mut sources = Vec::new();
    for (name, directory) in members {
        let directory = workspace.join(directory);
        let files = rust_files(&directory);
        assert!(!files.is_empty(), "no sources in {}", directory.display());
        for file in files {
            let module = module_of(name, file.strip_prefix(&directory).unwrap());
            let code = fs::read_to_string(&file).unwrap();
            let source = Source::parse(&module, &code);
            assert!(source.is_ok(), "{} does not parse: {:?}", file.display(), source.err());
            sources.extend(source);
        }
    }
    sources
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn module_of(member: &str, file: &Path) -> String {
    let mut module = vec![member.to_owned()];
    module.extend(file.with_extension("").iter().map(|segment| segment.to_string_lossy().into_owned()));
    if matches!(module.last().map(String::as_str), Some("lib" | "mod")) {
        module.pop();
    }
    module.join("::")
}
