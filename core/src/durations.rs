//! Lengths of time as people write them: `7d`, `12h`, `30m`, `10s`, `500ms`, and sums such as `1h30m`.

use std::time::Duration;

/// The units, longest first: a sum names each at most once, in this order.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not a duration.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("`{0}` is not a duration; write for example 7d, 12h, 30m, 10s, 500ms or 1h30m")]
pub struct NotADuration(String);

/// Reads a duration. `0` needs no unit, everything else does.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    sum(text.trim()).map(Duration::from_millis).ok_or_else(|| NotADuration(text.to_owned()))
}

/// Writes a duration as `parse` reads it, exact to the millisecond.
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        if rest >= milliseconds {
            text.push_str(&format!("{}{unit}", rest / milliseconds));
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn sum(mut text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    let mut parts = 0;
    while !text.is_empty() {
        let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (name, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()));
        let (_, milliseconds) = units.find(|(unit, _)| *unit == name)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*milliseconds)?)?;
        text = rest;
        parts += 1;
    }
    (parts > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let read = |text| parse(text).unwrap().as_millis();
        assert_eq!(read("500ms"), 500);
        assert_eq!(read("10s"), 10_000);
        assert_eq!(read("30m"), 1_800_000);
        assert_eq!(read("12h"), 43_200_000);
        assert_eq!(read("7d"), 604_800_000);
        assert_eq!(read("2w"), 1_209_600_000);
        assert_eq!(read("0"), 0);
        assert_eq!(read(" 1h30m "), 5_400_000);
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_examples() {
        for text in
            ["", "7", "d", "7 d", "-1s", "1.5h", "30m1h", "1s1s", "5parsecs", "99999999999999999999s", "999999999999w", "1mé"]
        {
            assert!(parse(text).is_err(), "{text} was read");
        }
        assert_eq!(
            parse("soon").unwrap_err().to_string(),
            "`soon` is not a duration; write for example 7d, 12h, 30m, 10s, 500ms or 1h30m"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for milliseconds in [0, 1, 999, 1_000, 61_000, 5_400_000, 90_061_001] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
        assert_eq!(format(Duration::from_secs(5_400)), "1h30m");
        assert_eq!(format(Duration::ZERO), "0s");
    }
}
