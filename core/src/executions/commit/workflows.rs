//! What a workflow writes of itself: its journal, what it has read, what it published.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::{Activation, Batch, Fate, WorkflowWrites};
use crate::Error;
use crate::ids::WorkerId;
use crate::journal::JournalRow;
use crate::sql;

/// Appends to journals. The primary key refuses a position that is taken.
pub(super) async fn append(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let entries: Vec<_> =
        batch.workflows().flat_map(|(of, writes)| writes.entries.iter().map(move |entry| (of, writes.chain, entry))).collect();
    if entries.is_empty() {
        return Ok(());
    }
    let at = |entry: &JournalRow| entry.at.unwrap_or(batch.at);
    let workers: Vec<_> = batch.workflows().flat_map(|(_, writes)| signatures(writes)).collect();
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
        .bind(entries.iter().map(|(_, _, entry)| at(entry)).collect::<Vec<_>>())
        .bind(entries.iter().map(|(of, chain, entry)| entry.checksum(of.id, *chain, at(entry))).collect::<Vec<_>>())
        .bind(workers)
        .execute(connection)
        .await?;
    Ok(())
}

/// The worker of each entry: said once in a run, with its first one.
fn signatures(writes: &WorkflowWrites) -> impl Iterator<Item = Option<WorkerId>> {
    (0..writes.entries.len()).map(move |index| writes.worker.filter(|_| index == 0))
}

/// Appends to the journals of runs that only go on. Answers those that are written.
pub(super) async fn append_alone(connection: &mut PgConnection, batch: &[Activation]) -> Result<Vec<PgRow>, Error> {
    let entries: Vec<_> = batch
        .iter()
        .filter_map(|of| Some((of, of.workflow.as_ref()?)))
        .flat_map(|(of, writes)| writes.entries.iter().map(move |entry| (of, writes.chain, entry)))
        .collect();
    let written = sqlx::query(sql::JOURNAL_APPEND_ALONE)
        .bind(entries.iter().map(|(of, _, _)| of.id).collect::<Vec<_>>())
        .bind(entries.iter().map(|(of, _, _)| of.run).collect::<Vec<_>>())
        .bind(entries.iter().map(|(of, _, _)| of.claimed_at).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, chain, _)| *chain).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.position).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.kind.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.operation.map(|operation| operation as i32)).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.name.as_deref()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.hash.map(|hash| hash.to_vec())).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.body.clone()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, _, entry)| entry.at).collect::<Vec<_>>())
        .bind(batch.iter().filter_map(|of| of.workflow.as_ref()).flat_map(signatures).collect::<Vec<_>>())
        .bind(entries.iter().map(|(of, chain, entry)| entry.checksum_without_time(of.id, *chain)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(written)
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
        .bind(changed.iter().map(|(_, writes)| writes.pin.map(|pin| pin.digest.as_bytes().to_vec())).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, writes)| writes.pin.map(|pin| pin.environment)).collect::<Vec<_>>())
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
