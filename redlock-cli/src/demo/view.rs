//! How a run stands, in a few lines that are as wide as the terminal at most.

use std::time::Duration;

use super::screen::stamp;
use crate::terminal::{Colours, Tone};

/// The state of a node that nothing was done to.
pub(super) const UP: &str = "up";
/// The bar, where there is room for it.
const BAR: usize = 30;
/// The words that lines begin with.
const LABEL: usize = 12;

/// How a run stands.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) elapsed: Duration,
    /// Made, and to be made.
    pub(super) increments: (u64, u64),
    /// Those that have made all of theirs, and all.
    pub(super) contenders: (u64, u64),
    /// Who has the lock, and the fencing token.
    pub(super) holder: Option<(String, u64)>,
    /// The state of each node.
    pub(super) nodes: Vec<&'static str>,
}

impl View {
    /// The lines, none of them wider than this.
    pub(super) fn lines(&self, width: usize, colours: Colours) -> Vec<String> {
        let (made, all) = self.increments;
        let filled = usize::try_from(made.saturating_mul(BAR as u64) / all.max(1)).unwrap_or(BAR).min(BAR);
        let bar = format!("[{}{}] ", "#".repeat(filled), ".".repeat(BAR - filled));
        let counter = format!("{made} of {all}");
        let bar = if LABEL + bar.len() + counter.len() <= width { bar } else { String::new() };
        let (done, contenders) = self.contenders;
        let holder = match &self.holder {
            Some((who, 0)) => vec![(None, format!("{who}, without the lock"))],
            Some((who, token)) => {
                vec![(Some(Tone::Heading), who.clone()), (None, format!(", token {token}"))]
            }
            None => vec![(Some(Tone::Faint), "nobody".to_owned())],
        };
        let label = |text: &str| (None, format!("{text:LABEL$}"));
        let lines = [
            vec![
                label(stamp(self.elapsed).trim_end()),
                (Some(Tone::Good), bar),
                (Some(Tone::Heading), counter),
            ],
            vec![label("contenders"), (None, format!("{done} of {contenders} done"))],
            [vec![label("holder")], holder].concat(),
            [vec![label("nodes")], self.states(width)].concat(),
        ];
        lines.into_iter().map(|spans| fit(spans, width, colours)).collect()
    }

    /// Every node's state, or how many there are of each where the line is too short.
    fn states(&self, width: usize) -> Vec<Span> {
        let tone = |state: &str| Some(if state == UP { Tone::Good } else { Tone::Warning });
        let each = self.nodes.iter().enumerate();
        let each: Vec<Span> =
            each.map(|(index, state)| (tone(state), format!("{} {state}   ", index + 1))).collect();
        if LABEL + each.iter().map(|(_, text)| text.len()).sum::<usize>() <= width {
            return each;
        }
        let up = self.nodes.iter().filter(|state| **state == UP).count();
        let fate = self.nodes.iter().find(|state| **state != UP);
        let mut sums = vec![(tone(UP), format!("{up} {UP}   "))];
        sums.extend(fate.map(|fate| (tone(fate), format!("{} {fate}", self.nodes.len() - up))));
        sums
    }
}

/// A piece of a line.
type Span = (Option<Tone>, String);

/// The line, cut where the terminal ends: one that is wrapped would take two.
pub(super) fn fit(spans: Vec<Span>, width: usize, colours: Colours) -> String {
    let mut room = width;
    let mut line = String::new();
    for (tone, text) in spans {
        let text: String = text.chars().filter(|character| !character.is_control()).take(room).collect();
        room -= text.chars().count();
        match tone {
            Some(tone) if !text.is_empty() => line += &colours.paint(tone, text),
            _ => line += &text,
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(nodes: usize) -> View {
        View {
            elapsed: Duration::from_millis(1_230),
            increments: (50, 100),
            contenders: (7, 100),
            holder: Some(("contender 7 in worker 2 (pid 812)".to_owned(), 1_763_774_000_000_001)),
            nodes: (0..nodes).map(|node| if node == 0 { "killed" } else { UP }).collect(),
        }
    }

    #[test]
    fn it_says_how_far_who_has_the_lock_and_which_nodes_are_up() {
        let lines = view(3).lines(100, Colours::NONE);
        assert_eq!(
            lines,
            [
                "   1.23 s   [###############...............] 50 of 100",
                "contenders  7 of 100 done",
                "holder      contender 7 in worker 2 (pid 812), token 1763774000000001",
                "nodes       1 killed   2 up   3 up",
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 0..120 {
            for nodes in [1, 5, 63] {
                for line in view(nodes).lines(width, Colours::NONE) {
                    assert!(line.chars().count() <= width, "{line:?} in {width}");
                }
            }
        }
        assert_eq!(view(63).lines(80, Colours::NONE)[3], "nodes       62 up   1 killed");
        assert_eq!(view(5).lines(30, Colours::NONE)[0], "   1.23 s   50 of 100");
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor() {
        assert_eq!(fit(vec![(None, "a\x1b[2Jb\nc".to_owned())], 20, Colours::NONE), "a[2Jbc");
    }
}
