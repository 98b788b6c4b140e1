//! What one benchmark has found: a chapter of `docs/performance.md`, and what it prints.

use std::fmt::{self, Write as _};

use super::plot::Plot;
use super::table::Table;

/// A heading, what is to be read out of the figures, and the figures.
#[derive(Default)]
pub struct Section {
    /// The heading; unique.
    pub title: String,
    /// What was measured and how, and what it shows; Markdown, a paragraph each.
    pub text: Vec<String>,
    /// Each with what stands above it.
    pub tables: Vec<(String, Table)>,
    /// Written beside the document.
    pub plots: Vec<Plot>,
    /// What stands in the table of goals at the document's beginning.
    pub verdicts: Vec<Verdict>,
}

/// A goal, and what came of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was to be reached, with its unit.
    pub goal: String,
    /// What was reached in this run.
    pub reached: String,
    /// What it was measured beside, in the same run.
    pub yardstick: String,
}

impl Section {
    /// An empty section.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(mut self, paragraph: impl Into<String>) -> Self {
        self.text.push(paragraph.into());
        self
    }

    /// Adds a table under a caption.
    #[must_use]
    pub fn table(mut self, caption: impl Into<String>, table: Table) -> Self {
        self.tables.push((caption.into(), table));
        self
    }

    /// Adds a plot.
    #[must_use]
    pub fn plot(mut self, plot: Plot) -> Self {
        self.plots.push(plot);
        self
    }

    /// Adds a line to the table of goals.
    #[must_use]
    pub fn verdict(
        mut self,
        goal: impl Into<String>,
        reached: impl Into<String>,
        yardstick: impl Into<String>,
    ) -> Self {
        let (goal, reached, yardstick) = (goal.into(), reached.into(), yardstick.into());
        self.verdicts.push(Verdict { goal, reached, yardstick });
        self
    }

    /// The chapter, with pictures that lie in `folder` beside the document.
    pub fn to_markdown(&self, folder: &str) -> String {
        let mut text = self.heading();
        for plot in &self.plots {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "![{}]({folder}/{}.svg)\n", plot.title, plot.file);
        }
        text + &self.figures()
    }

    fn heading(&self) -> String {
        let paragraphs = self.text.iter().map(|paragraph| format!("{paragraph}\n\n"));
        std::iter::once(format!("## {}\n\n", self.title)).chain(paragraphs).collect()
    }

    fn figures(&self) -> String {
        self.tables.iter().map(|(caption, table)| format!("{caption}\n\n{table}\n")).collect()
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.heading(), self.figures())?;
        for Verdict { goal, reached, yardstick } in &self.verdicts {
            writeln!(f, "goal: {goal}; reached: {reached} ({yardstick})")?;
        }
        Ok(())
    }
}
