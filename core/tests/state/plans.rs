//! Plans: what a worker does all the time finds its rows by indexes, whatever is in the tables.

use currant_core::{pool, sql};
use sqlx::{AssertSqlSafe, Executor};

use crate::world::World;

/// Statements of the path of an execution, and of passes that are made all the time.
const HOT: &[&str] = &[
    "commit/announce_attached.sql",
    "commit/attach.sql",
    "commit/continue_as_new.sql",
    "commit/end.sql",
    "commit/fence.sql",
    "commit/give_back.sql",
    "commit/give_up.sql",
    "commit/lock_workflows.sql",
    "commit/park.sql",
    "commit/pin_and_publish.sql",
    "commit/start_children.sql",
    "commit/suspend.sql",
    "commit/try_again.sql",
    "executions/claim.sql",
    "executions/result.sql",
    "executions/status.sql",
    "inbox/deliver.sql",
    "inbox/unseen.sql",
    "journal/load.sql",
    "maintenance/find_overdue.sql",
    "maintenance/look.sql",
    "maintenance/take_over.sql",
    "maintenance/time_out.sql",
    "maintenance/wake_due.sql",
    "workers/cancellations.sql",
    "workers/claimed.sql",
    "workers/write_progress.sql",
];

/// Tables that have a handful of rows, one per queue or function, or one per slot of a worker.
const SMALL: &[&str] = &["queues", "functions", "worker_heartbeats", "running"];

#[tokio::test]
async fn hot_statements_scan_no_table() {
    let world = World::new().await;
    let pool = pool::for_worker(&world.database.url(), 1).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let mut scans = Vec::new();
    for path in HOT {
        let (_, statement) = sql::ALL.iter().find(|(name, _)| name == path).expect("the statement exists");
        connection.execute(AssertSqlSafe(format!("prepare hot as {statement}"))).await.unwrap();
        let parameters: i64 =
            sqlx::query_scalar("select cardinality(parameter_types)::bigint from pg_prepared_statements where name = 'hot'")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
        let nulls = vec!["null"; parameters as usize].join(", ");
        let execute = if parameters == 0 { "execute hot".to_string() } else { format!("execute hot ({nulls})") };
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {execute}")))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let scanned = plan.iter().zip(plan.iter().skip(1)).filter_map(|(line, next)| whole(line, next));
        let scanned = scanned.filter(|table| !SMALL.iter().any(|small| table.starts_with(small)));
        scans.extend(scanned.map(|table| format!("{path}: {table}")));
        connection.execute("deallocate hot").await.unwrap();
    }
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}

/// The table that this node of a plan reads as a whole, if it does: in its own order, or in that of an index without a condition.
fn whole<'a>(line: &'a str, next: &str) -> Option<&'a str> {
    let (node, table) = line.split_once(" on ")?;
    let through_index = node.contains("Index Scan") || node.contains("Index Only Scan");
    let reads_all =
        node.contains("Seq Scan") || node.contains("Bitmap Heap Scan") || (through_index && !next.contains("Index Cond"));
    reads_all.then_some(table)
}
