//! Faults, and a row for each node with those that strike it.

use maud::{Markup, html};

use super::lanes::Lanes;
use super::{Row, Scene};
use crate::history::Target;
use crate::report::story::Fault;
use crate::report::units::between;

const LANE: usize = 13;

/// More faults than this in a row are not given room for their texts.
const LABELLED: usize = 60;

/// A fault, and where it is drawn.
pub(super) struct Drawn<'a, 'b> {
    pub(super) fault: &'b Fault<'a>,
    pub(super) y: usize,
    pub(super) height: usize,
    pub(super) is_labelled: bool,
}

/// The faults of a row, in lanes.
pub(super) struct Placed<'a, 'b> {
    pub(super) drawn: Vec<Drawn<'a, 'b>>,
    pub(super) height: usize,
}

/// Puts the faults that strike such targets into lanes below `top`.
pub(super) fn place<'a, 'b>(
    scene: &Scene<'a, 'b>,
    top: usize,
    is_struck: impl Fn(Target) -> bool,
) -> Placed<'a, 'b> {
    let mine: Vec<_> = scene.story.faults.iter().filter(|fault| is_struck(fault.target)).collect();
    let is_labelled = mine.len() <= LABELLED;
    let mut lanes = Lanes::default();
    let scale = scene.story.scale;
    let drawn = mine
        .into_iter()
        .map(|fault| {
            let room = if is_labelled { scale.room(&fault.label()) } else { 0 };
            let lane = lanes.put(fault.at, fault.end().max(fault.at.saturating_add(room)));
            Drawn { fault, y: top + lane * LANE, height: LANE - 2, is_labelled }
        })
        .collect();
    Placed { drawn, height: lanes.len() * LANE }
}

/// A row for each node.
pub(super) fn node_rows(scene: &Scene<'_, '_>) -> Vec<Row> {
    (0..scene.story.nodes.len()).map(|node| node_row(scene, node)).collect()
}

fn node_row(scene: &Scene<'_, '_>, node: usize) -> Row {
    let placed = place(scene, 3, |target| target == Target::Node(node));
    let height = placed.height.max(LANE) + 4;
    let scale = scene.story.scale;
    Row {
        class: "node",
        label: html! {
            span.name title=(scene.story.node(node)) { "node " (node) }
            span.address { (tail(&scene.story.nodes[node])) }
        },
        height,
        picture: html! {
            rect.up x="0" y="0" width="100%" height=(height) {}
            @for (from, to) in quarantines(scene, node) {
                rect.quarantine x=(scale.percent(from)) y="0" width=(scale.percent_wide(from, to)) height=(height) {
                    title {
                        (scene.story.node(node)) "\ngrants nothing new: it may have forgotten locks\n"
                        (scale.moment(from)) " to " (scale.moment(to)) ", as expected of a client that sees it at once"
                    }
                }
            }
            @for fault in &placed.drawn { (draw(scene, fault)) }
        },
    }
}

/// The end of an address, which tells the nodes apart where there is little room.
fn tail(address: &str) -> String {
    let all = address.chars().count();
    let rest: String = address.chars().skip(all.saturating_sub(10)).collect();
    if all > 10 { format!("…{rest}") } else { rest }
}

/// When a node is expected to grant nothing new, those that overlap as one.
fn quarantines(scene: &Scene<'_, '_>, node: usize) -> Vec<(u64, u64)> {
    let run = scene.story.run;
    if !run.restarts_forget || run.without.iter().any(|name| name == "quarantine") {
        return Vec::new();
    }
    let lasts = run.max_ttl_millis.saturating_mul(1_000_000);
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for fault in &scene.story.faults {
        if fault.target == Target::Node(node) && fault.is_followed_by_quarantine() {
            let (from, to) = (fault.end(), fault.end().saturating_add(lasts).min(scene.story.scale.to));
            match spans.last_mut().filter(|last| from <= last.1) {
                Some(last) => last.1 = last.1.max(to),
                None => spans.push((from, to)),
            }
        }
    }
    spans
}

/// A bar for a fault that lasted, a mark for one of a moment.
pub(super) fn draw(scene: &Scene<'_, '_>, drawn: &Drawn<'_, '_>) -> Markup {
    let (fault, scale) = (drawn.fault, scene.story.scale);
    let x = scale.percent(fault.at);
    let label = fault.label();
    let fits = fault.end() - fault.at >= scale.room(&label);
    html! {
        g.fault.(fault.look()) id={ "fault-" (fault.id) } {
            title { (describe(scene, fault)) }
            @if fault.end() > fault.at {
                rect x=(x) y=(drawn.y) width=(scale.percent_wide(fault.at, fault.end())) height=(drawn.height) {}
            } @else {
                use href="#mark-moment" x=(x) y=(drawn.y) {}
            }
            @if drawn.is_labelled {
                text.beside[!fits] x=(if fits { x } else { scale.percent(fault.end()) }) dx=(if fits { 3 } else { 6 })
                    y=(drawn.y + 9) { (label) }
            }
        }
    }
}

/// Everything about a fault, a line each.
fn describe(scene: &Scene<'_, '_>, fault: &Fault<'_>) -> String {
    let scale = scene.story.scale;
    let mut text = format!("fault {}: {} of {}", fault.id, fault.kind, scene.story.target(fault.target));
    if !fault.detail.is_empty() {
        text += &format!("\n{}", fault.detail);
    }
    text += &match fault.healed {
        Some(_) => format!(
            "\n{} to {} ({})",
            scale.moment(fault.at),
            scale.moment(fault.end()),
            between(fault.at, fault.end())
        ),
        None => format!("\nat {}", scale.moment(fault.at)),
    };
    if let Some(why) = fault.failed {
        text += &format!("\nfailed: {why}");
    }
    text
}
