//! Children: started with what their parent decided, under the parent's trace.

use sqlx::PgConnection;

use super::{Activation, NewChild, StartOptions, Statement, milliseconds};
use crate::Error;
use crate::ids::ExecutionId;
use crate::sql;
use crate::values::Json;

/// Decides which execution each child's task_id stands for, and keeps that decision locked. In the order of the keys.
pub(super) async fn lock_keys(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let mut keys: Vec<_> =
        of_all(batch).filter_map(|(_, _, child)| Some((child.options.task_id.as_ref()?.as_str(), child.id))).collect();
    if keys.is_empty() {
        return Ok(());
    }
    keys.sort_unstable();
    let (keys, ids): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    sqlx::query(sql::COMMIT_LOCK_KEYS).bind(keys).bind(ids).execute(connection).await?;
    Ok(())
}

/// Children that start, a column each. One whose key another execution holds does not: its parent's operation waits for that one.
#[derive(Default)]
pub(super) struct Children<'a> {
    ids: Vec<ExecutionId>,
    parents: Vec<ExecutionId>,
    chains: Vec<i32>,
    operations: Vec<i32>,
    functions: Vec<&'a str>,
    inputs: Vec<Json>,
    detached: Vec<bool>,
    queues: Vec<Option<&'a str>>,
    priorities: Vec<Option<i16>>,
    retries: Vec<Option<Json>>,
    timeouts: Vec<Option<Json>>,
    delays: Vec<i64>,
    keys: Vec<Option<&'a str>>,
    concurrency_keys: Vec<Option<&'a str>>,
    tags: Vec<Option<Json>>,
}

impl<'a> Children<'a> {
    pub(super) fn of(batch: &[&'a Activation]) -> Children<'a> {
        let mut columns = Children::default();
        for (parent, chain, child) in of_all(batch) {
            let StartOptions { queue, priority, retry, timeouts, delay_ms, task_id, concurrency_key, tags, .. } =
                &child.options;
            columns.ids.push(child.id);
            columns.parents.push(parent);
            columns.chains.push(chain);
            columns.operations.push(child.operation as i32);
            columns.functions.push(child.function.as_str());
            columns.inputs.push(child.input.clone());
            columns.detached.push(child.detached);
            columns.queues.push(queue.as_ref().map(|queue| queue.as_str()));
            columns.priorities.push(*priority);
            columns.retries.push(retry.as_ref().and_then(|retry| Json::of(retry).ok()));
            columns.timeouts.push(Some(timeouts).filter(|timeouts| !timeouts.is_empty()).and_then(|t| Json::of(t).ok()));
            columns.delays.push(milliseconds(delay_ms.unwrap_or(0)));
            columns.keys.push(task_id.as_ref().map(|key| key.as_str()));
            columns.concurrency_keys.push(concurrency_key.as_deref());
            columns.tags.push(Some(tags).filter(|tags| !tags.is_empty()).and_then(|tags| Json::of(tags).ok()));
        }
        columns
    }

    pub(super) fn bind(self, statement: Statement<'a>) -> Statement<'a> {
        let statement =
            statement.bind(self.ids).bind(self.parents).bind(self.chains).bind(self.operations).bind(self.functions);
        let statement =
            statement.bind(self.inputs).bind(self.detached).bind(self.queues).bind(self.priorities).bind(self.retries);
        let statement = statement.bind(self.timeouts).bind(self.delays).bind(self.keys).bind(self.concurrency_keys);
        statement.bind(self.tags)
    }
}

/// Each child that starts, with its parent and that one's chain.
fn of_all<'a>(batch: &[&'a Activation]) -> impl Iterator<Item = (ExecutionId, i32, &'a NewChild)> {
    batch
        .iter()
        .filter_map(|of| Some((of.id, of.workflow.as_ref()?)))
        .flat_map(|(parent, writes)| writes.children.iter().map(move |child| (parent, writes.chain, child)))
}

/// Lets the operations of children whose key another execution holds wait for that one.
pub(super) async fn attach(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let keyed: Vec<_> = of_all(batch).filter(|(_, _, child)| child.options.task_id.is_some()).collect();
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
pub(super) async fn give_up(connection: &mut PgConnection, batch: &[&Activation]) -> Result<(), Error> {
    let given_up: Vec<_> =
        batch.iter().filter_map(|of| of.workflow.as_ref()).flat_map(|writes| writes.cancels.clone()).collect();
    if given_up.is_empty() {
        return Ok(());
    }
    sqlx::query(sql::COMMIT_GIVE_UP).bind(given_up).execute(connection).await?;
    Ok(())
}
