//! A row for each client: its processes, what it waits for and holds, and what is done to it and to its ways.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::faults::{self, Drawn};
use super::lanes::Lanes;
use super::{Row, Scene};
use crate::history::Target;
use crate::report::story::{Acquisition, Fate};
use crate::report::units::{Scale, between};

const LANE: usize = 18;

/// How many colours there are for names.
pub(super) const COLOURS: usize = 6;

/// A row for each client.
pub(super) fn rows(scene: &Scene<'_, '_>) -> Vec<Row> {
    (0..scene.story.clients.len()).map(|client| row(scene, client)).collect()
}

/// The class of what belongs to a name.
pub(super) fn colour(name: Option<usize>) -> String {
    name.map_or_else(|| "unnamed".to_owned(), |name| format!("n{} name{name}", name % COLOURS))
}

/// The width of a hold: one that was seen only once is a line.
pub(super) fn wide(scale: Scale, from: u64, to: u64) -> String {
    scale.width(from, to.max(from + 10_000))
}

/// An acquisition, and where it is drawn.
struct Placed<'a, 'b> {
    index: usize,
    one: &'b Acquisition<'a>,
    y: usize,
}

fn row(scene: &Scene<'_, '_>, client: usize) -> Row {
    let mut lanes = Lanes::default();
    let mine = scene.story.acquisitions.iter().enumerate().filter(|(_, one)| one.client == client);
    let place = |(index, one): (usize, _)| {
        let one: &Acquisition<'_> = one;
        // What a dead process was promised does not stand in the way of the next one's holds.
        let to = if one.died() { one.end } else { one.drawn_to() };
        Placed { index, one, y: lanes.put(one.begin, to) * LANE + 2 }
    };
    let placed: Vec<_> = mine.map(place).collect();
    let height = lanes.len().max(1) * LANE;
    let struck = |target| matches!(target, Target::Way { client: one, .. } if one == client);
    let ways = faults::place(scene, height + 1, struck);
    let own = scene.story.faults.iter().filter(|fault| fault.target == Target::Client(client));
    let own: Vec<_> =
        own.map(|fault| Drawn { fault, y: 1, height: height - 2, is_labelled: false }).collect();
    let full = height + ways.height + 2;
    Row {
        class: "client",
        label: html! {
            span.name { "client " (client) }
            @if ways.height > 0 { span.ways style={ "top:" (height) "px" } { "ways" } }
        },
        height: full,
        picture: html! {
            (processes(scene, client, height))
            svg.stretch viewBox=(scene.story.scale.view_box(full)) preserveAspectRatio="none" width="100%" height=(full) {
                @for name in names(&placed) { (of_name(scene, &placed, name)) }
            }
            @for fault in &own { (faults::draw(scene, fault)) }
            (starved(scene, client, height))
            (marks(scene, &placed))
            @for fault in &ways.drawn { (faults::draw(scene, fault)) }
        },
    }
}

fn names(placed: &[Placed<'_, '_>]) -> Vec<Option<usize>> {
    let mut names: Vec<_> = placed.iter().map(|placed| placed.one.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn of_name(scene: &Scene<'_, '_>, placed: &[Placed<'_, '_>], name: Option<usize>) -> Markup {
    let scale = scene.story.scale;
    let mine = || placed.iter().filter(move |placed| placed.one.name == name);
    let (mut waits, mut promised, mut merged) = (String::new(), String::new(), String::new());
    for placed in mine() {
        let one = placed.one;
        if let (Some((from, to)), false) = (one.wait(), matches!(one.fate, Fate::GaveUp(_))) {
            let _ = write!(waits, "M{} {}h{}", scale.x(from), placed.y + 7, scale.width(from, to));
        }
        if let Some((from, to)) = one.promised() {
            // A dead process holds nothing, whatever it was promised: the lock's row has the rest.
            let width = scale.width(from, if one.died() { to.min(one.end) } else { to });
            let _ = write!(promised, "M{} {}h{width}v6h-{width}z", scale.x(from), placed.y + 4);
        }
        if let (Some((from, to)), false) = (one.certain(), scene.is_single(placed.index)) {
            let width = scale.width(from, to);
            let _ = write!(merged, "M{} {}h{width}v14h-{width}z", scale.x(from), placed.y);
        }
    }
    html! {
        g.(colour(name)) {
            path.waits d=(waits) {}
            path.promised d=(promised) {}
            @if !merged.is_empty() { path.certain d=(merged) {} }
            @for placed in mine() {
                @let one = placed.one;
                @if let (Some((from, to)), true) = (one.certain(), scene.is_single(placed.index)) {
                    rect.bad[scene.bad.contains(&placed.index)] id={ "a" (placed.index) }
                        data-t=[one.token.map(|token| scene.tokens.short(token))]
                        x=(scale.x(from)) y=(placed.y) width=(wide(scale, from, to)) height="14" {
                        title { (super::words::describe(scene.story, one)) }
                    }
                }
                @if matches!(one.fate, Fate::GaveUp(_)) {
                    @if let Some((from, to)) = one.wait() {
                        path.vain id={ "a" (placed.index) } d={ "M" (scale.x(from)) " " (placed.y + 7) "h" (scale.width(from, to)) } {
                            title { (super::words::describe(scene.story, one)) }
                        }
                    }
                }
            }
        }
    }
}

/// Losses, and the fencing tokens of holds that are long enough.
fn marks(scene: &Scene<'_, '_>, placed: &[Placed<'_, '_>]) -> Markup {
    let scale = scene.story.scale;
    html! {
        @for placed in placed.iter().filter(|placed| scene.is_single(placed.index)) {
            @let one = placed.one;
            @if let (Some((from, to)), Some(token)) = (one.certain(), one.token) {
                @let label = scene.tokens.short(token);
                @if to - from >= scale.room(&label) {
                    text.(colour(one.name)) x=(scale.percent(from)) dx="3" y=(placed.y + 11) { (label) }
                }
            }
            @if let Fate::Lost(at, _) = one.fate {
                use.lost href="#mark-lost" x=(scale.percent(at)) y=(placed.y) {
                    title { (super::words::describe(scene.story, one)) }
                }
            }
        }
    }
}

fn processes(scene: &Scene<'_, '_>, client: usize, height: usize) -> Markup {
    let scale = scene.story.scale;
    html! {
        @for process in &scene.story.clients[client].processes {
            rect.up x=(scale.percent(process.from)) y="0" width=(scale.percent_wide(process.from, process.to)) height=(height) {
                title {
                    "client " (client) ", process " (process.pid) "\n"
                    (scale.moment(process.from)) " to " (scale.moment(process.to))
                }
            }
        }
    }
}

fn starved(scene: &Scene<'_, '_>, client: usize, height: usize) -> Markup {
    let scale = scene.story.scale;
    html! {
        @for &(from, to) in &scene.story.clients[client].starved {
            rect.starved x=(scale.percent(from)) y=(height - 3) width=(scale.percent_wide(from, to)) height="3" {
                title {
                    "client " (client) " did not get the CPU for " (between(from, to)) "\n"
                    (scale.moment(from)) " to " (scale.moment(to))
                }
            }
        }
    }
}
