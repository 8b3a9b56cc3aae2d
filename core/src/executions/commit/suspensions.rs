//! Suspending: the workflow's row is locked, so that nothing can arrive between the look into its inbox and its sleep.

use std::collections::BTreeMap;

use sqlx::PgConnection;

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
    if refused.is_empty() {
        return Ok(BTreeMap::new());
    }
    let seen: Vec<_> = refused.iter().map(|(id, .., seen, _)| (*id, *seen)).collect();
    let mut news = inbox::unseen(connection, &seen).await?;
    for (id, ..) in refused {
        news.entry(*id).or_default();
    }
    Ok(news)
}
