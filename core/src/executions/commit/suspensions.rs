//! Suspending: the workflow's row is locked, so that nothing can arrive between the look into its inbox and its sleep.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};

use super::{Batch, Fate, milliseconds};
use crate::Error;
use crate::ids::ExecutionId;
use crate::inbox::{self, News};
use crate::sql;

/// Suspends who can be suspended. The others go on: with what has arrived, which may be nothing when a timer is due.
pub(super) async fn suspend(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
) -> Result<BTreeMap<ExecutionId, Vec<News>>, Error> {
    let wanting: Vec<_> = batch
        .activations
        .iter()
        .filter_map(|of| match of.fate {
            Fate::Suspends { until, shortest_new_timer_ms, seen, resident_on } => {
                Some((of.id, until, shortest_new_timer_ms, seen, resident_on))
            }
            _ => None,
        })
        .collect();
    if wanting.is_empty() {
        return Ok(BTreeMap::new());
    }
    let suspended: Vec<ExecutionId> = sqlx::query_scalar(sql::COMMIT_SUSPEND)
        .bind(wanting.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(wanting.iter().map(|(_, until, ..)| *until).collect::<Vec<_>>())
        .bind(wanting.iter().map(|(_, _, timer, ..)| timer.map(milliseconds)).collect::<Vec<_>>())
        .bind(wanting.iter().map(|(.., seen, _)| *seen).collect::<Vec<_>>())
        .bind(wanting.iter().map(|(.., resident_on)| *resident_on).collect::<Vec<_>>())
        .bind(batch.at)
        .fetch_all(&mut *connection)
        .await?;
    let refused: Vec<_> = wanting.iter().filter(|(id, ..)| !suspended.contains(id)).collect();
    let mut news: BTreeMap<_, Vec<News>> = refused.iter().map(|(id, ..)| (*id, Vec::new())).collect();
    if refused.is_empty() {
        return Ok(news);
    }
    let rows = sqlx::query(sql::INBOX_UNSEEN)
        .bind(refused.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(refused.iter().map(|(.., seen, _)| *seen).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for row in &rows {
        news.entry(row.try_get("workflow_id")?).or_default().push(inbox::read(row)?);
    }
    Ok(news)
}
