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
    /// Its checksum; none before it is recorded.
    #[serde(skip)]
    pub sum: Option<i32>,
}

impl JournalRow {
    /// Stands for all that a replay reads of this row, and for its place: a row that was changed, or put elsewhere, has another one. A
    /// journal must be readable for ever, so this never changes.
    pub fn checksum(&self, workflow: ExecutionId, chain: i32, at: DateTime<Utc>) -> i32 {
        let time = at.timestamp_micros().rem_euclid(i64::from(i32::MAX));
        self.checksum_without_time(workflow, chain) ^ i32::try_from(time).expect("less than the modulus")
    }

    /// The same before the time is known: a statement that lets an entry have the time of its commit mixes that in itself.
    pub(crate) fn checksum_without_time(&self, workflow: ExecutionId, chain: i32) -> i32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(workflow.as_uuid().as_bytes());
        crc.update(&chain.to_le_bytes());
        crc.update(&self.position.to_le_bytes());
        let operation = self.operation.map(u32::to_le_bytes);
        let fields = [
            Some(self.kind.as_bytes()),
            operation.as_ref().map(<[u8; 4]>::as_slice),
            self.name.as_deref().map(str::as_bytes),
            self.hash.as_ref().map(<[u8; 16]>::as_slice),
            self.body.as_ref().map(|body| body.as_str().as_bytes()),
        ];
        // Lengths before contents, so that nothing can move from one field to the next unseen; -1 is a field that is not there.
        for field in fields {
            crc.update(&field.map_or(-1, |bytes| bytes.len() as i64).to_le_bytes());
            crc.update(field.unwrap_or_default());
        }
        crc.finalize().cast_signed()
    }
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
        sum: row.try_get("sum")?,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_checksum_of_a_row_is_the_same_for_ever() {
        let row = JournalRow {
            position: 3,
            kind: "task".into(),
            operation: Some(2),
            name: Some("charge".into()),
            hash: Some([7; 16]),
            body: Some(Json::parse("{\"a\": 1}".into()).unwrap()),
            at: None,
            sum: None,
        };
        let workflow = ExecutionId::from(Uuid::from_u128(1));
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        assert_eq!(row.checksum(workflow, 1, at), -1_466_898_322);
        let bare = JournalRow { operation: None, name: None, hash: None, body: None, ..row };
        assert_eq!(bare.checksum(workflow, 1, at), 1_263_748_928);
    }
}
