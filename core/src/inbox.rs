//! News for a workflow: what has arrived and was not yet delivered.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Row};

use crate::Error;
use crate::executions::Failure;
use crate::ids::ExecutionId;
use crate::sql;
use crate::values::Json;

/// One piece of news.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Its number: the order of arrival.
    pub arrival: i32,
    /// What it is.
    pub kind: NewsKind,
    /// When it arrived, by the database's time.
    pub at: DateTime<Utc>,
}

/// What news can be.
#[derive(Clone, Debug, PartialEq)]
pub enum NewsKind {
    /// Something that an operation waits for has ended.
    Completion {
        /// The journal in which the operation is.
        chain: i32,
        /// The operation.
        operation: u32,
        /// Its result or failure.
        outcome: Result<Json, Failure>,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: String,
        /// What came with it.
        payload: Json,
    },
    /// Somebody asked for the workflow's cancellation.
    Cancel,
}

/// What has arrived after the number `after`, in order.
pub async fn load(pool: &PgPool, workflow: ExecutionId, after: i32) -> Result<Vec<News>, Error> {
    Ok(load_many(pool, &[(workflow, after)]).await?.remove(&workflow).unwrap_or_default())
}

/// What has arrived for each of these workflows after its number, in order. Those without news are left out.
pub async fn load_many(pool: &PgPool, after: &[(ExecutionId, i32)]) -> Result<BTreeMap<ExecutionId, Vec<News>>, Error> {
    unseen(&mut *pool.acquire().await?, after).await
}

pub(crate) async fn unseen(
    connection: &mut PgConnection,
    after: &[(ExecutionId, i32)],
) -> Result<BTreeMap<ExecutionId, Vec<News>>, Error> {
    let (workflows, seen): (Vec<_>, Vec<_>) = after.iter().copied().unzip();
    let rows = sqlx::query(sql::INBOX_UNSEEN).bind(workflows).bind(seen).fetch_all(connection).await?;
    let mut news: BTreeMap<_, Vec<News>> = BTreeMap::new();
    for row in &rows {
        news.entry(row.try_get("workflow_id")?).or_default().push(read(row)?);
    }
    Ok(news)
}

fn read(row: &sqlx::postgres::PgRow) -> Result<News, Error> {
    let kind: String = row.try_get("kind")?;
    let result: Option<Json> = row.try_get("result")?;
    let kind = match kind.as_str() {
        "cancel" => NewsKind::Cancel,
        "signal" => NewsKind::Signal { name: row.try_get("name")?, payload: result.unwrap_or_else(Json::null) },
        _ => {
            let failure: Option<Json> = row.try_get("failure")?;
            let outcome = match (result, failure) {
                (Some(result), _) => Ok(result),
                (None, Some(failure)) => Err(serde_json::from_str(failure.as_str())?),
                (None, None) => return Err(Error::Unreadable("news of a completion without an outcome".into())),
            };
            let operation: i32 = row.try_get("operation")?;
            NewsKind::Completion { chain: row.try_get("chain")?, operation: operation as u32, outcome }
        }
    };
    Ok(News { arrival: row.try_get("arrival")?, kind, at: row.try_get("at")? })
}
