//! The document that benchmarks write their chapters into, and the pictures beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Result;
use super::section::{Section, Verdict};
use super::{draw, table::Table};
use crate::marked::Marks;

/// A document with marks for what is made: a chapter a benchmark, the goals, the machine. What stands around them stays.
pub struct Document {
    path: PathBuf,
}

impl Document {
    /// The document at `path`, which must have the marks for these benchmarks: better told before they run than after.
    ///
    /// # Errors
    /// It cannot be read, or lacks marks.
    pub fn open(path: &Path, benchmarks: &[&str]) -> Result<Self> {
        let document = Self { path: path.to_owned() };
        let text = document.read()?;
        for name in benchmarks.iter().chain([&"goals", &"machine"]) {
            marks(name).part(&text).map_err(|error| document.named(error))?;
        }
        Ok(document)
    }

    /// Puts what a benchmark found in the place of its chapter and of its goals, and draws its pictures.
    ///
    /// # Errors
    /// Those of files, missing marks, or figures that cannot be drawn.
    pub fn write(&self, benchmark: &str, section: &Section) -> Result<()> {
        let folder = self.path.with_extension("");
        fs::create_dir_all(&folder)?;
        for plot in &section.plots {
            fs::write(folder.join(plot.file).with_extension("svg"), draw::svg(plot)?)?;
        }
        let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = marks(benchmark).replace(&self.read()?, &section.to_markdown(&folder));
        let text = text.map_err(|error| self.named(error))?;
        let goals = marks("goals");
        let rows = with_goals(goals.part(&text)?, benchmark, &section.verdicts);
        Ok(fs::write(&self.path, goals.replace(&text, &rows)?)?)
    }

    /// Says what all figures were measured on.
    ///
    /// # Errors
    /// As [`Document::write`].
    pub fn write_machine(&self, description: &str) -> Result<()> {
        Ok(fs::write(&self.path, marks("machine").replace(&self.read()?, description)?)?)
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.path).map_err(|error| self.named(error))
    }

    fn named(&self, error: std::io::Error) -> Box<dyn std::error::Error + Send + Sync> {
        format!("{}: {error}", self.path.display()).into()
    }
}

fn marks(name: &str) -> Marks {
    match name {
        "goals" | "machine" => Marks::new(name, "bench all --write"),
        _ => Marks::new(name, &format!("bench {name} --write")),
    }
}

/// The table of goals with these ones of a benchmark in the place of its former ones; the rows of the others stay.
fn with_goals(before: &str, benchmark: &str, verdicts: &[Verdict]) -> String {
    let mark = format!("`{benchmark}`");
    let rows: Vec<Vec<&str>> = before.lines().skip_while(|line| line.is_empty()).skip(2).map(cells).collect();
    let is_ours = |row: &Vec<&str>| row.last() == Some(&mark.as_str());
    let at = rows.iter().position(is_ours).unwrap_or(rows.len());
    let mut table = Table::new(["goal", "reached", "yardstick", "chapter"]);
    let (ahead, behind) = rows.split_at(at);
    ahead.iter().for_each(|row| table.row(row.iter().copied()));
    for Verdict { goal, reached, yardstick } in verdicts {
        table.row([goal, reached, yardstick, &mark].map(|cell| cell.replace('|', "/")));
    }
    behind.iter().filter(|row| !is_ours(row)).for_each(|row| table.row(row.iter().copied()));
    table.to_string()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plot::{Axis, Plot};
    use super::*;

    fn page(path: &Path, names: &[&str]) {
        let part =
            |name: &str| marks(name).replace(&format!("{}\n{}", begin(name), end(name)), "old").unwrap();
        let parts: String =
            names.iter().map(|name| format!("about {name}\n{}\nread {name} so\n", part(name))).collect();
        let goals = format!("{}\n{}", begin("goals"), end("goals"));
        fs::write(path, format!("# Page\n{goals}\n{}\n{parts}the end\n", part("machine"))).unwrap();
    }

    fn begin(name: &str) -> String {
        let command = if matches!(name, "goals" | "machine") { "all" } else { name };
        format!("<!-- {name}: made by `bench {command} --write` -->")
    }

    fn end(name: &str) -> String {
        format!("<!-- end of {name} -->")
    }

    fn section(reached: &str) -> Section {
        let plot = Plot {
            file: "curve",
            title: "A curve".to_owned(),
            across: Axis::linear("x"),
            up: Axis::linear("y"),
            lines: vec![("one".to_owned(), vec![(0.0, 1.0), (1.0, 2.0)])],
        };
        Section::new("Speed").text("How.").plot(plot).verdict("fast", reached, "a snail")
    }

    #[test]
    fn chapters_are_replaced_and_what_people_wrote_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("performance.md");
        page(&path, &["one", "two"]);
        let document = Document::open(&path, &["one", "two"]).unwrap();
        document.write("one", &section("1 us")).unwrap();
        document.write("two", &section("2 us")).unwrap();
        document.write("one", &section("3 us")).unwrap();
        document.write_machine("a machine").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for kept in ["# Page\n", "about one\n", "read one so\n", "about two\n", "read two so\n", "the end\n"]
        {
            assert!(text.contains(kept), "{kept:?} is gone from {text}");
        }
        assert!(!text.contains("old"), "{text}");
        assert_eq!(text.matches("![A curve](performance/curve.svg)").count(), 2);
        assert_eq!(text.matches("## Speed").count(), 2);
        assert!(text.contains("a machine"));
        assert!(fs::read_to_string(folder.path().join("performance/curve.svg")).unwrap().starts_with("<svg"));
        let goals: Vec<_> = text.lines().filter(|line| line.contains("snail")).map(cells).collect();
        assert_eq!(goals, [["fast", "3 us", "a snail", "`one`"], ["fast", "2 us", "a snail", "`two`"]]);
    }

    #[test]
    fn a_document_without_the_marks_is_refused_before_anything_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("performance.md");
        page(&path, &["one"]);
        let error = Document::open(&path, &["one", "two"]).err().unwrap().to_string();
        assert!(error.contains("performance.md") && error.contains("<!-- end of two -->"), "{error}");
    }
}
