//! Schedules: executions that start by the calendar.
//!
//! ```text
//!   a worker looks ──► schedules whose next time has come, locked ──► each time between it and now, once ──► the next time
//! ```
//!
//! What an expression means is decided here, by one instant per pass that is the database's; that a time fires once is the primary key of
//! `schedule_fires`, in the transaction that starts the execution.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Connection, FromRow, PgConnection, PgPool, Row};

use crate::ids::{ExecutionId, FunctionName, QueueName};
use crate::limits::LONGEST_MS;
use crate::values::Json;
use crate::{Error, sql};

/// Schedules that are looked at in one pass.
const SCHEDULES: i64 = 100;

/// Times of one schedule that fire in one pass; what is left fires in the next.
const TIMES: usize = 100;

/// Times that are looked through at most: two months of every minute.
const LOOKED_THROUGH: usize = 100_000;

/// What happens when it is time, and what was started before still goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Overlap {
    /// This time is left out.
    #[default]
    Skip,
    /// It starts when that has ended.
    Queue,
    /// It starts beside it.
    Allow,
}

impl FromStr for Overlap {
    type Err = String;

    fn from_str(text: &str) -> Result<Overlap, String> {
        match text {
            "skip" => Ok(Overlap::Skip),
            "queue" => Ok(Overlap::Queue),
            "allow" => Ok(Overlap::Allow),
            _ => Err(format!("`{text}` is not an overlap policy; there are skip, queue, allow")),
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Overlap::Skip => "skip",
            Overlap::Queue => "queue",
            Overlap::Allow => "allow",
        })
    }
}

/// When: a cron expression of five fields, in a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    cron: Cron,
    timezone: Tz,
}

impl Calendar {
    /// Reads both; otherwise a sentence that says what is wrong.
    pub fn parse(cron: &str, timezone: &str) -> Result<Calendar, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let read = parser.parse(cron).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.trim_start_matches("Component error: ").trim_end_matches('.').to_lowercase();
            format!("`{cron}` is not a cron expression: {reason}; write minute hour day month weekday, for example `0 9 * * mon-fri`")
        })?;
        let timezone =
            timezone.parse().map_err(|_| format!("`{timezone}` is not a time zone; write for example UTC or Europe/Berlin"))?;
        Ok(Calendar { cron: read, timezone })
    }

    /// The next time after this one. None when there is none, such as the 30th of February.
    ///
    /// A fixed time that a change of the clocks leaps over fires right behind it; one that comes twice fires the first time.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&after.with_timezone(&self.timezone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// The times after `from` and up to `to`.
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(from), |last| self.next_after(*last)).take_while(move |at| *at <= to)
    }
}

/// A schedule to make.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// Its name.
    pub name: String,
    /// When.
    pub cron: String,
    /// A name of the IANA database.
    pub timezone: String,
    /// What starts.
    pub function: FunctionName,
    /// With what.
    pub input: Json,
    /// The queue; none means the function's own.
    pub queue: Option<QueueName>,
    /// Higher goes first.
    pub priority: Option<i16>,
    /// Beside `schedule:NAME`.
    pub tags: Vec<String>,
    /// What happens when the last one still goes on.
    pub overlap: Overlap,
    /// Times that passed longer ago are missed.
    pub catch_up: Duration,
    /// Over how long a time starts are spread.
    pub jitter: Duration,
}

/// A schedule, as it is stored.
#[derive(Clone, Debug, Serialize, FromRow)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When.
    pub cron: String,
    /// A name of the IANA database.
    pub timezone: String,
    /// What starts.
    pub function: String,
    /// With what.
    pub input: Json,
    /// The queue; none means the function's own.
    pub queue: Option<String>,
    /// Higher goes first.
    pub priority: Option<i16>,
    /// Beside `schedule:NAME`.
    pub tags: Vec<String>,
    /// What happens when the last one still goes on.
    pub overlap: Overlap,
    /// Times that passed longer ago are missed.
    pub catch_up_ms: i64,
    /// Over how long a time starts are spread.
    pub jitter_ms: i64,
    /// Whether nothing fires.
    pub paused: bool,
    /// The next time.
    pub next_at: Option<DateTime<Utc>>,
    /// The last time.
    pub last_at: Option<DateTime<Utc>>,
    /// What became of it: `started`, `skipped` or `waiting`.
    pub last_status: Option<String>,
    /// The execution that it started.
    pub last_execution: Option<ExecutionId>,
}

/// A time that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Fire {
    /// Of this schedule.
    pub schedule: String,
    /// The time by the calendar.
    pub at: DateTime<Utc>,
    /// `started`, `skipped`, `waiting`, or `fired before`.
    pub fate: String,
}

/// What a pass came to.
#[derive(Debug, Default)]
pub struct Tick {
    /// Times that came.
    pub fires: Vec<Fire>,
    /// Times that passed longer ago than their schedule catches up, by schedule.
    pub missed: Vec<(String, usize)>,
    /// Schedules that cannot be read or started, and why; they are paused.
    pub broken: Vec<(String, String)>,
}

/// Fires what is due, and what has waited for an end that came. Any number of workers may do it at once.
pub async fn tick(pool: &PgPool) -> Result<Tick, Error> {
    let mut tick = Tick::default();
    let mut transaction = pool.begin().await?;
    let due = sqlx::query(sql::SCHEDULES_DUE).bind(SCHEDULES).fetch_all(&mut *transaction).await?;
    for row in &due {
        let name: String = row.try_get("name")?;
        // One that cannot be started holds back no other.
        let mut savepoint = transaction.begin().await?;
        match fire_due(&mut savepoint, &name, row).await {
            Ok((fires, missed)) => {
                savepoint.commit().await?;
                tick.fires.extend(fires);
                if missed > 0 {
                    tick.missed.push((name, missed));
                }
            }
            Err(Error::Invalid { message, .. } | Error::Unreadable(message)) => {
                savepoint.rollback().await?;
                let next: DateTime<Utc> = row.try_get("next_at")?;
                sqlx::query(sql::SCHEDULES_PAUSE).bind(&name).bind(true).bind(next).execute(&mut *transaction).await?;
                tick.broken.push((name, message));
            }
            Err(error) => return Err(error),
        }
    }
    transaction.commit().await?;
    sqlx::query(sql::SCHEDULES_FIRE_WAITING).bind(SCHEDULES as i32).execute(pool).await?;
    Ok(tick)
}

/// Fires the times of one schedule that have come; answers what became of each, and how many were missed.
async fn fire_due(connection: &mut PgConnection, name: &str, row: &PgRow) -> Result<(Vec<Fire>, usize), Error> {
    let calendar = Calendar::parse(row.try_get("cron")?, row.try_get("timezone")?).map_err(Error::Unreadable)?;
    let (first, now): (DateTime<Utc>, DateTime<Utc>) = (row.try_get("next_at")?, row.try_get("now")?);
    let earliest = now - chrono::TimeDelta::milliseconds(row.try_get::<i64, _>("catch_up_ms")?.min(LONGEST_MS as i64 / 2));
    let (mut fires, mut missed, mut next) = (Vec::new(), 0, None);
    // What the next time was is a time too.
    for at in std::iter::once(first).chain(calendar.between(first, now)).take(LOOKED_THROUGH) {
        if at < earliest {
            missed += 1;
        } else if fires.len() == TIMES {
            next = Some(at);
            break;
        } else {
            let fire = sqlx::query_scalar(sql::SCHEDULES_FIRE).bind(name).bind(at).bind(None::<Overlap>);
            fires.push(Fire { schedule: name.into(), at, fate: fire.fetch_one(&mut *connection).await? });
        }
    }
    let next = next.or_else(|| calendar.next_after(now));
    sqlx::query(sql::SCHEDULES_MOVE_ON).bind(name).bind(next).execute(connection).await?;
    Ok((fires, missed))
}

/// Makes a schedule; its first time is the next one from now on.
pub async fn create(pool: &PgPool, new: &NewSchedule, replace: bool) -> Result<Option<DateTime<Utc>>, Error> {
    let invalid = |message| Error::Invalid { message, hint: None };
    let calendar = Calendar::parse(&new.cron, &new.timezone).map_err(invalid)?;
    let now = now(pool).await?;
    let Some(next) = calendar.next_after(now) else {
        return Err(invalid(format!("`{}` never comes", new.cron)));
    };
    let milliseconds = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS) as i64;
    let written: bool = sqlx::query_scalar(sql::SCHEDULES_CREATE)
        .bind(&new.name)
        .bind(&new.cron)
        .bind(&new.timezone)
        .bind(&new.function)
        .bind(&new.input)
        .bind(&new.queue)
        .bind(new.priority)
        .bind(&new.tags)
        .bind(new.overlap)
        .bind(milliseconds(new.catch_up))
        .bind(milliseconds(new.jitter))
        .bind(next)
        .bind(replace)
        .fetch_one(pool)
        .await?;
    if !written {
        return Err(Error::Conflict {
            message: format!("there is a schedule `{}`", new.name),
            hint: Some("change it with --replace, or choose another name".into()),
        });
    }
    Ok(Some(next))
}

/// All schedules, by name.
pub async fn list(pool: &PgPool) -> Result<Vec<Schedule>, Error> {
    Ok(sqlx::query_as(sql::SCHEDULES_LIST).bind(None::<&str>).fetch_all(pool).await?)
}

/// One schedule.
pub async fn find(pool: &PgPool, name: &str) -> Result<Schedule, Error> {
    let found = sqlx::query_as(sql::SCHEDULES_LIST).bind(name).fetch_optional(pool).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no schedule `{name}`")))
}

/// Holds a schedule back. Times that come meanwhile never fire.
pub async fn pause(pool: &PgPool, name: &str) -> Result<(), Error> {
    let next = find(pool, name).await?.next_at;
    sqlx::query(sql::SCHEDULES_PAUSE).bind(name).bind(true).bind(next).execute(pool).await?;
    Ok(())
}

/// Ends a pause: the next time is the next one from now on, and answered.
pub async fn resume(pool: &PgPool, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let schedule = find(pool, name).await?;
    let calendar = Calendar::parse(&schedule.cron, &schedule.timezone).map_err(Error::Unreadable)?;
    let next = calendar.next_after(now(pool).await?);
    sqlx::query(sql::SCHEDULES_PAUSE).bind(name).bind(false).bind(next).execute(pool).await?;
    Ok(next)
}

/// Deletes a schedule. What it started goes on.
pub async fn delete(pool: &PgPool, name: &str) -> Result<(), Error> {
    match sqlx::query(sql::SCHEDULES_DELETE).bind(name).execute(pool).await?.rows_affected() {
        0 => Err(Error::NotFound(format!("there is no schedule `{name}`"))),
        _ => Ok(()),
    }
}

/// Starts what a schedule starts, now, whatever goes on.
pub async fn trigger(pool: &PgPool, name: &str) -> Result<ExecutionId, Error> {
    let mut transaction = pool.begin().await?;
    let at: DateTime<Utc> = sqlx::query_scalar(sql::SCHEDULES_TRIGGER).bind(name).fetch_one(&mut *transaction).await?;
    let id = sqlx::query_scalar(sql::SCHEDULES_FIRED).bind(name).bind(at).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(id)
}

/// The times of a schedule between these two, both included.
pub async fn times(pool: &PgPool, name: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, Error> {
    let schedule = find(pool, name).await?;
    let calendar = Calendar::parse(&schedule.cron, &schedule.timezone).map_err(Error::Unreadable)?;
    Ok(calendar.between(from - chrono::TimeDelta::milliseconds(1), to).take(LOOKED_THROUGH).collect())
}

/// Fires one time, unless it was fired before.
pub async fn fire(pool: &PgPool, name: &str, at: DateTime<Utc>, overlap: Option<Overlap>) -> Result<String, Error> {
    Ok(sqlx::query_scalar(sql::SCHEDULES_FIRE).bind(name).bind(at).bind(overlap).fetch_one(pool).await?)
}

/// Forgets times that are long past.
pub async fn forget_fires(pool: &PgPool) -> Result<u64, Error> {
    Ok(sqlx::query(sql::SCHEDULES_FORGET_FIRES).execute(pool).await?.rows_affected())
}

async fn now(pool: &PgPool) -> Result<DateTime<Utc>, Error> {
    Ok(sqlx::query_scalar(sql::SCHEMA_NOW).fetch_one(pool).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, timezone: &str, from: &str, to: &str) -> Vec<String> {
        let calendar = Calendar::parse(cron, timezone).unwrap();
        let shown = |at: DateTime<Utc>| at.with_timezone(&calendar.timezone).format("%m-%d %H:%M %:z").to_string();
        calendar.between(from.parse().unwrap(), to.parse().unwrap()).map(shown).collect()
    }

    #[test]
    fn a_time_is_that_of_its_zone() {
        assert_eq!(
            times("0 9 * * mon-fri", "Europe/Berlin", "2026-10-22T00:00:00Z", "2026-10-27T00:00:00Z"),
            ["10-22 09:00 +02:00", "10-23 09:00 +02:00", "10-26 09:00 +01:00"]
        );
    }

    /// On 29 March 2026 Berlin's clocks go from 2:00 to 3:00.
    #[test]
    fn a_time_that_does_not_exist_fires_once_behind_the_gap() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"),
            ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"]
        );
    }

    /// On 25 October 2026 Berlin's clocks go from 3:00 back to 2:00.
    #[test]
    fn a_fixed_time_that_comes_twice_fires_once_and_every_hour_is_every_hour() {
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            ["10-25 02:30 +02:00", "10-26 02:30 +01:00"]
        );
        assert_eq!(
            times("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z"),
            ["10-25 02:00 +02:00", "10-25 02:00 +01:00", "10-25 03:00 +01:00"]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |cron: &str, timezone: &str| Calendar::parse(cron, timezone).unwrap_err();
        assert!(wrong("every day", "UTC").contains("write minute hour day month weekday"), "{}", wrong("every day", "UTC"));
        assert!(wrong("0 0 0 * * *", "UTC").contains("is not a cron expression"), "seconds are none of ours");
        assert!(wrong("61 * * * *", "UTC").contains("is not a cron expression"));
        assert_eq!(wrong("0 9 * * *", "Berlin"), "`Berlin` is not a time zone; write for example UTC or Europe/Berlin");
    }

    #[test]
    fn what_never_comes_has_no_next_time() {
        let calendar = Calendar::parse("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(calendar.next_after("2026-01-01T00:00:00Z".parse().unwrap()), None);
    }
}
