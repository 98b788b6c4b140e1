//! A row for each lock: who holds it. Each client has a line of its own in it, so that a change of holders is a change
//! of lines, and two holders at a time stand above one another.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{Row, Scene};
use crate::report::story::Acquisition;

/// More names than this are not drawn: the clients' rows still have them.
const MOST: usize = 24;

/// A row for each lock.
pub(super) fn rows(scene: &Scene<'_, '_>) -> Vec<Row> {
    let count = scene.story.clients.len();
    let line = match count {
        0..=8 => 12,
        9..=16 => 6,
        _ => 3,
    };
    (0..scene.story.names.len().min(MOST)).map(|name| row(scene, name, line)).collect()
}

fn row(scene: &Scene<'_, '_>, name: usize, line: usize) -> Row {
    let clients = scene.story.clients.len();
    let height = clients.max(1) * line + 6;
    Row {
        class: "lock",
        label: html! {
            span.name title=(scene.story.names[name]) { (scene.story.names[name]) }
            @if line >= 12 {
                span.lines { @for client in 0..clients { i { span { "client " } (client) } } }
            }
        },
        height,
        picture: picture(scene, name, line, height),
    }
}

fn picture(scene: &Scene<'_, '_>, name: usize, line: usize, height: usize) -> Markup {
    let (story, scale) = (scene.story, scene.story.scale);
    let holds: Vec<_> = story
        .acquisitions
        .iter()
        .enumerate()
        .filter(|(_, one)| one.name == Some(name) && one.acquired.is_some())
        .collect();
    let class = super::clients::colour(Some(name));
    let y = |one: &Acquisition<'_>| one.client * line + 3;
    let (mut promised, mut merged) = (String::new(), String::new());
    for &(index, one) in &holds {
        if let Some((from, to)) = one.promised() {
            let _ = write!(
                promised,
                "M{} {}h{}v{}h-{}z",
                scale.x(from),
                y(one) + line / 3,
                scale.width(from, to),
                line.div_ceil(3),
                scale.width(from, to)
            );
        }
        if let (Some((from, to)), false) = (one.certain(), scene.is_single(index)) {
            let width = scale.width(from, to);
            let _ = write!(merged, "M{} {}h{width}v{}h-{width}z", scale.x(from), y(one), line - 1);
        }
    }
    let stripes = (0..story.clients.len()).step_by(2);
    html! {
        @for client in stripes {
            rect.stripe x="0" y=(client * line + 3) width="100%" height=(line) {}
        }
        svg.stretch viewBox=(scale.view_box(height)) preserveAspectRatio="none" width="100%" height=(height) {
            g.(class) {
                path.promised d=(promised) {}
                @if !merged.is_empty() { path.certain d=(merged) {} }
                @for &(index, one) in &holds {
                    @if let (Some((from, to)), true) = (one.certain(), scene.is_single(index)) {
                        rect.bad[scene.bad.contains(&index)] data-a=(index)
                            data-t=[(line >= 12).then(|| label(scene, one))]
                            x=(scale.x(from)) y=(y(one)) width=(super::clients::wide(scale, from, to)) height=(line - 1) {}
                    }
                }
            }
        }
        @if line >= 12 {
            @for &(index, one) in &holds {
                @if let (Some((from, to)), true) = (one.certain(), scene.is_single(index)) {
                    @if to - from >= scale.room(&label(scene, one)) {
                        text.(class) x=(scale.percent(from)) dx="3" y=(y(one) + 9) { (label(scene, one)) }
                    }
                }
            }
        }
    }
}

fn label(scene: &Scene<'_, '_>, one: &Acquisition<'_>) -> String {
    one.token.map_or_else(|| format!("c{}", one.client), |token| scene.tokens.short(token))
}
