//! A check-up of the database: what makes Currant slow, or its promises empty, and what to do about it.

use serde::Serialize;
use sqlx::{FromRow, PgPool};

use crate::{Error, durations, schema, sql};

/// Dead rows that a table may have before they are worth a word, and the share of the living ones.
const DEAD_ROWS: i64 = 50_000;

/// A transaction that is open for longer keeps vacuum from the rows of every queue.
const OLD_SNAPSHOT_S: i64 = 60;

/// Retention makes a pass every hour: after so long nobody does.
const UNSWEPT_S: i64 = 3 * 3_600;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something is lost, or does not work.
    Problem,
    /// Something is slow, or soon will be.
    Warning,
    /// Something to know.
    Note,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub next: String,
}

#[derive(Debug, FromRow)]
struct Look {
    version: i32,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    autovacuum: String,
    track_counts: String,
    max_wal_size: i64,
    max_connections: i32,
    connections: i64,
    oldest_snapshot_s: Option<i64>,
    oldest_snapshot: Option<String>,
    prepared_transactions: i64,
    idle_slots: i64,
    workers: i64,
    parked: i64,
    unserved_queue: Option<String>,
    swept_s: Option<i64>,
}

#[derive(Debug, FromRow)]
struct Table {
    name: String,
    live: i64,
    dead: i64,
    vacuumed_s: Option<i64>,
}

#[derive(Debug, FromRow)]
struct Index {
    name: String,
    usable: bool,
}

/// Looks, and answers what was found, the worst first.
pub async fn examine(pool: &PgPool) -> Result<Vec<Finding>, Error> {
    let look: Look = sqlx::query_as(sql::DOCTOR_LOOK).fetch_one(pool).await?;
    let tables: Vec<Table> = sqlx::query_as(sql::DOCTOR_TABLES).fetch_all(pool).await?;
    let indexes: Vec<Index> = sqlx::query_as(sql::DOCTOR_INDEXES).fetch_all(pool).await?;
    let mut findings = server(&look);
    findings.extend(snapshots(&look));
    findings.extend(tables.iter().filter_map(dead_rows));
    findings.extend(missing(&indexes));
    findings.extend(work(&look));
    findings.sort_by_key(|finding| finding.severity);
    Ok(findings)
}

fn finding(severity: Severity, what: impl Into<String>, why: &'static str, next: impl Into<String>) -> Finding {
    Finding { severity, what: what.into(), why, next: next.into() }
}

fn server(look: &Look) -> Vec<Finding> {
    let mut found = Vec::new();
    let lost = "what was committed can be lost, or torn, when the machine stops";
    for (name, value) in [("fsync", &look.fsync), ("full_page_writes", &look.full_page_writes)] {
        if value == "off" {
            found.push(finding(
                Severity::Problem,
                format!("{name} is off"),
                lost,
                format!("set {name} = on and restart Postgres"),
            ));
        }
    }
    if look.synchronous_commit == "off" {
        let why = "an execution that was answered as completed may be forgotten, and run again, when the server stops";
        found.push(finding(
            Severity::Problem,
            "synchronous_commit is off",
            why,
            "set synchronous_commit = on for Currant's roles",
        ));
    }
    for (name, value) in [("autovacuum", &look.autovacuum), ("track_counts", &look.track_counts)] {
        if value == "off" {
            let why = "nothing clears dead rows away: every claim walks over all that were ever claimed";
            found.push(finding(Severity::Problem, format!("{name} is off"), why, format!("set {name} = on")));
        }
    }
    if look.version < 150_000 {
        let what = format!("Postgres has version {}", look.version / 10_000);
        found.push(finding(Severity::Problem, what, "Currant is tested from version 15 on", "upgrade Postgres"));
    }
    if look.max_wal_size < 1 << 30 {
        let why = "checkpoints come often under load, and every page is written whole after each";
        found.push(finding(Severity::Note, "max_wal_size is below 1 GB", why, "set max_wal_size = '4GB' or more"));
    }
    if look.connections * 10 >= i64::from(look.max_connections) * 8 {
        let what = format!("{} of {} connections are taken", look.connections, look.max_connections);
        let why = "a worker that starts, or connects again, may find none";
        found.push(finding(Severity::Warning, what, why, "raise max_connections, or put PgBouncer in between"));
    }
    found
}

fn snapshots(look: &Look) -> Vec<Finding> {
    let mut found = Vec::new();
    let why = "vacuum keeps every row that it could still see: claims slow down by a half and more while it lasts";
    if let (Some(age @ OLD_SNAPSHOT_S..), Some(who)) = (look.oldest_snapshot_s, &look.oldest_snapshot) {
        let severity = if age >= 10 * OLD_SNAPSHOT_S { Severity::Problem } else { Severity::Warning };
        let what = format!("a transaction has been open for {} ({who})", length(age));
        let pid = who.trim_start_matches("pid ").split(',').next().unwrap_or_default();
        found.push(finding(severity, what, why, format!("end it: select pg_terminate_backend({pid})")));
    }
    if look.prepared_transactions > 0 {
        let what = format!("{} prepared transactions are open", look.prepared_transactions);
        found.push(finding(Severity::Warning, what, why, "look at pg_prepared_xacts; commit them or roll them back"));
    }
    if look.idle_slots > 0 {
        let what = format!("{} replication slots are not in use", look.idle_slots);
        let why = "Postgres keeps what they have not read: the disk fills, and rows stay";
        found.push(finding(Severity::Warning, what, why, "look at pg_replication_slots; drop those that nobody needs"));
    }
    found
}

fn dead_rows(table: &Table) -> Option<Finding> {
    (table.dead >= DEAD_ROWS && table.dead > table.live / 2).then(|| {
        let vacuumed = table.vacuumed_s.map_or("never vacuumed".to_owned(), |age| format!("vacuumed {} ago", length(age)));
        let what = format!("currant.{} has {} dead rows beside {} living ones, {vacuumed}", table.name, table.dead, table.live);
        let why = "statements walk over them";
        finding(
            Severity::Warning,
            what,
            why,
            format!("vacuum currant.{}; if it does not help, look for old snapshots", table.name),
        )
    })
}

fn missing(indexes: &[Index]) -> Vec<Finding> {
    let why = "statements that are meant to probe it read whole tables";
    schema::indexes()
        .into_iter()
        .filter_map(|expected| match indexes.iter().find(|index| index.name == expected) {
            None => {
                let next = "make it again as the migrations say, with `create index concurrently`";
                Some(finding(Severity::Problem, format!("the index {expected} is missing"), why, next))
            }
            Some(index) if !index.usable => {
                let next = format!("reindex index concurrently currant.{expected}");
                Some(finding(Severity::Problem, format!("the index {expected} is not valid"), why, next))
            }
            Some(_) => None,
        })
        .collect()
}

fn work(look: &Look) -> Vec<Finding> {
    let mut found = Vec::new();
    if look.workers == 0 {
        found.push(finding(Severity::Warning, "no worker runs", "nothing is claimed", "start one: currant worker"));
    } else if let Some(queue) = &look.unserved_queue {
        let what = format!("no worker serves the queue {queue}, in which something waits");
        found.push(finding(
            Severity::Warning,
            what,
            "nothing of it is claimed",
            "start a worker whose worker.queues names it, or names none",
        ));
    }
    if look.parked > 0 {
        let what = format!("{} executions wait for a deployment", look.parked);
        let next = "show them: currant list --status pending; deploy the module that has their functions";
        found.push(finding(Severity::Note, what, "nothing that is deployed offers their functions", next));
    }
    if let Some(age @ UNSWEPT_S..) = look.swept_s
        && look.workers > 0
    {
        let what = format!("retention made its last pass {} ago", length(age));
        found.push(finding(
            Severity::Warning,
            what,
            "what is kept long enough is not deleted",
            "look for its errors in the workers' logs",
        ));
    }
    found
}

fn length(seconds: i64) -> String {
    durations::format(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
