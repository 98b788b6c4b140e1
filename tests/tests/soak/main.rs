//! The soak: briefly by default, to show that its machinery works; for as many seconds as `REDLOCK_SOAK` says, to judge whether
//! anything grows:
//!
//! ```text
//! REDLOCK_SOAK=600 cargo test -p redlock-tests --test soak -- --nocapture
//! ```

use std::time::Duration;

use redlock_tests::soak::{self, METRICS, judge};

const BRIEFLY: Duration = Duration::from_secs(15);
/// A shorter soak holds too few rounds of faults to be judged by its figures.
const JUDGED_FROM: Duration = Duration::from_secs(120);

#[test]
fn a_soak_ends_with_nothing_left_and_a_forged_leak_in_it_is_noticed() {
    let length = std::env::var("REDLOCK_SOAK").map_or(BRIEFLY, |seconds| {
        Duration::from_secs(seconds.parse().expect("REDLOCK_SOAK is a number of seconds"))
    });
    let report = soak::run(length, &mut |line| println!("{line}")).unwrap();
    println!("{report}");
    assert!(report.left.is_nothing(), "{report}");
    assert!(report.holds > 100 && report.misses > 10, "there was a load: {report}");
    assert!(report.hangs > 0, "a server hung: {report}");
    if length >= JUDGED_FROM {
        assert!(report.is_flat(), "{report}");
    }
    for (index, metric) in METRICS.iter().enumerate() {
        assert!(!is_flat_with_a_leak_of(index, &report.samples), "{}", metric.name);
    }
}

/// The judgement of a metric in samples of a soak to which a leak was added: as much again as there is, from the middle on.
fn is_flat_with_a_leak_of(index: usize, samples: &[soak::Sample]) -> bool {
    let mut samples = samples.to_vec();
    let largest = samples.iter().filter_map(|sample| sample.values[index]).max().unwrap();
    let middle = samples.len() / 2;
    for value in samples[middle..].iter_mut().filter_map(|sample| sample.values[index].as_mut()) {
        *value += 2 * largest + 4 * METRICS[index].absolute;
    }
    judge(&samples, METRICS).unwrap()[index].is_flat()
}
