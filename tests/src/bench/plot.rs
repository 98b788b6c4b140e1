//! A picture of figures, as data; drawn when the document is written.

/// Lines over a common axis.
#[derive(Debug, Clone)]
pub struct Plot {
    /// The file's name without its ending; unique.
    pub file: &'static str,
    /// What it shows.
    pub title: String,
    /// The horizontal axis, with its unit.
    pub across: Axis,
    /// The vertical axis, with its unit.
    pub up: Axis,
    /// A name and points each, in the order of the legend.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// What an axis shows.
#[derive(Debug, Clone)]
pub struct Axis {
    /// With its unit.
    pub label: &'static str,
    /// How values become places.
    pub scale: Scale,
}

/// How values become places on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps take equal room.
    Linear,
    /// Equal factors take equal room; what is not above zero is not drawn.
    Logarithmic,
    /// Shares from 0 to 1, of which the last ones matter: 0.9, 0.99 and 0.999 have equal distances.
    Percentile,
}

impl Axis {
    /// An axis with equal steps.
    pub fn linear(label: &'static str) -> Self {
        Self { label, scale: Scale::Linear }
    }

    /// An axis with equal factors.
    pub fn logarithmic(label: &'static str) -> Self {
        Self { label, scale: Scale::Logarithmic }
    }

    /// An axis of percentiles, for how values are distributed.
    pub fn percentile(label: &'static str) -> Self {
        Self { label, scale: Scale::Percentile }
    }
}

impl Scale {
    /// Where a value lies; NaN if nowhere.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic if value > 0.0 => value.log10(),
            Self::Percentile if value < 1.0 => -(1.0 - value).log10(),
            Self::Logarithmic | Self::Percentile => f64::NAN,
        }
    }
}
