//! Rows of journals. What they mean is the host's.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgPool, Row};

use crate::Error;
use crate::ids::ExecutionId;
use crate::sql;
use crate::values::Json;

/// One entry of a workflow's journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JournalRow {
    /// Its place, from 0.
    pub position: i32,
    /// What kind of entry.
    pub kind: String,
    /// The operation that it is about.
    pub operation: Option<u32>,
    /// A function, a signal, a step, a change.
    pub name: Option<String>,
    /// Of what the call said and the columns do not show.
    #[serde(skip)]
    pub hash: Option<[u8; 16]>,
    /// A value.
    pub body: Option<Json>,
    /// Its time; none before it is recorded, when it is to get that of its commit.
    pub at: Option<DateTime<Utc>>,
}

/// The journal of one chain, in order.
pub async fn load(pool: &PgPool, workflow: ExecutionId, chain: i32) -> Result<Vec<JournalRow>, Error> {
    let rows = sqlx::query(sql::JOURNAL_LOAD).bind(workflow).bind(chain).fetch_all(pool).await?;
    rows.iter().map(read).collect()
}

pub(crate) fn read(row: &sqlx::postgres::PgRow) -> Result<JournalRow, Error> {
    let operation: Option<i32> = row.try_get("operation")?;
    let hash: Option<Vec<u8>> = row.try_get("hash")?;
    Ok(JournalRow {
        position: row.try_get("position")?,
        kind: row.try_get("kind")?,
        operation: operation.map(|operation| operation as u32),
        name: row.try_get("name")?,
        hash: hash.and_then(|hash| hash.try_into().ok()),
        body: row.try_get("body")?,
        at: row.try_get("at")?,
    })
}
