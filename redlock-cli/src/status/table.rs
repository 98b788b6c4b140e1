//! The same for people: aligned columns, and what does not fit a column below them.

use std::collections::BTreeMap;
use std::time::Duration;

use redlock::node::{Inspection, OwnerId, Standing};
use redlock::{FleetView, Holder, LockView, NodeState};

/// A host can be long; all of it is in the line above the table.
const WIDEST: usize = 24;

pub(super) fn render(view: &FleetView) -> String {
    let mut text = format!(
        "Nodes: {} of {} reached, {} needed\n",
        view.reached(),
        view.quorum.nodes(),
        view.quorum.size()
    );
    let mut rows = vec![["NODE", "STATE", "VERSION", "CLOCK"].map(str::to_owned).to_vec()];
    rows.extend(view.nodes.iter().map(node));
    if view.node_set > 0 || view.nodes.iter().any(|node| node.node_set().is_some_and(|number| number > 0)) {
        let sets = view.nodes.iter().map(|node| node.node_set().map(|number| number.to_string()));
        let titled = std::iter::once(Some("SET".to_owned())).chain(sets);
        rows.iter_mut().zip(titled).for_each(|(row, set)| row.insert(2, set.unwrap_or_default()));
    }
    text += &columns(&rows);
    text += &of_other_sets(view);
    for error in view.nodes.iter().filter_map(|node| node.identity.as_ref().err()) {
        text += &format!("  {error}\n");
    }
    for lock in &view.locks {
        text += "\n";
        text += &of_lock(lock);
    }
    text
}

fn node(node: &NodeState) -> Vec<String> {
    let identity = node.identity.as_ref();
    let version = identity.ok().and_then(|identity| identity.version.clone());
    vec![
        node.address.to_string(),
        state(node),
        version.unwrap_or_default(),
        node.clock_ahead.map(clock).unwrap_or_default(),
    ]
}

/// A line for each other set: which nodes are of it and refuse clients with this configuration, and what is to be done.
fn of_other_sets(view: &FleetView) -> String {
    let mut sets: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for node in view.of_other_sets() {
        sets.entry(node.node_set().unwrap_or(0)).or_default().push(&node.address);
    }
    let configured = view.node_set;
    let line = |(number, nodes): (u64, Vec<&str>)| {
        let then = if number > configured {
            format!("clients need the list of nodes of that set, and nodeSet = {number}")
        } else {
            "run the `redlock nodes` command that made the change again".to_owned()
        };
        let belong = if nodes.len() == 1 { "belongs" } else { "belong" };
        let nodes = nodes.join(", ");
        format!(
            "  {nodes} {belong} to node set {number}, and this configuration to node set {configured}: {then}\n"
        )
    };
    sets.into_iter().map(line).collect()
}

pub(super) fn state(node: &NodeState) -> String {
    if node.identity.is_err() {
        return "not reached".to_owned();
    }
    match (node.standing, node.quarantined_for) {
        // Rounded up: it is over then.
        (_, Some(left)) => format!("quarantined for {} s", left.as_millis().div_ceil(1_000)),
        (Standing::Marked(_), None) => "admitted".to_owned(),
        (Standing::Unmarked(None), _) => "new".to_owned(),
        (Standing::Unmarked(Some(_)), _) => "new memory".to_owned(),
        (Standing::Unguarded, _) => "no restart guard".to_owned(),
        _ => "not known".to_owned(),
    }
}

/// The difference, in a unit that shows it.
fn clock(ahead: i64) -> String {
    let millis = ahead as f64 / 1_000.0;
    match ahead.unsigned_abs() {
        0..10_000 => format!("{millis:+.1} ms"),
        10_000..10_000_000 => format!("{millis:+.0} ms"),
        _ => format!("{:+.0} s", millis / 1_000.0),
    }
}

fn of_lock(lock: &LockView) -> String {
    let mut text = verdict(lock);
    let winner = winner(lock);
    let mut rows = vec![["NODE", "VOTE", "LEFT", "TOKEN", "HOLDER"].map(str::to_owned).to_vec()];
    for node in &lock.nodes {
        let mut row = vec![node.address.to_string()];
        match &node.answer {
            Ok(answer) if answer.held => row.extend(held(answer, winner)),
            Ok(answer) => row.extend(["free".to_owned(), String::new(), token(answer)]),
            Err(_) => row.push("no answer".to_owned()),
        }
        rows.push(row);
    }
    text += &columns(&rows);
    text
}

fn verdict(lock: &LockView) -> String {
    let (nodes, name) = (lock.quorum.nodes(), &lock.name);
    let answered = lock.nodes.iter().filter(|node| node.answer.is_ok()).count();
    if let Some(holding) = lock.holder() {
        let holder = holding.holder.as_ref().map(ToString::to_string);
        let holder = holder.as_deref().unwrap_or("somebody who does not say who");
        let held_for = holding.held_for.map(|held_for| format!("for {}", span(held_for)));
        let left = holding
            .remaining
            .map_or_else(|| "without an end".to_owned(), |left| format!("{} left", span(left)));
        let nodes = format!("on {} of {nodes} nodes", holding.votes);
        let token = holding.token.map(|token| format!("fencing token up to {token}"));
        let figures: Vec<String> = held_for.into_iter().chain([left, nodes]).chain(token).collect();
        return format!("{name}: held by {holder}\n  {}\n", figures.join(", "));
    }
    if !lock.is_known() {
        return format!(
            "{name}: not known, since {answered} of {nodes} nodes answered and {} are needed\n",
            lock.quorum.size()
        );
    }
    if lock.is_free() {
        return format!("{name}: free\n");
    }
    let held = lock.nodes.iter().filter(|node| matches!(&node.answer, Ok(answer) if answer.held)).count();
    match held {
        0 => format!("{name}: held by nobody, and too few nodes may grant it now\n"),
        _ => format!(
            "{name}: held by nobody: {held} of {nodes} nodes have an owner, and no owner has {}\n",
            lock.quorum.size()
        ),
    }
}

/// Who has a quorum.
pub(super) fn winner(lock: &LockView) -> Option<OwnerId> {
    lock.holder()?;
    let owners = || lock.nodes.iter().filter_map(|node| node.answer.as_ref().ok()?.owner);
    owners().find(|&owner| owners().filter(|&other| other == owner).count() >= lock.quorum.size())
}

fn held(answer: &Inspection, winner: Option<OwnerId>) -> [String; 4] {
    let is_others = winner.is_some() && answer.owner != winner;
    let vote = if is_others { "another" } else { "held" };
    let left = answer.remaining.map_or_else(|| "no end".to_owned(), span);
    let holder = answer.description.as_ref().map(|said| in_short(&said.into()));
    [vote.to_owned(), left, token(answer), holder.unwrap_or_else(|| "-".to_owned())]
}

fn token(answer: &Inspection) -> String {
    answer.counter.map(|counter| counter.to_string()).unwrap_or_default()
}

/// A time as people say it, such as `4.2 s` or `3 min 5 s`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_millis() as f64 / 1_000.0),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Machine and process in the width of a column, or what there is of the text.
fn in_short(holder: &Holder) -> String {
    let mut who = Holder::default();
    who.host.clone_from(&holder.host);
    if who.host.is_empty() {
        return cut(&holder.to_string(), WIDEST);
    }
    let process = holder.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
    cut(&who.to_string(), WIDEST.saturating_sub(process.len())) + &process
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width.saturating_sub(1)).chain(['\u{2026}']).collect(),
    }
}

/// Two blanks in front of every column, and none at the end of a line.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:width$}"));
        text += cells.collect::<String>().trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use redlock::node::Description;

    use super::*;

    #[test]
    fn clocks_are_shown_in_a_unit_that_shows_the_difference() {
        assert_eq!([300, -12_345, 3_600_000_000].map(clock), ["+0.3 ms", "-12 ms", "+3600 s"]);
    }

    #[test]
    fn columns_are_aligned_whatever_is_in_them() {
        let rows =
            [["a", "bb", "c"], ["\u{e9}\u{e9}\u{e9}", "b", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "  a    bb  c\n  \u{e9}\u{e9}\u{e9}  b\n");
        let shown = |text: &str| in_short(&Holder::from(&Description::new(text)));
        assert_eq!(shown("web-3 812 1700000000000 nightly"), "web-3 pid 812");
        assert_eq!(shown("web-3.example.internal 812 1"), "web-3.example.i\u{2026} pid 812");
        assert_eq!(shown(&"x".repeat(30)).chars().count(), WIDEST);
        assert_eq!(shown("\u{1b}[2J 812 1"), "\\u{1b}[2J pid 812");
    }
}
