//! Where an axis has its labels, and what they say.

use super::plot::Scale;

/// More labels than this on an axis are too many.
const MOST: f64 = 8.0;

/// Where an axis begins and ends, in places of its scale, and its labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ticks {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) at: Vec<(f64, String)>,
}

impl Ticks {
    /// For values on this scale. Few values that lie far enough apart are labels themselves.
    pub(super) fn of(scale: Scale, values: &[f64], own: bool) -> Self {
        let mut places: Vec<(f64, f64)> = values.iter().map(|&value| (scale.place(value), value)).collect();
        places.retain(|(place, _)| place.is_finite());
        places.sort_by(|one, other| one.0.total_cmp(&other.0));
        places.dedup_by(|one, other| one.0 == other.0);
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Self { from: 0.0, to: 1.0, at: Vec::new() };
        };
        let (low, high) = (first.0, last.0);
        let apart = places.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(f64::INFINITY, f64::min);
        if own && (2.0..=MOST + 2.0).contains(&(places.len() as f64)) && apart >= (high - low) * 0.07 {
            let margin = (high - low) * 0.03;
            let at = places.iter().map(|&(place, value)| (place, number(value))).collect();
            return Self { from: low - margin, to: high + margin, at };
        }
        match scale {
            Scale::Linear => Self::linear(high),
            Scale::Logarithmic => Self::logarithmic(low, high),
            Scale::Percentile => Self::percentile(high),
        }
    }

    /// From zero: what does not begin there looks larger than it is.
    fn linear(high: f64) -> Self {
        let rough = (high.max(f64::MIN_POSITIVE)) / (MOST - 2.0);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough);
        let step = step.unwrap_or(power);
        let count = (high / step).ceil().max(1.0);
        let at = (0..=count as u32).map(|n| f64::from(n) * step).map(|value| (value, number(value)));
        Self { from: 0.0, to: count * step, at: at.collect() }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let decades = high - low;
        let factors: &[f64] = match decades {
            ..=0.7 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            ..=1.5 => &[1.0, 2.0, 3.0, 5.0],
            ..=2.6 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = (decades / MOST).ceil().max(1.0) as usize;
        let powers = (low.floor() as i32..=high.floor() as i32 + 1).step_by(every);
        let all: Vec<f64> =
            powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power))).collect();
        // The labels around all values, so that the ends of the axis have one.
        let slack = 1e-9;
        let from = all.iter().rposition(|value| value.log10() <= low + slack).unwrap_or(0);
        let to = all.iter().position(|value| value.log10() >= high - slack).unwrap_or(all.len() - 1);
        let to = if to == from { (to + 1).min(all.len() - 1) } else { to };
        let at: Vec<_> = all[from..=to].iter().map(|&value| (value.log10(), number(value))).collect();
        Self { from: all[from].log10(), to: all[to].log10(), at }
    }

    fn percentile(high: f64) -> Self {
        let names = [(0.0, "min"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];
        let further = [(0.9999, "p99.99"), (0.99999, "p99.999")];
        let place = |(share, name): (f64, &str)| (Scale::Percentile.place(share), name.to_owned());
        let at = names.into_iter().chain(further).map(place).filter(|(place, _)| *place <= high + 1e-9);
        Self { from: 0.0, to: high, at: at.collect() }
    }
}

/// With marks between thousands, and no more digits than it needs.
pub(super) fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.at.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn labels_lie_around_all_values_and_are_few() {
        let linear = Ticks::of(Scale::Linear, &[3.0, 41_000.0], false);
        assert_eq!(labels(&linear), ["0", "10,000", "20,000", "30,000", "40,000", "50,000"]);
        let logarithmic = Ticks::of(Scale::Logarithmic, &[70.0, 1_709.0], false);
        assert_eq!(labels(&logarithmic), ["50", "100", "200", "300", "500", "1,000", "2,000"].map(|l| l));
        let wide = Ticks::of(Scale::Logarithmic, &[0.02, 90_000.0], false);
        assert_eq!(labels(&wide), ["0.01", "0.1", "1", "10", "100", "1,000", "10,000", "100,000"]);
    }

    #[test]
    fn few_values_are_their_own_labels() {
        let tasks = Ticks::of(Scale::Logarithmic, &[1.0, 4.0, 16.0, 64.0, 256.0, 4.0], true);
        assert_eq!(labels(&tasks), ["1", "4", "16", "64", "256"]);
        let crowded = Ticks::of(Scale::Linear, &[1.0, 2.0, 3.0, 256.0], true);
        assert_eq!(crowded.from, 0.0);
    }

    #[test]
    fn percentiles_end_where_the_values_do() {
        assert_eq!(
            labels(&Ticks::of(Scale::Percentile, &[0.0, 0.5, 0.995], false)),
            ["min", "p50", "p90", "p99"]
        );
    }

    #[test]
    fn nothing_to_draw_is_no_reason_to_fail() {
        assert!(Ticks::of(Scale::Logarithmic, &[0.0, -1.0, f64::NAN], true).at.is_empty());
        for scale in [Scale::Linear, Scale::Logarithmic, Scale::Percentile] {
            let ticks = Ticks::of(scale, &[0.5], false);
            assert!(ticks.to > ticks.from, "{scale:?} {ticks:?}");
        }
        assert!(Ticks::of(Scale::Linear, &[0.0], false).to > 0.0);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (1_234_567.0, "1,234,567"), (0.25, "0.25"), (100.0, "100"), (1e-5, "1e-5")]
        {
            assert_eq!(number(value), text);
        }
    }
}
