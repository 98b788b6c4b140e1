//! The end of validity, for every clock value, TTL and factor.

use std::time::Duration;

use proptest::prelude::*;

use crate::id::{Instant, Ttl};
use crate::quorum::{DriftFactor, InvalidDriftFactor};

fn ttl() -> impl Strategy<Value = Ttl> {
    let nanos = |ttl: Duration| ttl.as_nanos() as u64;
    prop_oneof![
        Just(nanos(Ttl::MIN)),
        Just(nanos(Ttl::MAX)),
        nanos(Ttl::MIN)..100_000_000,
        nanos(Ttl::MIN)..=nanos(Ttl::MAX)
    ]
    .prop_map(|nanos| Ttl::new(Duration::from_nanos(nanos)).unwrap())
}

fn factor() -> impl Strategy<Value = DriftFactor> {
    prop_oneof![Just(0.0), Just(-0.0), Just(0.01), Just(DriftFactor::MAX), 0.0..=DriftFactor::MAX]
        .prop_map(|factor| DriftFactor::new(factor).unwrap())
}

fn started() -> impl Strategy<Value = Instant> {
    prop_oneof![Just(0), Just(u64::MAX), u64::MAX - 40_000_000_000..u64::MAX, any::<u64>()]
        .prop_map(Instant::from_nanos)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn validity_never_wraps_around((factor, started, ttl) in (factor(), started(), ttl()), on in any::<bool>()) {
        let end = factor.valid_until(started, ttl, on);
        prop_assert!(started <= end && end <= started.saturating_add(ttl.get()));
        let drift = if on { factor.allowance(ttl) } else { Duration::ZERO };
        if started.as_nanos() < u64::MAX / 2 {
            prop_assert_eq!(end.saturating_since(started), ttl.get().saturating_sub(drift));
        }
    }

    #[test]
    fn the_allowance_is_at_least_2_ms_and_at_least_its_share((factor, ttl) in (factor(), ttl())) {
        let allowance = factor.allowance(ttl);
        prop_assert!(allowance >= Duration::from_millis(2));
        prop_assert!(allowance <= ttl.get() / 2 + Duration::from_millis(2) + Duration::from_nanos(1));
    }

    #[test]
    fn a_longer_ttl_has_no_smaller_allowance(factor in factor(), (a, b) in (ttl(), ttl())) {
        prop_assert!(factor.allowance(a.min(b)) <= factor.allowance(a.max(b)));
    }

    #[test]
    fn a_factor_out_of_range_is_refused(factor in any::<f64>()) {
        let in_range = (0.0..=0.5).contains(&factor);
        prop_assert_eq!(DriftFactor::new(factor).is_ok(), in_range);
    }
}

#[test]
fn the_default_leaves_99_percent_less_2_ms() {
    let ttl = Ttl::new(Duration::from_secs(10)).unwrap();
    assert_eq!(DriftFactor::default().allowance(ttl), Duration::from_millis(102));
    let end = DriftFactor::DEFAULT.valid_until(Instant::from_nanos(5), ttl, true);
    assert_eq!(end, Instant::from_nanos(9_898_000_005));
}

#[test]
fn what_is_not_a_number_is_no_factor() {
    for factor in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::MIN_POSITIVE, 0.500_001] {
        assert!(matches!(DriftFactor::new(factor), Err(InvalidDriftFactor { .. })), "{factor}");
    }
}
