//! Durations as the configuration file writes them.

use std::time::Duration;

/// What the file may say, for error messages.
pub(super) const EXPECTED: &str = "a duration such as \"3s\" or \"500ms\" (units ns, us, ms, s, m, h, d)";

/// The units with their length in nanoseconds. A longer name comes before its own beginning.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // micro sign
    ("\u{3bc}s", 1_000), // Greek small letter mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// More decimals than a day has nanoseconds cannot matter, and would overflow.
const MOST_DECIMALS: usize = 14;

/// One or more decimal numbers, each with its unit: `3s`, `1.5h`, `1m30s`. No sign, no space, no bare number.
/// Anything below a nanosecond is cut off, as Go does. `None` for any other text, or beyond 584 years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut nanos: u64 = 0;
    let mut rest = text;
    loop {
        let (number, after) = split_number(rest)?;
        let (unit, after) = split_unit(after)?;
        let part = u64::try_from(number.times(unit)?).ok()?;
        nanos = nanos.checked_add(part)?;
        if after.is_empty() {
            return Some(Duration::from_nanos(nanos));
        }
        rest = after;
    }
}

/// A decimal number: its digits before and behind the point.
struct Number<'a> {
    whole: &'a str,
    decimals: &'a str,
}

fn split_number(text: &str) -> Option<(Number<'_>, &str)> {
    let (whole, rest) = split_digits(text);
    let (decimals, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    let is_number = !(whole.is_empty() && decimals.is_empty());
    is_number.then_some((Number { whole, decimals }, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn split_unit(text: &str) -> Option<(u128, &str)> {
    UNITS.iter().find_map(|&(name, nanos)| Some((nanos, text.strip_prefix(name)?)))
}

impl Number<'_> {
    /// Exact, unlike arithmetic with floating point: 0.1s is 100000000 ns.
    fn times(&self, unit: u128) -> Option<u128> {
        let whole = value(self.whole)?.checked_mul(unit)?;
        let decimals = &self.decimals[..self.decimals.len().min(MOST_DECIMALS)];
        let scale = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
        whole.checked_add(value(decimals)?.checked_mul(unit)? / scale)
    }
}

/// The value of a possibly empty run of digits.
fn value(digits: &str) -> Option<u128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_of_due_is_understood() {
        for (text, nanos) in [
            ("7ns", 7),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("7μs", 7_000),
            ("20ms", 20_000_000),
            ("3s", 3_000_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn decimals_and_several_units_add_up_exactly() {
        for (text, nanos) in [
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("0.1s", 100_000_000),
            ("1m30s", 90_000_000_000),
            ("1d2h3m4s5ms6us7ns", 93_784_005_006_007),
            ("0.9ns", 0),
            ("0.0000000019999999999999999999999999999999999999999999999s", 1),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_never_becomes_zero() {
        for text in [
            "",
            " ",
            "3",
            "0",
            "3 s",
            " 3s",
            "3s ",
            "-3s",
            "+3s",
            "3 parsecs",
            "3S",
            "s",
            ".",
            ".s",
            "1.2.3s",
            "1e3s",
            "3s4",
            "٣s",
            "inf",
            "3sec",
            "3w",
            "1,5s",
            "18446744073709551616ns",
            "1000000000000000000000000000000000000000000000s",
            "300000d",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_duration_is_the_largest_number_of_nanoseconds_that_fits() {
        assert_eq!(parse("18446744073709551615ns"), Some(Duration::from_nanos(u64::MAX)));
        assert_eq!(parse("213503d23h34m33.709551615s"), Some(Duration::from_nanos(u64::MAX)));
        assert_eq!(parse("213503d23h34m33.709551616s"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", near in "[0-9.]{0,40}(ns|us|µs|ms|s|m|h|d|x)?[0-9.]{0,5}[smhd]?") {
            parse(&text);
            parse(&near);
        }

        #[test]
        fn what_is_written_in_mixed_units_is_read_back(nanos: u64, parts in prop::collection::vec(0..UNITS.len(), 0..4)) {
            let (mut text, mut left) = (String::new(), u128::from(nanos));
            for part in parts {
                let (name, unit) = UNITS[part];
                text.push_str(&format!("{}{name}", left / unit));
                left %= unit;
            }
            text.push_str(&format!("{left}ns"));
            prop_assert_eq!(parse(&text), Some(Duration::from_nanos(nanos)));
        }

        #[test]
        fn what_is_written_with_decimals_is_read_back(nanos: u64) {
            let text = format!("{}.{:09}s", nanos / 1_000_000_000, nanos % 1_000_000_000);
            prop_assert_eq!(parse(&text), Some(Duration::from_nanos(nanos)));
        }
    }
}
