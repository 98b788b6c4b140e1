//! Paired comparison of two contenders that were measured in the same blocks.

use std::fmt;

/// How one contender compares with another: a geometric mean of per-block ratios with its interval.
///
/// Both ran in every block, one soon after the other, so that what disturbs the machine disturbs both. The
/// interval is Student's t on the logarithms of the per-block ratios: ratios of times are skewed, their
/// logarithms much less so. It says how well this run knows the ratio, not how another machine behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Geometric mean.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// Below this many blocks an interval is not worth printing.
pub const FEWEST_BLOCKS: usize = 5;

impl Ratio {
    /// `ours[i] / theirs[i]` over all blocks `i`.
    ///
    /// `None` with fewer than [`FEWEST_BLOCKS`] blocks, unequal numbers of them, or a value that is not above
    /// zero and finite.
    pub fn paired(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let usable = |value: &f64| value.is_finite() && *value > 0.0;
        let enough = ours.len() == theirs.len() && ours.len() >= FEWEST_BLOCKS;
        if !enough || !ours.iter().chain(theirs).all(usable) {
            return None;
        }
        let logs: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| (a / b).ln()).collect();
        let n = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let margin = t_quantile(n - 1.0) * (variance / n).sqrt();
        Some(Self { mean: mean.exp(), low: (mean - margin).exp(), high: (mean + margin).exp() })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} [{:.2}, {:.2}]", self.mean, self.low, self.high)
    }
}

/// The median; NaN for an empty slice.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

/// The value below which this share of them lies: the least for 0, the greatest for 1; NaN for an empty slice.
pub fn share(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The distribution, for a plot.
pub fn shares(values: &[f64]) -> Vec<(f64, f64)> {
    (0..=100).map(|percent| f64::from(percent) / 100.0).map(|part| (part, share(values, part))).collect()
}

/// The 97.5 % quantile of Student's t, by its expansion around the normal quantile (Abramowitz and Stegun
/// 26.7.5); wrong by less than 0.3 % from four degrees of freedom on.
fn t_quantile(freedom: f64) -> f64 {
    const Z: f64 = 1.959_963_985;
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
    Z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn t_quantiles_match_the_published_table() {
        for (freedom, published) in [(4.0, 2.776), (9.0, 2.262), (14.0, 2.145), (29.0, 2.045), (120.0, 1.980)]
        {
            let relative = (t_quantile(freedom) / published - 1.0_f64).abs();
            assert!(relative < 0.003, "{freedom} degrees of freedom: off by {relative}");
        }
    }

    #[test]
    fn a_constant_ratio_has_an_interval_without_width() {
        let theirs = [1.0, 5.0, 2.0, 8.0, 3.0];
        let ratio = Ratio::paired(&theirs.map(|value| value * 1.5), &theirs).unwrap();
        for value in [ratio.mean, ratio.low, ratio.high] {
            assert!((value - 1.5).abs() < 1e-9, "{ratio:?}");
        }
    }

    #[test]
    fn the_interval_matches_a_hand_computed_one() {
        // Logarithms -2, -1, 0, 1, 2: mean 0, variance 2.5, margin 2.776 * sqrt(2.5 / 5) = 1.963.
        let ours: Vec<f64> = (-2..=2).map(|log| f64::from(log).exp()).collect();
        let ratio = Ratio::paired(&ours, &[1.0; 5]).unwrap();
        assert!((ratio.mean - 1.0).abs() < 1e-9, "{ratio:?}");
        assert!((ratio.high.ln() - 1.963).abs() < 0.01, "{ratio:?}");
        assert!((ratio.low.ln() + 1.963).abs() < 0.01, "{ratio:?}");
    }

    #[test]
    fn swapping_the_sides_inverts_the_ratio() {
        let (ours, theirs) = ([1.0, 2.0, 4.0, 3.0, 7.0], [2.0, 3.0, 3.0, 5.0, 6.0]);
        let (there, back) = (Ratio::paired(&ours, &theirs).unwrap(), Ratio::paired(&theirs, &ours).unwrap());
        assert!((there.mean * back.mean - 1.0).abs() < 1e-9);
        assert!((there.low * back.high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_covers_the_true_ratio_as_often_as_it_says() {
        let mut random = StdRng::seed_from_u64(1);
        let mut noise = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let runs = 4_000;
        let covered = (0..runs)
            .filter(|_| {
                let theirs: Vec<f64> = (0..15).map(|_| (0.3 * noise()).exp()).collect();
                let ours: Vec<f64> = theirs.iter().map(|value| 1.2 * value * (0.1 * noise()).exp()).collect();
                let ratio = Ratio::paired(&ours, &theirs).unwrap();
                ratio.low <= 1.2 && 1.2 <= ratio.high
            })
            .count();
        let share = covered as f64 / f64::from(runs);
        assert!((0.94..0.96).contains(&share), "{share}");
    }

    #[test]
    fn too_few_unequal_or_impossible_blocks_give_no_ratio() {
        assert_eq!(Ratio::paired(&[1.0; 4], &[1.0; 4]), None);
        assert_eq!(Ratio::paired(&[1.0; 6], &[1.0; 5]), None);
        assert_eq!(Ratio::paired(&[1.0, 1.0, 1.0, 1.0, 0.0], &[1.0; 5]), None);
        assert_eq!(Ratio::paired(&[1.0, 1.0, 1.0, 1.0, f64::NAN], &[1.0; 5]), None);
    }

    #[test]
    fn the_median_lies_between_the_two_middle_values() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
