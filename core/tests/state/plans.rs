//! Plans: what a worker does all the time finds its rows by indexes, whatever is in the tables.

use currant_core::{pool, sql};
use sqlx::{AssertSqlSafe, Executor};

use crate::world::World;

/// Statements of the path of an execution, and of passes that are made all the time.
const HOT: &[&str] = &[
    "commit/announce_attached.sql",
    "commit/attach.sql",
    "commit/continue_as_new.sql",
    "commit/decide.sql",
    "commit/end.sql",
    "commit/end_alone.sql",
    "commit/fence.sql",
    "commit/give_back.sql",
    "commit/give_up.sql",
    "commit/lock_workflows.sql",
    "commit/park.sql",
    "commit/try_again.sql",
    "commit/pause_buckets.sql",
    "executions/choose.sql",
    "executions/claim.sql",
    "executions/result.sql",
    "executions/status.sql",
    "inbox/unseen.sql",
    "journal/append_alone.sql",
    "journal/load.sql",
    "maintenance/end_cancelled.sql",
    "maintenance/find_cancelled.sql",
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
const SMALL: &[&str] = &["queues", "rate_limits", "functions", "worker_heartbeats", "running"];

/// Read as a whole by an index that has only what nobody has decided yet: the statement, and the table.
const UNDECIDED: &[(&str, &str)] = &[("maintenance/look.sql", "schedule_fires"), ("maintenance/look.sql", "deployments")];

/// Those whose plans are compared as a whole: by Postgres 15, whose planner is the oldest that is supported.
const GOLDEN: &[&str] = &[
    "commit/decide.sql",
    "commit/end.sql",
    "commit/end_alone.sql",
    "executions/choose.sql",
    "executions/claim.sql",
    "maintenance/look.sql",
    "maintenance/wake_due.sql",
    "retention/sweep.sql",
];

/// `INSTA_UPDATE=always` rewrites the files in `plans/`; they are reviewed like code.
#[tokio::test]
async fn the_plans_of_hot_statements_are_those_on_file() {
    let world = World::new().await;
    let pool = pool::for_worker(&world.database.url(), 1).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let version: String =
        sqlx::query_scalar("select current_setting('server_version_num')").fetch_one(&mut *connection).await.unwrap();
    for path in GOLDEN {
        let plan = plan(&mut connection, path, "explain (costs off)").await.join("\n");
        assert!(plan.contains("Index Scan") || plan.contains("Index Only Scan"), "{path}: {plan}");
        if version.starts_with("15") {
            let name = path.trim_end_matches(".sql").replace('/', "_");
            insta::with_settings!({ snapshot_path => "../plans", prepend_module_to_snapshot => false, omit_expression => true },
                { insta::assert_snapshot!(name, plan) });
        }
    }
}

/// The plan of a statement, as a worker's connection makes it.
async fn plan(connection: &mut sqlx::PgConnection, path: &str, explain: &str) -> Vec<String> {
    let (_, statement) = sql::ALL.iter().find(|(name, _)| *name == path).expect("the statement exists");
    connection.execute(AssertSqlSafe(format!("prepare hot as {statement}"))).await.unwrap();
    let parameters: i64 =
        sqlx::query_scalar("select cardinality(parameter_types)::bigint from pg_prepared_statements where name = 'hot'")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    let nulls = vec!["null"; parameters as usize].join(", ");
    let execute = if parameters == 0 { "execute hot".to_string() } else { format!("execute hot ({nulls})") };
    let plan = sqlx::query_scalar(AssertSqlSafe(format!("{explain} {execute}")))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    connection.execute("deallocate hot").await.unwrap();
    plan
}

#[tokio::test]
async fn hot_statements_scan_no_table() {
    let world = World::new().await;
    let pool = pool::for_worker(&world.database.url(), 1).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let mut scans = Vec::new();
    for path in HOT {
        let plan = plan(&mut connection, path, "explain").await;
        let scanned = plan.iter().zip(plan.iter().skip(1)).filter_map(|(line, next)| whole(line, next));
        let scanned = scanned.filter(|table| !SMALL.iter().any(|small| table.starts_with(small)));
        let scanned = scanned.filter(|table| !UNDECIDED.iter().any(|(of, few)| of == path && table.starts_with(few)));
        scans.extend(scanned.map(|table| format!("{path}: {table}")));
    }
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}

/// What claims and commits rest on is a probe for each row also when a table was vacuumed while it was empty, as it is on a quiet night: the
/// planner then believes that it stays so, and would rather read it as a whole.
#[tokio::test]
async fn a_night_without_work_makes_nothing_slow() {
    let world = World::new().await;
    for id in 0..200 {
        world.start(if id % 2 == 0 { "charge" } else { "checkout" }).await;
    }
    world.claim(100).await;
    for table in ["ready", "running", "workflows", "inbox"] {
        world.pool().execute(AssertSqlSafe(format!("delete from currant.{table}"))).await.unwrap();
        world.pool().execute(AssertSqlSafe(format!("vacuum analyze currant.{table}"))).await.unwrap();
    }
    let pool = pool::for_worker(&world.database.url(), 1).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    for path in [
        "commit/decide.sql",
        "commit/end.sql",
        "commit/end_alone.sql",
        "commit/fence.sql",
        "executions/choose.sql",
        "executions/claim.sql",
        "journal/append_alone.sql",
    ] {
        let plan = plan(&mut connection, path, "explain").await;
        let read = plan.iter().zip(plan.iter().skip(1)).filter_map(|(line, next)| whole(line, next));
        // Who counts what a queue runs reads all that runs.
        let hot: &[&str] =
            if path == "executions/choose.sql" { &["ready"] } else { &["ready", "running ", "workflows", "inbox"] };
        let read: Vec<_> = read.filter(|table| hot.iter().any(|hot| table.starts_with(hot))).collect();
        assert!(read.is_empty(), "{path}: {read:?}\n{}", plan.join("\n"));
    }
}

/// The table that this node of a plan reads as a whole, if it does: in its own order, or in that of an index without a condition.
fn whole<'a>(line: &'a str, next: &str) -> Option<&'a str> {
    let (node, table) = line.split_once(" on ")?;
    let through_index = node.contains("Index Scan") || node.contains("Index Only Scan");
    let reads_all =
        node.contains("Seq Scan") || node.contains("Bitmap Heap Scan") || (through_index && !next.contains("Index Cond"));
    reads_all.then_some(table)
}
