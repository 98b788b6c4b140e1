//! Durations on the command line: numbers with units, as in the configuration file; a bare number is seconds.

use std::time::Duration;

const EXPECTED: &str = "expected a duration such as 30s, 1m30s or 500ms, or a number of seconds";

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text.chars().all(|c| c.is_ascii_digit() || c == '.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Duration::try_from_secs_f64(seconds).map_err(|_| EXPECTED.to_owned());
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or(EXPECTED)?;
        let (number, behind) = rest.split_at(unit_at);
        let unit_end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit_end);
        let digits = number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number: f64 = number.parse().ok().filter(|_| digits).ok_or(EXPECTED)?;
        let seconds = match unit {
            "ms" => number / 1_000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3_600.0,
            "d" => number * 86_400.0,
            _ => return Err(format!("there is no unit {unit}; units are ms, s, m, h and d")),
        };
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| EXPECTED)?;
        total = total.checked_add(part).ok_or(EXPECTED)?;
        rest = next;
    }
    if text.is_empty() { Err(EXPECTED.to_owned()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_add_up_and_a_bare_one_is_seconds() {
        for (text, millis) in [
            ("30", 30_000),
            ("0", 0),
            ("0.25", 250),
            (".5", 500),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            ("500ms", 500),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "s",
            ".",
            "1.2.3",
            "-1",
            "-1s",
            "1x",
            "1 s",
            "infs",
            "nan",
            "1e3s",
            "30s1",
            "99999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
