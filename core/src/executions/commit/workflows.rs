//! What a workflow writes of itself: its journal, what it has read, what it published.

use sqlx::PgConnection;

use super::{Batch, Fate};
use crate::Error;
use crate::sql;

/// Appends to journals. The primary key refuses a position that is taken.
pub(super) async fn append(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let entries: Vec<_> =
        batch.workflows().flat_map(|(of, writes)| writes.entries.iter().map(move |entry| (of, writes.chain, entry))).collect();
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::JOURNAL_APPEND)
        .bind(entries.iter().map(|(of, _, _)| of.id).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, chain, _)| *chain).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.position).collect::<Vec<_>>())
        .bind(entries.iter().map(|(of, _, _)| of.run).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.kind.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.operation.map(|operation| operation as i32)).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.name.as_deref()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.hash.map(|hash| hash.to_vec())).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.body.clone()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.at.unwrap_or(batch.at)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// What is delivered leaves the inbox.
pub(super) async fn deliver(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let (ids, arrivals): (Vec<_>, Vec<_>) =
        batch.workflows().flat_map(|(of, writes)| writes.delivered.iter().map(move |arrival| (of.id, *arrival))).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::INBOX_DELIVER).bind(ids).bind(arrivals).execute(connection).await?;
    Ok(())
}

/// Pins to a component, once, and shows progress and warnings.
pub(super) async fn pin_and_publish(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let changed: Vec<_> = batch.workflows().filter(|(_, writes)| writes.changes_its_row()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_PIN_AND_PUBLISH)
        .bind(changed.iter().map(|(of, _)| of.id).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, writes)| writes.pin.map(|digest| digest.as_bytes().to_vec())).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, writes)| writes.publish.clone()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, writes)| writes.warning.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins the next chain; the children of the last one end with it.
pub(super) async fn continue_as_new(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let (ids, inputs): (Vec<_>, Vec<_>) = batch
        .activations
        .iter()
        .filter_map(|of| match &of.fate {
            Fate::ContinuesAsNew { input } => Some((of.id, input.clone())),
            _ => None,
        })
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_CONTINUE_AS_NEW).bind(&ids).bind(inputs).execute(&mut *connection).await?;
    sqlx::query(sql::COMMIT_CANCEL_CHILDREN).bind(ids).execute(connection).await?;
    Ok(())
}
