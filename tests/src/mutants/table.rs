//! The table of all mutants against all layers, and its place in a document.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use redlock::Protections;

use super::layer::{Fate, Layer};
use crate::marked::Marks;

/// What became of the library without each safeguard.
#[derive(Debug)]
pub struct Table {
    layers: Vec<&'static str>,
    rows: Vec<(&'static str, Vec<Fate>)>,
}

impl Table {
    /// Tries every safeguard's absence on every layer; `progress` is told what is tried, and what came of it.
    pub fn make(layers: &[Box<dyn Layer>], mut progress: impl FnMut(&str, &str, Option<&Fate>)) -> Self {
        let mut rows = Vec::new();
        for &safeguard in Protections::NAMES {
            let mut fates = Vec::new();
            for layer in layers {
                progress(safeguard, layer.name(), None);
                let fate = layer.try_without(safeguard);
                progress(safeguard, layer.name(), Some(&fate));
                fates.push(fate);
            }
            rows.push((safeguard, fates));
        }
        Self { layers: layers.iter().map(|layer| layer.name()).collect(), rows }
    }

    /// Safeguards that no layer misses.
    pub fn survivors(&self) -> Vec<&'static str> {
        let survives = |fates: &[Fate]| !fates.iter().any(|fate| matches!(fate, Fate::Killed(_)));
        self.rows.iter().filter(|(_, fates)| survives(fates)).map(|(safeguard, _)| *safeguard).collect()
    }

    /// Layers that miss no safeguard: they prove nothing.
    pub fn idle_layers(&self) -> Vec<&'static str> {
        let kills = |layer: usize| self.rows.iter().any(|(_, fates)| matches!(fates[layer], Fate::Killed(_)));
        (0..self.layers.len()).filter(|&layer| !kills(layer)).map(|layer| self.layers[layer]).collect()
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| without |");
        for layer in &self.layers {
            // Writing to a string cannot fail.
            let _ = write!(text, " {layer} |");
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.layers.len()));
        text.push('\n');
        for (safeguard, fates) in &self.rows {
            let _ = write!(text, "| `{safeguard}` |");
            for fate in fates {
                let _ = write!(text, " {} |", fate.in_words());
            }
            text.push('\n');
        }
        text
    }

    /// Puts it into a document, in the place of the one that is there between the two marks.
    ///
    /// # Errors
    /// Those of the file, and a document without the marks.
    pub fn write_into(&self, document: &Path) -> io::Result<()> {
        let marks = Marks::new("mutants", "chaos mutants --write");
        let text = marks.replace(&fs::read_to_string(document)?, &self.to_markdown());
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", document.display()));
        fs::write(document, text.map_err(named)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Killing(&'static str);

    impl Layer for Killing {
        fn name(&self) -> &'static str {
            "a layer"
        }

        fn try_without(&self, safeguard: &'static str) -> Fate {
            if safeguard == self.0 {
                Fate::Killed("at once".to_owned())
            } else {
                Fate::Survived("once".to_owned())
            }
        }
    }

    #[test]
    fn a_safeguard_that_no_layer_misses_is_a_survivor_and_a_layer_that_misses_none_is_idle() {
        let killing = Table::make(&[Box::new(Killing("quarantine"))], |_, _, _| {});
        assert_eq!(killing.survivors().len(), Protections::NAMES.len() - 1);
        assert!(!killing.survivors().contains(&"quarantine"));
        assert!(killing.idle_layers().is_empty());
        let idle = Table::make(&[Box::new(Killing("nothing"))], |_, _, _| {});
        assert_eq!(idle.idle_layers(), ["a layer"]);
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("page.md");
        let around = |part: &str| {
            format!(
                "before\n<!-- mutants: made by `chaos mutants --write` -->\n{part}\n<!-- end of mutants -->\nbehind\n"
            )
        };
        fs::write(&document, around("old")).unwrap();
        let table = Table::make(&[Box::new(Killing("quarantine"))], |_, _, _| {});
        table.write_into(&document).unwrap();
        assert_eq!(fs::read_to_string(&document).unwrap(), around(table.to_markdown().trim_end()));
        fs::write(&document, "no marks").unwrap();
        assert!(table.write_into(&document).is_err());
        assert_eq!(fs::read_to_string(&document).unwrap(), "no marks");
    }
}
