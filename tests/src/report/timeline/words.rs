//! What is said about a hold.

use crate::report::story::{Acquisition, Fate, Story};
use crate::report::units::between;

/// How fencing tokens are written where there is little room: without the digits that all of them begin with.
pub(super) struct Tokens {
    pub(super) common: String,
}

impl Tokens {
    pub(super) fn of(story: &Story<'_>) -> Self {
        let mut all = story.acquisitions.iter().filter_map(|one| one.token).map(|token| token.to_string());
        let mut common = all.next().unwrap_or_default();
        for token in all {
            let same = common.bytes().zip(token.bytes()).take_while(|(one, other)| one == other).count();
            common.truncate(same);
        }
        // A few digits are no gain, and a token that is alone keeps its last ones.
        let keep = common.len().min(13);
        common.truncate(if keep < 3 { 0 } else { keep });
        Self { common }
    }

    pub(super) fn short(&self, token: u64) -> String {
        let text = token.to_string();
        match text.strip_prefix(&self.common) {
            Some(rest) if !self.common.is_empty() && !rest.is_empty() => format!("…{rest}"),
            _ => text,
        }
    }
}

/// Everything about an acquisition, a line each.
pub(super) fn describe(story: &Story<'_>, one: &Acquisition<'_>) -> String {
    let scale = story.scale;
    let mut text = format!("client {}, {}, hold {}", one.client, story.name(one), one.hold);
    let mut line = |line: String| {
        text.push('\n');
        text.push_str(&line);
    };
    if let Some((from, to)) = one.wait() {
        let what = if one.acquired.is_some() { "waited" } else { "waited in vain" };
        line(format!("{what} {} since {}", between(from, to), scale.moment(from)));
    }
    if let Some(from) = one.acquired {
        line(one.token.map_or("no fencing token".to_owned(), |token| format!("fencing token {token}")));
        let (to, until) = (scale.moment(one.certain_to), scale.moment(one.valid_until));
        line(format!("holds {} to {to} for certain ({})", scale.moment(from), between(from, one.certain_to)));
        let beyond = if one.valid_until > scale.to { ", beyond the run's end" } else { "" };
        line(format!("promised until {until}{beyond}"));
    }
    match one.fate {
        Fate::Open if one.died() => line("its process ended before it did".to_owned()),
        Fate::Open => {}
        Fate::GaveUp(why) => line(format!("given up: {why}")),
        Fate::Lost(at, why) => line(format!("lost at {}: {why}", scale.moment(at))),
        Fate::Released(outcome) => line(format!("released: {outcome}")),
    }
    if one.refused > 0 {
        line(format!(
            "{} refused for the fencing token",
            crate::report::units::count(one.refused, "write", "writes")
        ));
    }
    text
}
