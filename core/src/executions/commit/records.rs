//! What is appended to journals and logs, a column each.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Activation, Statement, WorkflowWrites};
use crate::Error;
use crate::ids::{ExecutionId, WorkerId};
use crate::journal::JournalRow;
use crate::sql;
use crate::values::Json;

/// Journal entries. The primary key refuses a position that is taken.
#[derive(Default)]
pub(super) struct Entries<'a> {
    workflows: Vec<ExecutionId>,
    chains: Vec<i32>,
    positions: Vec<i32>,
    runs: Vec<i32>,
    kinds: Vec<&'a str>,
    operations: Vec<Option<i32>>,
    names: Vec<Option<&'a str>>,
    hashes: Vec<Option<Vec<u8>>>,
    bodies: Vec<Option<Json>>,
    times: Vec<Option<DateTime<Utc>>>,
    workers: Vec<Option<WorkerId>>,
    sums: Vec<i32>,
}

impl<'a> Entries<'a> {
    pub(super) fn of(batch: &[&'a Activation]) -> Entries<'a> {
        let mut columns = Entries::default();
        for of in batch {
            let Some(writes) = &of.workflow else { continue };
            for (index, entry) in writes.entries.iter().enumerate() {
                columns.add(of, writes, entry, index == 0);
            }
        }
        columns
    }

    /// Whose run it is, is said once, with its first entry.
    fn add(&mut self, of: &Activation, writes: &WorkflowWrites, entry: &'a JournalRow, is_first: bool) {
        self.workflows.push(of.id);
        self.chains.push(writes.chain);
        self.positions.push(entry.position);
        self.runs.push(of.run);
        self.kinds.push(entry.kind.as_str());
        self.operations.push(entry.operation.map(|operation| operation as i32));
        self.names.push(entry.name.as_deref());
        self.hashes.push(entry.hash.map(|hash| hash.to_vec()));
        self.bodies.push(entry.body.clone());
        self.times.push(entry.at);
        self.workers.push(writes.worker.filter(|_| is_first));
        self.sums.push(entry.checksum_without_time(of.id, writes.chain));
    }

    pub(super) fn bind(self, statement: Statement<'a>) -> Statement<'a> {
        let statement = statement.bind(self.workflows).bind(self.chains).bind(self.positions).bind(self.runs).bind(self.kinds);
        let statement = statement.bind(self.operations).bind(self.names).bind(self.hashes).bind(self.bodies).bind(self.times);
        statement.bind(self.workers).bind(self.sums)
    }
}

/// Log lines.
#[derive(Default)]
pub(super) struct Lines<'a> {
    executions: Vec<ExecutionId>,
    runs: Vec<i32>,
    numbers: Vec<i32>,
    times: Vec<DateTime<Utc>>,
    levels: Vec<&'a str>,
    messages: Vec<&'a str>,
    attributes: Vec<Option<Json>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(batch: &[&'a Activation]) -> Lines<'a> {
        let mut columns = Lines::default();
        for of in batch {
            for line in &of.logs {
                columns.executions.push(of.id);
                columns.runs.push(of.run);
                columns.numbers.push(line.line);
                columns.times.push(line.at);
                columns.levels.push(line.level.as_str());
                columns.messages.push(line.message.as_str());
                columns.attributes.push(line.attributes.clone());
            }
        }
        columns
    }

    pub(super) fn bind(self, statement: Statement<'a>) -> Statement<'a> {
        let statement = statement.bind(self.executions).bind(self.runs).bind(self.numbers).bind(self.times);
        statement.bind(self.levels).bind(self.messages).bind(self.attributes)
    }
}

/// Writes the log lines of runs whatever becomes of them.
pub(super) async fn write_logs(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let lines = Lines::of(batch);
    if lines.executions.is_empty() {
        return Ok(());
    }
    lines.bind(sqlx::query(sql::COMMIT_WRITE_LOGS)).execute(connection).await?;
    Ok(())
}
