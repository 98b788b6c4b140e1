//! Parts of a document that a command makes, between two marks; the text around them is written by people.

use std::io;

/// The two lines around a part.
#[derive(Debug, Clone)]
pub struct Marks {
    begin: String,
    end: String,
}

impl Marks {
    /// The marks of the part `name`, which `command` makes.
    pub fn new(name: &str, command: &str) -> Self {
        Self {
            begin: format!("<!-- {name}: made by `{command}` -->"),
            end: format!("<!-- end of {name} -->"),
        }
    }

    /// What is there now.
    ///
    /// # Errors
    /// The marks are not there.
    pub fn part<'a>(&self, document: &'a str) -> io::Result<&'a str> {
        Ok(self.split(document)?.1)
    }

    /// The document with another text in the place of what is there.
    ///
    /// # Errors
    /// The marks are not there.
    pub fn replace(&self, document: &str, part: &str) -> io::Result<String> {
        let (before, _, behind) = self.split(document)?;
        Ok(format!("{before}{}\n{}\n{}{behind}", self.begin, part.trim_matches('\n'), self.end))
    }

    fn split<'a>(&self, document: &'a str) -> io::Result<(&'a str, &'a str, &'a str)> {
        let around = document.split_once(&self.begin).and_then(|(before, rest)| {
            let (part, behind) = rest.split_once(&self.end)?;
            Some((before, part, behind))
        });
        around.ok_or_else(|| {
            let detail = format!("expected the lines `{}` and `{}`", self.begin, self.end);
            io::Error::new(io::ErrorKind::InvalidData, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_the_place_of_the_one_before_and_nothing_else_changes() {
        let marks = Marks::new("figures", "count --write");
        let around = |part: &str| {
            format!(
                "before\n<!-- figures: made by `count --write` -->\n{part}\n<!-- end of figures -->\nbehind\n"
            )
        };
        assert_eq!(marks.replace(&around("old\nold"), "new\n").unwrap(), around("new"));
        assert_eq!(marks.part(&around("old")).unwrap().trim(), "old");
    }

    #[test]
    fn a_document_without_the_marks_is_refused() {
        let error = Marks::new("figures", "count --write").replace("no marks", "new").unwrap_err();
        assert!(error.to_string().contains("<!-- end of figures -->"), "{error}");
    }
}
