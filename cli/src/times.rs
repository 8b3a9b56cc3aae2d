//! Instants and lengths of time, for people. Never an age: that would need a clock, and the only one that counts is the database's.

use chrono::{DateTime, TimeDelta, Utc};

/// An instant, to the second.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A length as short as it may be read: `12 ms`, `1.25 s`, `3m05s`, `2h07m`, `3d04h`.
pub(crate) fn length(delta: TimeDelta) -> String {
    let milliseconds = delta.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{}.{:02} s", seconds, milliseconds % 1000 / 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// The distance from a beginning, as it stands in a column: always with milliseconds below a minute.
pub(crate) fn offset(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let delta = to - from;
    match delta.num_seconds() {
        ..60 => format!("+{}.{:03}s", delta.num_seconds(), delta.num_milliseconds().rem_euclid(1000)),
        _ => format!("+{}", length(delta)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        let shown: Vec<String> = [0, 12, 1_250, 59_999, 185_000, 7_620_000, 273_600_000]
            .into_iter()
            .map(TimeDelta::milliseconds)
            .map(length)
            .collect();
        assert_eq!(shown, ["0 ms", "12 ms", "1.25 s", "59.99 s", "3m05s", "2h07m", "3d04h"]);
    }
}
