//! Reads a database in which everything has ended, and says what should not be there: something lost, something twice, something stuck.

use anyhow::Result;
use currant_core::ids::ExecutionId;
use currant_core::journal;
use sqlx::{PgPool, Row};

/// What must be true of every database at rest, and a query for what breaks it: an execution, and where.
const RULES: [(&str, &str); 11] = [
    (
        "every execution has ended",
        "select id, coalesce(currant.status_of(id), 'nowhere') from currant.requests
         where not exists (select from currant.outcomes where outcomes.id = requests.id)",
    ),
    (
        "what has ended is nowhere else",
        "select id, place
         from (select id, 'ready' from currant.ready union all select id, 'running' from currant.running
               union all select id, 'parked' from currant.parked union all select id, 'workflows' from currant.workflows)
              as found (id, place)
         where exists (select from currant.outcomes where outcomes.id = found.id)",
    ),
    (
        "what has completed has read its inbox, and waits for nothing",
        "select workflow_id, place
         from (select workflow_id, 'inbox ' || arrival from currant.inbox
               union all select workflow_id, 'waits for ' || target_id from currant.waiters) as found (workflow_id, place)
         where exists (select from currant.outcomes where outcomes.id = workflow_id and status = 'completed')",
    ),
    (
        "a journal has no gap",
        "select workflow_id, 'chain ' || chain from currant.journal
         group by workflow_id, chain having count(*) <> max(position) + 1 or min(position) <> 0",
    ),
    (
        "an operation is recorded once",
        "select workflow_id, format('chain %s operation %s', chain, operation) from currant.journal
         where kind in ('task', 'workflow', 'timer', 'receive', 'external', 'step', 'step-failed')
         group by workflow_id, chain, operation having count(*) > 1",
    ),
    (
        "an operation is delivered once",
        "select workflow_id, format('chain %s operation %s', chain, operation) from currant.journal
         where kind in ('completed', 'failed', 'signal')
         group by workflow_id, chain, operation having count(*) > 1",
    ),
    (
        "a cancellation is told once",
        "select workflow_id, 'chain ' || chain from currant.journal where kind = 'cancelled'
         group by workflow_id, chain having count(*) > 1",
    ),
    (
        "who was called for in a history was started",
        "select workflow_id, format('chain %s operation %s', chain, operation) from currant.journal
         where kind in ('task', 'workflow')
           and not exists (select from currant.requests request
                           where request.parent_workflow_id = journal.workflow_id and request.parent_chain = journal.chain
                             and request.parent_operation = journal.operation and request.function = journal.name)",
    ),
    (
        "nobody was started who was not called for in a history",
        "select id, format('by %s, operation %s', parent_workflow_id, parent_operation) from currant.requests
         where parent_workflow_id is not null
           and not exists (select from currant.journal
                           where journal.workflow_id = requests.parent_workflow_id and journal.chain = requests.parent_chain
                             and journal.operation = requests.parent_operation and journal.kind in ('task', 'workflow'))",
    ),
    (
        "what a history says of a child is how the child ended",
        "select workflow_id, format('chain %s operation %s', journal.chain, operation) from currant.journal
         join currant.requests request on request.parent_workflow_id = workflow_id and request.parent_chain = journal.chain
                                      and request.parent_operation = operation
         join currant.outcomes outcome on outcome.id = request.id
         where journal.kind = 'completed' and journal.body::text is distinct from outcome.result::text
            or journal.kind = 'failed' and journal.body ->> 'code' is distinct from outcome.failure ->> 'code'",
    ),
    (
        // What was lost, and was cancelled or timed out before anybody claimed it again, ends without a run of its own, and without a worker.
        "no attempt was counted twice",
        "select id, format('run %s', attempts.run) from currant.attempts join currant.outcomes outcome using (id)
         where outcome.run < attempts.run or outcome.run = attempts.run and outcome.worker_id is not null",
    ),
];

/// What is wrong with the database, one line each.
pub async fn audit(pool: &PgPool) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (rule, query) in RULES {
        for row in sqlx::query(query).fetch_all(pool).await? {
            let (id, place): (ExecutionId, String) = (row.try_get(0)?, row.try_get(1)?);
            wrong.push(format!("not true that {rule}: {id}, {place}"));
        }
    }
    let chains: Vec<(ExecutionId, i32)> =
        sqlx::query_as("select distinct workflow_id, chain from currant.journal").fetch_all(pool).await?;
    for (workflow, chain) in chains {
        for row in journal::load(pool, workflow, chain).await? {
            if row.at.map(|at| row.checksum(workflow, chain, at)) != row.sum {
                wrong.push(format!(
                    "not true that a row is as it was recorded: {workflow}, chain {chain} position {}",
                    row.position
                ));
            }
        }
    }
    Ok(wrong)
}
