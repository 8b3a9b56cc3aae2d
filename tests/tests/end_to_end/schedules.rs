//! Schedules while workers come and go: each time fires once, and none is left out.

use std::time::Duration;

use anyhow::Result;
use currant_tests::{Stack, behaviours};
use uuid::Uuid;

const MINUTES: i64 = 16;

/// Goal: exactly one execution per schedule and time, whatever becomes of the workers. Method: three of them, three schedules, a clock that
/// jumps from minute to minute, and after each fourth jump a worker that is killed, at whatever it does, and another that is started.
#[tokio::test]
async fn each_time_of_a_schedule_starts_one_execution_while_workers_are_killed() -> Result<()> {
    let stack = Stack::new().await;
    // The clock does not leap over their leases, until it is meant to.
    let worker = || stack.worker_with(&["--lease", "1h"]);
    let mut workers = vec![worker()?, worker()?, worker()?];
    stack.deploy(&behaviours()).await?;
    for name in ["first", "second", "third"] {
        let made = ["schedules", "create", name, "echo", "--cron", "* * * * *", "--overlap", "allow", "--catch-up", "1d"];
        stack.currant_ok(&made).await?;
    }
    let fired = |at_least: i64| {
        format!(
            "select count(*) = 3 from (select schedule from currant.schedule_fires group by schedule
             having count(*) >= {at_least}) as fired where $1::uuid is not null"
        )
    };
    for minute in 1..=MINUTES {
        stack.database.clock().advance(Duration::from_secs(60)).await;
        if minute % 4 == 0 {
            // While it looks at the times that have just come, or at what they have started.
            workers.remove(0).kill()?;
            workers.push(worker()?);
        } else if minute % 4 == 2 {
            stack.until(Uuid::nil(), &fired(minute - 2)).await?;
        }
    }
    stack.until(Uuid::nil(), &fired(MINUTES)).await?;
    for name in ["first", "second", "third"] {
        stack.currant_ok(&["schedules", "pause", name]).await?;
    }
    // What killed workers had begun is taken over.
    workers.into_iter().try_for_each(|worker| worker.kill())?;
    stack.database.clock().advance(Duration::from_secs(2 * 3600)).await;
    let _last = stack.worker()?;
    let all_ended = "select bool_and(status = 'completed') from currant.executions where $1::uuid is not null";
    stack.until(Uuid::nil(), all_ended).await?;

    let (fires, times, executions, started): (i64, i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct (schedule, fire_at)), count(distinct execution_id), (select count(*) from currant.requests)
         from currant.schedule_fires where status = 'started'",
    )
    .fetch_one(stack.pool())
    .await?;
    assert_eq!((times, executions, started), (fires, fires, fires), "each has an execution of its own, and there is no other");
    let gaps: i64 = sqlx::query_scalar(
        "select count(*) from (select fire_at - lag(fire_at) over (partition by schedule order by fire_at) as since
         from currant.schedule_fires) as fire where since <> interval '1 minute'",
    )
    .fetch_one(stack.pool())
    .await?;
    assert_eq!(gaps, 0, "no minute is left out");
    assert!(fires >= 3 * MINUTES, "{fires} fires");
    Ok(())
}
