//! What a request makes of a marker: one rule for every server that keeps one (design, section 4, "Restart guard").

use std::time::Duration;

use super::marker_text::Text;
use super::{Charter, Incarnation, Mark, MarkRequest};

/// What a new marker says.
pub(crate) struct NewMarker<'a> {
    pub(crate) incarnation: Incarnation,
    pub(crate) charter: &'a Charter,
    /// Birth and end of the quarantine, in the server's microseconds; `Err`: now, and so much later.
    pub(crate) times: Result<(u64, u64), Duration>,
    pub(crate) floor: Option<u64>,
    /// The quarantine must be over.
    pub(crate) must_be_over: bool,
}

/// What `request` makes of the marker `text`; `None`: nothing is to change. `past`: how much of a quarantine counts as over
/// when it begins.
pub(crate) fn changed<'a>(
    request: &'a MarkRequest,
    text: Option<&Text>,
    past: Duration,
) -> Option<NewMarker<'a>> {
    let charter = &request.charter;
    let quarantined = text.filter(|text| text.marker.floor.is_none());
    let same = |text: &Text, floor, must_be_over| NewMarker {
        incarnation: text.marker.incarnation,
        charter,
        times: Ok((text.born, text.marker.until)),
        floor,
        must_be_over,
    };
    match request.mark {
        Mark::Quarantine { incarnation, lasts } => {
            let times = Err(lasts.saturating_sub(past));
            Some(NewMarker { incarnation, charter, times, floor: None, must_be_over: false })
        }
        Mark::Join => quarantined.map(|text| same(text, None, false)),
        Mark::Admit { floor } => quarantined.map(|text| same(text, Some(floor), true)),
        Mark::Init { incarnation, floor } => {
            let incarnation = text.map_or(incarnation, |text| text.marker.incarnation);
            let floor = floor.max(text.and_then(|text| text.marker.floor).unwrap_or(0));
            let times = Err(Duration::ZERO);
            Some(NewMarker { incarnation, charter, times, floor: Some(floor), must_be_over: false })
        }
        Mark::Raise { floor } => {
            let text = text?;
            Some(same(text, text.marker.floor.map(|old| old.max(floor)), false))
        }
    }
}
