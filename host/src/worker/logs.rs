//! The log lines of one run, until its next write takes them along.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use currant_core::executions::commit::LogLine;
use currant_core::values::Json;

use crate::guest::{Level, LogSink};

/// Lines that are kept of one run. Logs are for reading; what needs more belongs into a store of its own.
const LINES: usize = 1_000;

/// Collects a run's log lines, in order, up to a bound.
pub(crate) struct Logs {
    lines: Mutex<Lines>,
}

struct Lines {
    /// Lines get the database's time: that of the claim, plus what has passed since on this machine.
    claimed_at: DateTime<Utc>,
    since: Instant,
    waiting: Vec<LogLine>,
    written: usize,
    dropped: usize,
}

impl Logs {
    pub(crate) fn new(claimed_at: DateTime<Utc>) -> Logs {
        Logs { lines: Mutex::new(Lines::new(claimed_at)) }
    }

    /// A new run begins, with lines of its own.
    pub(crate) fn begin(&self, claimed_at: DateTime<Utc>) {
        *self.lines.lock().expect("no panic while held") = Lines::new(claimed_at);
    }

    /// Takes what has gathered.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        let mut lines = self.lines.lock().expect("no panic while held");
        let taken = std::mem::take(&mut lines.waiting);
        lines.written += taken.len();
        taken
    }

    /// Whether anything has gathered.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.lock().expect("no panic while held").waiting.is_empty()
    }
}

impl Lines {
    fn new(claimed_at: DateTime<Utc>) -> Lines {
        Lines { claimed_at, since: Instant::now(), waiting: Vec::new(), written: 0, dropped: 0 }
    }

    fn now(&self) -> DateTime<Utc> {
        self.claimed_at + chrono::TimeDelta::from_std(self.since.elapsed()).unwrap_or_default()
    }
}

impl LogSink for Logs {
    fn log(&self, level: Level, message: String, attributes: Vec<(String, String)>) {
        let mut lines = self.lines.lock().expect("no panic while held");
        let at = lines.now();
        let number = lines.written + lines.waiting.len();
        if number > LINES || lines.dropped > 0 {
            lines.dropped += 1;
            return;
        }
        let (level, message, attributes) = match number {
            LINES => {
                lines.dropped += 1;
                ("warn", format!("this run has written {LINES} lines; what follows is dropped"), Vec::new())
            }
            _ => (level, message.replace('\0', "\u{fffd}"), attributes),
        };
        let attributes = (!attributes.is_empty()).then(|| object(attributes)).flatten();
        lines.waiting.push(LogLine { line: number as i32, at, level: level.into(), message, attributes });
    }
}

/// How often a run that goes on for long writes its lines.
pub(crate) const FLUSH: Duration = Duration::from_secs(1);

fn object(attributes: Vec<(String, String)>) -> Option<Json> {
    let object: serde_json::Map<String, serde_json::Value> = attributes
        .into_iter()
        .map(|(name, value)| {
            let value = serde_json::from_str(&value).unwrap_or(serde_json::Value::String(value));
            (name, value)
        })
        .collect();
    Json::parse(serde_json::to_string(&object).ok()?).ok()
}
