//! What is asked of a page.

use redlock_tests::history::History;
use redlock_tests::oracle::Verdict;
use redlock_tests::report;

/// The page of a history.
pub(crate) fn page(history: &History, verdict: &Verdict) -> String {
    let mut page = Vec::new();
    report::write(history, verdict, &mut page).expect("memory takes everything");
    String::from_utf8(page).expect("a page is text")
}

/// What a page says, without what it is styled and moved by.
pub(crate) fn markup(page: &str) -> String {
    let without = |page: &str, tag: &str| {
        let (before, rest) = page.split_once(&format!("<{tag}>")).expect("the page has one");
        let (_, after) = rest.split_once(&format!("</{tag}>")).expect("it ends");
        format!("{before}{after}")
    };
    without(&without(page, "style"), "script")
}

/// The elements' names, in order; panics where one is not closed as it was opened.
pub(crate) fn elements(page: &str) -> Vec<String> {
    const VOID: [&str; 4] = ["meta", "input", "br", "!doctype"];
    let markup = markup(page);
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for part in markup.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {part}"));
        let even = tag.matches('"').count().is_multiple_of(2);
        assert!(even, "an attribute without an end: {tag}");
        let name = tag.split_ascii_whitespace().next().unwrap_or_default().to_lowercase();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed, but not opened last");
        } else {
            all.push(name.clone());
            if !VOID.contains(&name.as_str()) {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    all
}

/// The values of an attribute, in order.
pub(crate) fn attributes<'a>(markup: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    markup.split(&start).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value).collect()
}
