//! One task on an idle server: its enqueue is committed and notified, it is claimed, its end is committed and notified, its result is read.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use currant_core::ids::{Digest, WorkerId};
use sqlx::Row;
use sqlx::postgres::PgListener;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::super::database::Database;
use super::super::load::ORDER;
use super::Claims;

const ENQUEUE: &str = include_str!("../queries/floor_enqueue_one.sql");
const FINISH: &str = include_str!("../queries/floor_finish_one.sql");
const RESULT: &str = include_str!("../queries/floor_result.sql");

/// The times from the start to the result of so many tasks, one after the other.
pub(in super::super) async fn start_to_result(database: &Database, count: u32, pause: Duration) -> Result<Vec<Duration>> {
    let mut ready = PgListener::connect_with(&database.floor).await?;
    ready.listen("currant_bench_ready").await?;
    let mut ended = PgListener::connect_with(&database.floor).await?;
    ended.listen("currant_bench_ended").await?;
    let pool = database.floor.clone();
    let worker = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut claims = Claims::new(WorkerId::random(), Digest::of(b"the floor runs nothing"));
        let mut connection = pool.acquire().await?;
        loop {
            ready.recv().await?;
            for row in claims.next(&mut *connection, 1).await? {
                let (id, run): (Uuid, i32) = (row.try_get("id")?, row.try_get("run")?);
                sqlx::query(FINISH).bind(id).bind(run).execute(&mut *connection).await?;
            }
        }
        #[expect(unreachable_code, reason = "it says which errors the block has")]
        anyhow::Ok(())
    }));
    let mut times = Vec::new();
    let mut client = database.floor.acquire().await?;
    for _ in 0..count {
        let (id, began) = (Uuid::now_v7(), Instant::now());
        sqlx::query(ENQUEUE).bind(id).bind(ORDER).execute(&mut *client).await?;
        loop {
            anyhow::ensure!(!worker.is_finished(), "the floor's worker has ended");
            let told = tokio::time::timeout(Duration::from_secs(5), ended.recv()).await.context("no notification came")??;
            if told.payload() == id.to_string() {
                break;
            }
        }
        sqlx::query(RESULT).bind(id).fetch_one(&mut *client).await?;
        times.push(began.elapsed());
        tokio::time::sleep(pause).await;
    }
    Ok(times)
}
