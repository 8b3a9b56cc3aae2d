//! Children: started with what their parent decided, under the parent's trace.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::{Activation, Batch, NewChild, milliseconds};
use crate::Error;
use crate::ids::ExecutionId;
use crate::sql;
use crate::values::Json;

/// Decides which execution each child's task_id stands for, and keeps that decision locked. In the order of the keys.
pub(super) async fn lock_keys(connection: &mut PgConnection, batch: &[Activation]) -> Result<(), Error> {
    let children = batch.iter().filter_map(|activation| activation.workflow.as_ref()).flat_map(|writes| &writes.children);
    let mut keys: Vec<_> = children.filter_map(|child| Some((child.options.task_id.as_ref()?.as_str(), child.id))).collect();
    if keys.is_empty() {
        return Ok(());
    }
    keys.sort_unstable();
    let (keys, ids): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    sqlx::query(sql::COMMIT_LOCK_KEYS).bind(keys).bind(ids).execute(connection).await?;
    Ok(())
}

/// Starts the children. One whose key another execution holds is not started: its parent's operation waits for that one.
pub(super) async fn start(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let children: Vec<(ExecutionId, i32, &NewChild)> = batch
        .workflows()
        .flat_map(|(activation, writes)| writes.children.iter().map(move |child| (activation.id, writes.chain, child)))
        .collect();
    if children.is_empty() {
        return Ok(());
    }
    attach(connection, &children).await?;
    let json = |value: Result<Json, _>| value.ok();
    let started: Vec<ExecutionId> = sqlx::query_scalar(sql::COMMIT_START_CHILDREN)
        .bind(children.iter().map(|(_, _, child)| child.id).collect::<Vec<_>>())
        .bind(children.iter().map(|(parent, _, _)| *parent).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, chain, _)| *chain).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.operation as i32).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.function.as_str()).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.input.clone()).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.detached).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, c)| c.options.queue.as_ref().map(|queue| queue.as_str())).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.options.priority).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, c)| c.options.retry.as_ref().and_then(|r| json(Json::of(r)))).collect::<Vec<_>>())
        .bind(
            children
                .iter()
                .map(|(_, _, child)| Some(&child.options.timeouts).filter(|t| !t.is_empty()).and_then(|t| json(Json::of(t))))
                .collect::<Vec<_>>(),
        )
        .bind(children.iter().map(|(_, _, c)| c.options.task_id.as_ref().map(|id| id.as_str())).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| child.options.concurrency_key.as_deref()).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, _, child)| json(Json::of(&child.options.tags))).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let started: HashSet<ExecutionId> = started.into_iter().collect();
    let admitted: Vec<_> = children.iter().filter(|(_, _, child)| started.contains(&child.id)).collect();
    sqlx::query(sql::COMMIT_ADMIT_CHILDREN)
        .bind(admitted.iter().map(|(_, _, child)| child.id).collect::<Vec<_>>())
        .bind(admitted.iter().map(|(_, _, child)| milliseconds(child.options.delay_ms.unwrap_or(0))).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn attach(connection: &mut PgConnection, children: &[(ExecutionId, i32, &NewChild)]) -> Result<(), Error> {
    let keyed: Vec<_> = children.iter().filter(|(_, _, child)| child.options.task_id.is_some()).collect();
    if keyed.is_empty() {
        return Ok(());
    }
    let attached: Vec<ExecutionId> = sqlx::query_scalar(sql::COMMIT_ATTACH)
        .bind(keyed.iter().map(|(_, _, child)| child.id).collect::<Vec<_>>())
        .bind(
            keyed.iter().filter_map(|(_, _, child)| child.options.task_id.as_ref()).map(|key| key.as_str()).collect::<Vec<_>>(),
        )
        .bind(keyed.iter().map(|(parent, _, _)| *parent).collect::<Vec<_>>())
        .bind(keyed.iter().map(|(_, chain, _)| *chain).collect::<Vec<_>>())
        .bind(keyed.iter().map(|(_, _, child)| child.operation as i32).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    if !attached.is_empty() {
        // What has ended already is told at once; the rest when it ends.
        sqlx::query(sql::COMMIT_ANNOUNCE_ATTACHED).bind(attached).execute(connection).await?;
    }
    Ok(())
}

/// Cancels what was given up.
pub(super) async fn give_up(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Error> {
    let given_up: Vec<_> = batch.workflows().flat_map(|(_, writes)| writes.cancels.iter().copied()).collect();
    if given_up.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_GIVE_UP).bind(given_up).execute(connection).await?;
    Ok(())
}
