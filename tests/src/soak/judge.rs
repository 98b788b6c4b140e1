//! Whether something grew: the last quarter against the second, by their medians, or by their low-water marks where bursts of
//! work hide the median. Pure.
//!
//! The first quarter is warm-up. A median forgets spikes, and each quarter sees many rounds of the same faults; what then is
//! still higher at the end than before has grown. Half of a soak lies between the middles of the two quarters, so that a leak of
//! `r` a second shows as `r * length / 2`.

use std::fmt;

use super::Sample;

/// Something that is counted, and by how much it may rise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// What it is, with its unit.
    pub name: &'static str,
    /// What stands for a quarter: the value that this share of its samples do not exceed. 0.5 is the median.
    pub quantile: f64,
    /// The rise that is allowed, as a share of the second quarter's value.
    pub relative: f64,
    /// The rise that is allowed besides, in the metric's unit: small counts wobble.
    pub absolute: u64,
}

/// What one metric did.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What was counted.
    pub metric: Metric,
    /// The least of all samples.
    pub min: u64,
    /// The median of all samples.
    pub median: u64,
    /// The largest of all samples.
    pub max: u64,
    /// The quantile of the second quarter.
    pub before: u64,
    /// The quantile of the last quarter.
    pub after: u64,
    line: String,
}

impl Judgement {
    /// The most that the last quarter's value may be.
    pub fn allowed(&self) -> u64 {
        let rise = (self.before as f64 * self.metric.relative) as u64;
        self.before.saturating_add(rise).saturating_add(self.metric.absolute)
    }

    /// Whether it has not grown. What shrinks is no leak.
    pub fn is_flat(&self) -> bool {
        self.after <= self.allowed()
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, min, median, max, before, after, line } = self;
        let verdict = if self.is_flat() { "flat" } else { "GREW" };
        let allowed = self.allowed();
        write!(
            f,
            "{:<28} {min:>9} {median:>9} {max:>9} {before:>10} {after:>11} {allowed:>9}  {verdict} {line}",
            metric.name
        )
    }
}

/// A metric has too few samples to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{metric}: {found} samples in the second or the last quarter, at least {LEAST} are needed: soak for longer"
)]
pub struct TooFewSamples {
    metric: &'static str,
    found: usize,
}

/// The fewest samples of which a median is taken.
const LEAST: usize = 3;

/// Judges every metric; the values of a sample stand in the order of `metrics`.
///
/// # Errors
/// [`TooFewSamples`] where a quarter holds too few.
pub fn judge(samples: &[Sample], metrics: &[Metric]) -> Result<Vec<Judgement>, TooFewSamples> {
    metrics.iter().enumerate().map(|(index, metric)| judge_one(samples, index, *metric)).collect()
}

fn judge_one(samples: &[Sample], index: usize, metric: Metric) -> Result<Judgement, TooFewSamples> {
    let quarter = samples.len() / 4;
    // What could not be measured at the time is not there.
    let values =
        |samples: &[Sample]| samples.iter().filter_map(|sample| sample.values[index]).collect::<Vec<_>>();
    let (second, last) =
        (values(&samples[quarter..2 * quarter]), values(&samples[samples.len() - quarter..]));
    let found = second.len().min(last.len());
    if found < LEAST {
        return Err(TooFewSamples { metric: metric.name, found });
    }
    let all = values(samples);
    let line = sparkline(&all);
    let (min, max) = (all.iter().min().copied().unwrap_or(0), all.iter().max().copied().unwrap_or(0));
    let (median, before, after) =
        (quantile(all, 0.5), quantile(second, metric.quantile), quantile(last, metric.quantile));
    Ok(Judgement { metric, min, median, max, before, after, line })
}

fn quantile(mut values: Vec<u64>, share: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() as f64 * share) as usize).min(values.len() - 1)]
}

/// The medians of twenty stretches of time as bars, from zero up to the highest.
fn sparkline(values: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let medians: Vec<u64> =
        values.chunks(values.len().div_ceil(20)).map(|stretch| quantile(stretch.to_vec(), 0.5)).collect();
    let highest = medians.iter().max().copied().unwrap_or(0).max(1);
    medians.iter().map(|&value| BARS[(value * 7 / highest) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    const METRIC: Metric = Metric { name: "forged", quantile: 0.5, relative: 0.1, absolute: 4 };

    fn samples(value: impl Fn(u64) -> Option<u64>) -> Vec<Sample> {
        (0..600).map(|at| Sample { at: Duration::from_secs(at), values: vec![value(at)] }).collect()
    }

    fn is_flat(value: impl Fn(u64) -> Option<u64>) -> bool {
        judge(&samples(value), &[METRIC]).unwrap()[0].is_flat()
    }

    #[test]
    fn a_leak_is_found_however_slow_and_however_noisy() {
        for per_ten_seconds in [1, 2, 10, 1_000] {
            assert!(!is_flat(|at| Some(50 + at * per_ten_seconds / 10)), "{per_ten_seconds}");
        }
        let noise = noise(20);
        assert!(!is_flat(|at| Some(50 + at / 10 + noise[at as usize])));
        assert!(!is_flat(|at| Some(50 + if at > 400 { 40 } else { 0 })), "a step is one too");
    }

    #[test]
    fn noise_spikes_and_rounds_of_faults_are_no_leak() {
        assert!(is_flat(|_| Some(50)) && is_flat(|_| Some(0)));
        for amplitude in [1, 20, 100] {
            let noise = noise(amplitude);
            assert!(is_flat(|at| Some(1_000 + noise[at as usize])), "{amplitude}");
        }
        assert!(is_flat(|at| Some(if at.is_multiple_of(97) { 100_000 } else { 50 })), "spikes");
        assert!(is_flat(|at| Some(if at / 4 % 3 == 0 { 10 } else { 90 })), "as a server hangs and goes on");
    }

    #[test]
    fn warming_up_and_shrinking_are_no_leak() {
        assert!(is_flat(|at| Some(at.min(140) * 100)));
        assert!(is_flat(|at| Some(10_000 - at)));
    }

    #[test]
    fn what_could_not_be_measured_is_left_out_and_too_little_is_an_error() {
        assert!(!is_flat(|at| (at % 8 < 4).then_some(50 + at)));
        let error = judge(&samples(|at| (at < 400).then_some(1)), &[METRIC]).unwrap_err();
        assert_eq!(error, TooFewSamples { metric: "forged", found: 0 });
        assert!(judge(&samples(|_| Some(1))[..8], &[METRIC]).is_err());
        assert!(judge(&[], &[METRIC]).is_err());
    }

    #[test]
    fn a_rise_of_just_what_is_allowed_is_flat() {
        let rise = |by: u64| is_flat(move |at| Some(if at < 300 { 100 } else { 100 + by }));
        assert!(rise(14) && !rise(15));
    }

    #[test]
    fn a_low_water_mark_forgets_a_quarter_of_bursts_and_finds_a_leak_below_them() {
        let floor = Metric { quantile: 0.1, ..METRIC };
        let is_flat = |leak: u64| {
            let burst = move |at: u64| {
                Some(50 + leak * at + if at > 450 && !at.is_multiple_of(5) { 3_000 } else { 0 })
            };
            judge(&samples(burst), &[floor]).unwrap()[0].is_flat()
        };
        assert!(is_flat(0) && !is_flat(1));
    }

    fn noise(amplitude: u64) -> Vec<u64> {
        let mut random = StdRng::seed_from_u64(7);
        (0..600).map(|_| random.random_range(0..=amplitude)).collect()
    }
}
