//! One HTML file that shows a history: the verdict, what was run, the figures, and a timeline of locks, clients and
//! nodes.
//!
//! It needs nothing else: style, picture and script are in the file. The picture is complete without the script, which
//! adds zooming, descriptions under the pointer and filters.

mod page;
mod story;
mod summary;
mod tables;
mod timeline;
mod units;
mod violations;

use std::io;

use crate::history::History;
use crate::oracle::Verdict;
use story::Story;

/// Writes the page.
///
/// # Errors
/// Those of writing.
pub fn write(history: &History, verdict: &Verdict, to: &mut impl io::Write) -> io::Result<()> {
    let story = Story::of(history);
    to.write_all(page::page(&story, verdict).into_string().as_bytes())?;
    to.flush()
}
