//! Lengths of time as people write them, read while compiling: `7d`, `12h`, `30m`, `10s`, `500ms`, and sums such as `1h30m`.

use syn::{Error, LitStr};

/// The units, longest first: a sum names each at most once, in this order.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The length in milliseconds.
pub(crate) fn parse(text: &LitStr) -> Result<u64, Error> {
    let value = text.value();
    sum(&value).ok_or_else(|| {
        Error::new(text.span(), format!("`{value}` is not a duration; write for example 7d, 12h, 30m, 10s, 500ms or 1h30m"))
    })
}

fn sum(mut text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !text.is_empty() || total == 0 && units.len() == UNITS.len() {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = text.get(..digits)?.parse().ok()?;
        let rest = text.get(digits..)?;
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(letters);
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(count.checked_mul(*length)?)?;
        text = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn units_and_sums_are_read() {
        assert_eq!(sum("500ms"), Some(500));
        assert_eq!(sum("1h30m"), Some(5_400_000));
        assert_eq!(sum("7d"), Some(604_800_000));
        assert_eq!(sum("0s"), Some(0));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "s", "5 s", "-5s", "5x", "1m1h", "1s1s", "1.5s", "99999999999999w"] {
            assert_eq!(sum(text), None, "{text}");
        }
    }
}
