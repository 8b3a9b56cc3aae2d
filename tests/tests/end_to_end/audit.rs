//! The audit that the proofs of crash-safety rest on finds what it is there to find.

use anyhow::{Result, ensure};
use currant_core::maintenance;
use currant_tests::{Stack, audit};
use serde_json::json;
use sqlx::AssertSqlSafe;

/// Damage to a database at rest, `$1` being a workflow with children, and what the audit says of it.
const DAMAGES: [(&str, &str); 10] = [
    (
        "delete from currant.outcomes where id = (select id from currant.requests where parent_workflow_id = $1 limit 1)",
        "has ended",
    ),
    ("insert into currant.ready (id, queue, priority, run_at, attempt) values ($1, 'default', 0, now(), 1)", "is nowhere else"),
    ("insert into currant.inbox (workflow_id, arrival, kind, name, result) values ($1, 99, 'signal', 'go', '1')", "its inbox"),
    ("delete from currant.journal where workflow_id = $1 and position = 1", "has no gap"),
    (
        "insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, hash, body, at)
         select workflow_id, chain, 99, run, sum, kind, operation, name, hash, body, at from currant.journal
         where workflow_id = $1 and kind = 'task' limit 1",
        "is recorded once",
    ),
    (
        "insert into currant.journal (workflow_id, chain, position, run, sum, kind, operation, name, hash, body, at)
         select workflow_id, chain, 98, run, sum, kind, operation, name, hash, body, at from currant.journal
         where workflow_id = $1 and kind = 'completed' limit 1",
        "is delivered once",
    ),
    (
        "update currant.requests set parent_operation = 77 where parent_workflow_id = $1 and parent_operation = 2",
        "in a history was started",
    ),
    (
        "update currant.requests set parent_operation = 78 where parent_workflow_id = $1 and parent_operation = 3",
        "nobody was started",
    ),
    ("update currant.journal set body = '99' where workflow_id = $1 and kind = 'completed'", "as it was recorded"),
    (
        "insert into currant.attempts (id, run, attempt, failure)
         select id, run, attempt, '{}' from currant.outcomes where id = $1",
        "counted twice",
    ),
];

#[tokio::test]
async fn the_audit_finds_what_was_lost_what_is_there_twice_and_what_is_stuck() -> Result<()> {
    let (stack, _worker) = Stack::with_behaviours().await?;
    let id = stack.start("fan_out", json!(5)).await?;
    stack.ended(id).await?;
    stack.until(id, "select $1 is not null and not exists (select from currant.running)").await?;
    assert_eq!(audit(stack.pool()).await?, Vec::<String>::new());
    for (damage, rule) in DAMAGES {
        sqlx::query(AssertSqlSafe(damage)).bind(id).execute(stack.pool()).await?;
        let wrong = audit(stack.pool()).await?;
        ensure!(wrong.iter().any(|line| line.contains(rule)), "{damage}: not found by the rule that {rule}: {wrong:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_lost_and_cancelled_is_not_counted_twice() -> Result<()> {
    for cancelled_first in [true, false] {
        let (stack, worker) = Stack::with_behaviours().await?;
        let id = stack.start("sleep", json!(60_000)).await?;
        stack.until_status(id, "running").await?;
        worker.kill()?;
        let cancel = sqlx::query("select currant.cancel($1)").bind(id);
        let lease_is_over = sqlx::query("update currant.worker_heartbeats set lease_until = currant.now()");
        if cancelled_first {
            cancel.execute(stack.pool()).await?;
            lease_is_over.execute(stack.pool()).await?;
            assert_eq!(maintenance::return_expired(stack.pool(), 10).await?, 1);
        } else {
            // Given back, and nobody has claimed it since: it ends without a run of its own.
            lease_is_over.execute(stack.pool()).await?;
            assert_eq!(maintenance::return_expired(stack.pool(), 10).await?, 1);
            cancel.execute(stack.pool()).await?;
        }
        assert_eq!(stack.ended(id).await?.status, "cancelled");
        assert_eq!(audit(stack.pool()).await?, Vec::<String>::new(), "cancelled first: {cancelled_first}");
    }
    Ok(())
}
