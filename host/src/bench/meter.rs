//! What a stretch of work costs: processor time, write-ahead log, transactions, statements.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;

use super::database::Database;
use super::procfs::{self, ServerTime};

const READING: &str = include_str!("queries/reading.sql");
const STATEMENTS: &str = include_str!("queries/statements.sql");

/// The statements of one reading, which lie between it and the next.
const OWN_STATEMENTS: i64 = 2;

/// All counters at one moment.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The database's time.
    pub(super) at: DateTime<Utc>,
    wal: i64,
    transactions: i64,
    statements: Option<i64>,
    server: Option<ServerTime>,
    workers: Option<f64>,
    client: Option<f64>,
    machine: Option<f64>,
}

/// What one execution cost. What cannot be seen from here is none.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cost {
    /// Microseconds of the backends of Postgres that served it.
    pub(super) postgres_us: Option<f64>,
    /// Microseconds of its other processes: write-ahead log, checkpoints, autovacuum.
    pub(super) postgres_background_us: Option<f64>,
    /// Microseconds of the workers.
    pub(super) worker_us: Option<f64>,
    /// Microseconds of this process: the client, and what drives the floor.
    pub(super) client_us: Option<f64>,
    /// Bytes of write-ahead log.
    pub(super) wal_bytes: f64,
    /// Transactions that wrote something.
    pub(super) transactions: f64,
    /// Statements; none without `pg_stat_statements`.
    pub(super) statements: Option<f64>,
}

impl Reading {
    /// Reads the counters of the server, of these worker processes, and of this one.
    pub(super) async fn take(database: &Database, workers: &[u32]) -> Result<Reading> {
        let row = sqlx::query(READING).fetch_one(&database.client).await?;
        let statements = match database.counts_statements {
            true => Some(sqlx::query_scalar(STATEMENTS).fetch_one(&database.client).await?),
            false => None,
        };
        Ok(Reading {
            at: row.try_get("at")?,
            wal: row.try_get("wal")?,
            transactions: row.try_get("transactions")?,
            statements,
            server: database.local.as_ref().and_then(|server| server.time()),
            workers: workers.iter().map(|pid| procfs::seconds(*pid)).sum(),
            client: procfs::own_time().map(|time| time.as_secs_f64()),
            machine: procfs::machine_time(),
        })
    }

    /// Seconds from an earlier reading to this one, by the database's clock.
    pub(super) fn seconds_since(&self, earlier: &Reading) -> f64 {
        (self.at - earlier.at).as_seconds_f64()
    }

    /// How many cores were taken, since an earlier reading, by what is no part of the benchmark.
    pub(super) fn cores_of_others_since(&self, earlier: &Reading) -> Option<f64> {
        let ours = |reading: &Reading| {
            let server = reading.server?;
            Some(server.backends + server.others + reading.workers? + reading.client?)
        };
        let others = (self.machine? - earlier.machine?) - (ours(self)? - ours(earlier)?);
        Some(others.max(0.0) / self.seconds_since(earlier))
    }

    /// What each of so many executions has cost since an earlier reading.
    pub(super) fn cost_since(&self, earlier: &Reading, executions: f64) -> Cost {
        let per_execution = |whole: f64| whole / executions.max(1.0);
        let microseconds = |now: Option<f64>, then: Option<f64>| Some(per_execution((now? - then?) * 1e6));
        let backends = |reading: &Reading| reading.server.map(|server| server.backends);
        let others = |reading: &Reading| reading.server.map(|server| server.others);
        Cost {
            postgres_us: microseconds(backends(self), backends(earlier)),
            postgres_background_us: microseconds(others(self), others(earlier)),
            worker_us: microseconds(self.workers, earlier.workers),
            client_us: microseconds(self.client, earlier.client),
            wal_bytes: per_execution((self.wal - earlier.wal) as f64),
            transactions: per_execution((self.transactions - earlier.transactions) as f64),
            statements: self
                .statements
                .zip(earlier.statements)
                .map(|(now, then)| per_execution((now - then - OWN_STATEMENTS).max(0) as f64)),
        }
    }
}
