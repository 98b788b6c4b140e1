//! What the shapes and colours mean, and the means of control.

use maud::{Markup, html};

use super::Scene;
use super::clients::{COLOURS, colour};

/// More names than this have no switch of their own.
const MOST: usize = 24;

/// What the shapes and colours mean.
pub(super) fn legend(scene: &Scene<'_, '_>) -> Markup {
    let common = &scene.tokens.common;
    html! {
        ul.legend {
            li { svg width="34" height="14" { g.n0 { rect x="1" y="0" width="32" height="14" {} } } "holds for certain" }
            li { svg width="34" height="14" { g.n0 { path.promised d="M1 4h32v6h-32z" {} } } "holds as far as promised" }
            li { svg width="34" height="14" { g.n0 { path.waits d="M1 7h32" {} } } "waits" }
            li { svg width="34" height="14" { g.n0 { path.vain d="M1 7h32" {} } } "waits in vain" }
            li { svg.mark width="14" height="14" { use.lost href="#mark-lost" x="7" y="0" {} } "told of the loss" }
            li { svg width="34" height="14" { rect.starved x="1" y="9" width="32" height="4" {} } "does not get the CPU" }
            li { (swatch("down")) "down" }
            li { (swatch("paused")) "stopped" }
            li { (swatch("cut")) "way cut" }
            li { (swatch("late")) "way slow" }
            li { (swatch("other")) "other fault" }
            li { svg.mark width="14" height="14" { g.fault.other { use href="#mark-moment" x="7" y="1" {} } } "fault of a moment" }
            @if scene.story.faults.iter().any(|fault| fault.failed.is_some()) { li { (swatch("undone")) "fault not done" } }
            li { svg width="34" height="14" { rect.quarantine x="1" y="0" width="32" height="14" {} } "node grants nothing new (expected)" }
            li { svg width="34" height="14" { rect.calm x="1" y="0" width="32" height="14" {} } "calm: no faults any more" }
            li { svg width="34" height="14" { rect.violation x="1" y="0" width="32" height="14" {} } "violation" }
            @if !common.is_empty() { li { "… stands for " (common) " in fencing tokens" } }
        }
    }
}

fn swatch(look: &str) -> Markup {
    html! { svg width="34" height="14" { g.fault.(look) { rect x="1" y="1" width="32" height="12" {} } } }
}

/// The means of control; the colours of the names are among them. Without the script only the colours are left.
pub(super) fn controls(scene: &Scene<'_, '_>) -> Markup {
    html! {
        div.controls {
            span.needs-script {
                button type="button" data-zoom="2" title="zoom in (+)" { "+" }
                button type="button" data-zoom="0.5" title="zoom out (−)" { "−" }
                button type="button" data-zoom="0" title="the whole run (0)" { "whole run" }
            }
            @for (class, text) in [("lock", "locks"), ("client", "clients"), ("node", "nodes"), ("fault", "faults")] {
                label.needs-script { input type="checkbox" checked data-hides=(class); (text) }
            }
            @for (place, name) in scene.story.names.iter().enumerate().take(MOST) {
                label.name-switch {
                    input.needs-script type="checkbox" checked data-hides={ "name" (place) };
                    svg width="14" height="14" { g.(colour(Some(place))) { rect x="1" y="1" width="12" height="12" {} } }
                    (name)
                }
            }
            @if scene.story.names.len() > COLOURS { span.hint { "Colours repeat after " (COLOURS) " names." } }
            span.hint.needs-script { "Zoom: Ctrl and wheel, or + − 0. Move: drag, or scroll." }
        }
    }
}
