//! Queues: what can be set about one, and where a value comes from.
//!
//! ```text
//!   [queues.mail] in currant.toml ──► a worker starts ──► file_settings ─┐
//!                                                                        ├─► what holds
//!   currant queues set · configure_queue ───────────► command_settings ──┘   (a command goes before the file, until it is reset)
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgPool};

use crate::ids::{QueueName, WorkerId};
use crate::limits::LONGEST_MS;
use crate::values::Json;
use crate::{Error, durations, sql};

/// One setting of a queue, as the reference page shows it.
#[derive(Debug)]
pub struct QueueSetting {
    /// Its name, in the file and everywhere else.
    pub name: &'static str,
    /// What holds when nobody says anything.
    pub default: &'static str,
    /// What it is for.
    pub documentation: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rate,
    Count,
    Retention,
}

/// All of them.
pub const SETTINGS: [QueueSetting; 8] = [
    QueueSetting {
        name: "rate_limit",
        default: "none",
        documentation: "How many attempts may begin in a time, in all workers together: `100/sec`, `1000/min`, `5/hour`, `1/day`.",
        kind: Kind::Rate,
    },
    QueueSetting {
        name: "burst",
        default: "one second's worth, at least 1",
        documentation: "How many may begin at once when the queue was quiet before. Only with a rate limit.",
        kind: Kind::Count,
    },
    QueueSetting {
        name: "concurrency",
        default: "none",
        documentation: "How many executions run at once, in all workers together. A workflow that waits counts not.",
        kind: Kind::Count,
    },
    QueueSetting {
        name: "concurrency_per_key",
        default: "none",
        documentation: "How many executions with the same concurrency key run at once.",
        kind: Kind::Count,
    },
    QueueSetting {
        name: "retention_tasks",
        default: "7d",
        documentation: "How long a task is kept when it has ended. `0`: until the next pass, at least a minute; `forever`.",
        kind: Kind::Retention,
    },
    QueueSetting {
        name: "retention_workflows",
        default: "30d",
        documentation: "The same for a workflow, and everything that it started. `retention` sets both.",
        kind: Kind::Retention,
    },
    QueueSetting {
        name: "retention_failed",
        default: "as long as the others",
        documentation: "Instead, for what failed or timed out.",
        kind: Kind::Retention,
    },
    QueueSetting {
        name: "retention_cancelled",
        default: "as long as the others",
        documentation: "Instead, for what was cancelled.",
        kind: Kind::Retention,
    },
];

/// Sets the retention of tasks and of workflows at once.
pub const RETENTION: &str = "retention";

/// Claims in a time, `100/sec`.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit(String);

/// Text that is not a rate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{0}` is not a rate; write for example 100/sec, 1000/min or 5/hour")]
pub struct NotARate(String);

impl FromStr for RateLimit {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<RateLimit, NotARate> {
        let not = || NotARate(text.into());
        let (count, unit) = text.split_once('/').ok_or_else(not)?;
        let count: u32 = count.trim().parse().map_err(|_| not())?;
        let unit = match unit.trim() {
            "s" | "sec" | "second" => "sec",
            "m" | "min" | "minute" => "min",
            "h" | "hour" => "hour",
            "d" | "day" => "day",
            _ => return Err(not()),
        };
        match count {
            1..=999_999_999 => Ok(RateLimit(format!("{count}/{unit}"))),
            _ => Err(not()),
        }
    }
}

impl RateLimit {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Some settings of a queue, by name. What is not named is left alone; what is named without a value does not hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueSettings(BTreeMap<&'static str, Value>);

#[derive(Clone, Debug, PartialEq)]
enum Value {
    None,
    Text(String),
    Number(i64),
}

impl QueueSettings {
    /// Sets one from the text of a file or of a command line: a rate, a number, a duration, or `none`.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        if name == RETENTION {
            self.set("retention_tasks", text)?;
            return self.set("retention_workflows", text);
        }
        let setting = named(name)?;
        let value = match setting.kind {
            _ if text == "none" && setting.default.starts_with(char::is_numeric) => {
                return Err("cannot be none: write `forever`, or `0` for the next pass".into());
            }
            _ if text == "none" => Value::None,
            Kind::Rate => Value::Text(text.parse::<RateLimit>().map_err(|error| error.to_string())?.0),
            Kind::Count => match text.parse::<i32>() {
                Ok(number @ 1..) => Value::Number(number.into()),
                _ => return Err(format!("`{text}` is not a whole number above 0; `none` takes the limit away")),
            },
            Kind::Retention if text == "forever" => Value::Number(LONGEST_MS as i64),
            Kind::Retention => {
                let kept = durations::parse(text).map_err(|error| format!("{error}, or `forever`"))?;
                Value::Number(u64::try_from(kept.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS) as i64)
            }
        };
        self.0.insert(setting.name, value);
        Ok(())
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// A setting by its name; otherwise a sentence with the nearest one.
fn named(name: &str) -> Result<&'static QueueSetting, String> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| match nearest(name) {
        Some(nearest) => format!("there is no setting `{name}` of queues: did you mean `{nearest}`?"),
        None => format!("there is no setting `{name}` of queues; there are {}", names().join(", ")),
    })
}

/// Checks the name of a setting.
pub fn setting_name(name: &str) -> Result<&'static str, String> {
    named(name).map(|setting| setting.name)
}

/// The setting whose name is most like this one.
pub fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |other: &&'static str| strsim::jaro_winkler(other, name);
    names()
        .into_iter()
        .chain([RETENTION])
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|best| likeness(best) > 0.8)
}

fn names() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.name).collect()
}

/// A stored value as people write it.
pub fn shown(name: &str, stored: &str) -> String {
    let is_retention = SETTINGS.iter().any(|setting| setting.name == name && setting.kind == Kind::Retention);
    match stored.parse::<u64>() {
        Ok(LONGEST_MS..) if is_retention => "forever".into(),
        Ok(milliseconds) if is_retention => durations::format(Duration::from_millis(milliseconds)),
        _ => stored.into(),
    }
}

/// What a worker's file says, as it is stored. `none` in a file is as good as nothing said.
pub(crate) fn as_json(settings: &BTreeMap<QueueName, QueueSettings>) -> serde_json::Value {
    let of_queue = |settings: &QueueSettings| {
        let named = settings.0.iter().filter_map(|(name, value)| match value {
            Value::None => None,
            Value::Text(text) => Some(((*name).to_owned(), text.as_str().into())),
            Value::Number(number) => Some(((*name).to_owned(), (*number).into())),
        });
        serde_json::Value::Object(named.collect())
    };
    settings.iter().map(|(name, settings)| (name.to_string(), of_queue(settings))).collect()
}

/// A queue, what is in it, and what is set about it.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether first claims are held back.
    pub paused: bool,
    /// Executions that can be claimed, now or later.
    pub pending: i64,
    /// Executions that are claimed.
    pub running: i64,
    /// Since when the one that waits longest can be claimed.
    pub oldest: Option<DateTime<Utc>>,
    /// For how long, by the database's clock.
    pub oldest_age_ms: Option<i64>,
    /// First claims in a time.
    pub rate_limit: Option<String>,
    /// Claims that it may make at once when it was quiet; of a queue with a rate limit.
    pub bucket_size: Option<f64>,
    /// Executions that run at once.
    pub concurrency: Option<i32>,
    /// Those of them with the same concurrency key.
    pub concurrency_per_key: Option<i32>,
    /// What the workers' files say, by setting; retention in milliseconds.
    pub file_settings: Json,
    /// What was set by command.
    pub command_settings: Json,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Nobody says anything.
    Default,
    /// A worker's currant.toml.
    File,
    /// A command.
    Command,
}

impl Origin {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Command => "command",
        }
    }
}

impl Queue {
    /// The value of a setting, as people write it, and where it comes from.
    pub fn setting(&self, setting: &QueueSetting) -> (String, Origin) {
        let read = |settings: &Json| {
            let settings: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(settings.as_str()).unwrap_or_default();
            settings.get(setting.name).map(|value| match value {
                serde_json::Value::Null => "none".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => shown(setting.name, &other.to_string()),
            })
        };
        if let Some(value) = read(&self.command_settings) {
            return (value, Origin::Command);
        }
        match read(&self.file_settings) {
            Some(value) => (value, Origin::File),
            None => (setting.default.to_owned(), Origin::Default),
        }
    }
}

/// A setting of a worker's file that differs from what held.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct Difference {
    /// The queue.
    pub queue: String,
    /// The setting.
    pub setting: String,
    /// What held.
    pub held: Option<String>,
    /// What the file says; none: nothing any more.
    pub wanted: Option<String>,
    /// What became of it.
    pub answer: Answer,
}

/// What became of a setting in a worker's file.
#[derive(Clone, Copy, Debug, PartialEq, sqlx::Type)]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Answer {
    /// It holds now.
    Applied,
    /// A value that was set by command stands.
    Commanded,
    /// A worker that has run for longer has a file that says something else, and that stands while it lives.
    Conflict,
}

/// Makes what a worker's file says of queues hold, as far as it may; answers what differs.
pub async fn apply_files(pool: &PgPool, worker: WorkerId) -> Result<Vec<Difference>, Error> {
    Ok(sqlx::query_as(sql::QUEUES_APPLY_FILES).bind(worker).fetch_all(pool).await?)
}

/// All queues, by name.
pub(crate) async fn list(pool: &PgPool) -> Result<Vec<Queue>, Error> {
    Ok(sqlx::query_as(sql::QUEUES_LIST).fetch_all(pool).await?)
}

/// Sets by command.
pub(crate) async fn configure(pool: &PgPool, name: &QueueName, settings: &QueueSettings) -> Result<(), Error> {
    let without: Vec<&str> = settings.0.iter().filter(|(_, value)| **value == Value::None).map(|(name, _)| *name).collect();
    let count = |name| settings.number(name).and_then(|number| i32::try_from(number).ok());
    sqlx::query(sql::QUEUES_CONFIGURE)
        .bind(name)
        .bind(settings.text("rate_limit"))
        .bind(count("burst"))
        .bind(count("concurrency"))
        .bind(count("concurrency_per_key"))
        .bind(settings.number("retention_tasks"))
        .bind(settings.number("retention_workflows"))
        .bind(settings.number("retention_failed"))
        .bind(settings.number("retention_cancelled"))
        .bind(without)
        .execute(pool)
        .await?;
    Ok(())
}

/// Takes back what was set by command.
pub(crate) async fn reset(pool: &PgPool, name: &QueueName, settings: Option<&[&str]>) -> Result<(), Error> {
    sqlx::query(sql::QUEUES_RESET).bind(name).bind(settings).execute(pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_every_unit_and_stored_in_one_form() {
        let read = |text: &str| text.parse::<RateLimit>().unwrap().0;
        assert_eq!(read("100/sec"), "100/sec");
        assert_eq!(read("100/s"), "100/sec");
        assert_eq!(read("1000 / min"), "1000/min");
        assert_eq!(read("5/hour"), "5/hour");
        assert_eq!(read("1/d"), "1/day");
        for text in ["", "100", "0/sec", "-1/sec", "1.5/sec", "100/", "/sec", "100/fortnight", "9999999999/sec", "1/sec/sec"] {
            assert!(text.parse::<RateLimit>().is_err(), "{text}");
        }
        assert_eq!(
            "fast".parse::<RateLimit>().unwrap_err().to_string(),
            "`fast` is not a rate; write for example 100/sec, 1000/min or 5/hour"
        );
    }

    #[test]
    fn settings_are_checked_when_they_are_said() {
        let set = |name: &str, text: &str| {
            let mut settings = QueueSettings::default();
            settings.set(name, text).map(|()| settings)
        };
        assert_eq!(set("retention", "7d").unwrap().number("retention_workflows"), Some(604_800_000));
        assert_eq!(set("retention_failed", "0").unwrap().number("retention_failed"), Some(0));
        assert_eq!(shown("retention_failed", &LONGEST_MS.to_string()), "forever");
        assert_eq!(shown("retention_failed", "90000"), "1m30s");
        assert_eq!(shown("burst", "90000"), "90000");
        assert_eq!(
            set("ratelimit", "1/sec").unwrap_err(),
            "there is no setting `ratelimit` of queues: did you mean `rate_limit`?"
        );
        assert_eq!(set("concurrency", "0").unwrap_err(), "`0` is not a whole number above 0; `none` takes the limit away");
        assert_eq!(set("retention_tasks", "none").unwrap_err(), "cannot be none: write `forever`, or `0` for the next pass");
        assert!(set("retention_tasks", "soon").unwrap_err().ends_with("1h30m, or `forever`"));
    }
}
