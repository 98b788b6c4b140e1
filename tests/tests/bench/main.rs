//! That the benchmark suite works: every benchmark runs on real servers, and the document is written. Nothing here asks how fast.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md")
}

fn bench(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What stands in no part that is made.
fn written_by_people(text: &str) -> Vec<&str> {
    let mut made = false;
    let outside = text.lines().filter(|line| {
        made |= line.starts_with("<!-- ") && line.contains(": made by `");
        let is_outside = !made;
        made &= !line.starts_with("<!-- end of ");
        is_outside
    });
    outside.collect()
}

/// The pictures that a document shows.
fn shown(text: &str) -> Vec<String> {
    let behind = text.split("](performance/").skip(1);
    let mut shown: Vec<String> = behind.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect();
    shown.sort();
    shown
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn the_whole_suite_runs_and_writes_its_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("performance.md");
    let before = fs::read_to_string(document()).unwrap();
    fs::write(&path, &before).unwrap();
    bench(&["all", "--quick", "--without-peers", "--write", path.to_str().unwrap()]);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(written_by_people(&text), written_by_people(&before));
    assert!(text.contains("**node-redlock was left out**: not asked for."), "{text}");
    assert!(text.contains("| redlock, current-thread / fred, current-thread"), "{text}");
    let pictures = files(&folder.path().join("performance"));
    assert_eq!(pictures, shown(&text));
    for picture in pictures {
        let picture = folder.path().join("performance").join(picture);
        // An element of SVG that a parser of XML takes.
        let parse = "import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag)";
        let parsed = Command::new("python3").args(["-c", parse]).arg(&picture).output().unwrap();
        let root = String::from_utf8_lossy(&parsed.stdout);
        assert_eq!(root.trim(), "{http://www.w3.org/2000/svg}svg", "{}", picture.display());
    }
}

#[test]
fn every_benchmark_is_named_in_the_document_and_has_its_place_there() {
    let text = fs::read_to_string(document()).unwrap();
    let help = bench(&["--help"]).stdout;
    let help = String::from_utf8_lossy(&help);
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !["all", "help"].contains(name))
        .collect();
    assert!(names.contains(&"latency"), "{help}");
    for name in names {
        assert!(text.contains(&format!("| `{name}` |")), "{name} is not in the table of benchmarks");
        assert!(
            text.contains(&format!("<!-- {name}: made by `bench {name} --write` -->")),
            "{name} has no place"
        );
    }
}

#[test]
fn the_document_shows_the_pictures_beside_it_and_no_others() {
    let text = fs::read_to_string(document()).unwrap();
    let folder = document().with_extension("");
    assert_eq!(if folder.exists() { files(&folder) } else { Vec::new() }, shown(&text));
}
