//! Tasks: enqueued, claimed, ended.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::super::load::ORDER;
use super::{BATCH, Claims, Writer};

const ENQUEUE: &str = include_str!("../queries/floor_enqueue_tasks.sql");
const FINISH: &str = include_str!("../queries/floor_finish.sql");

/// Two connections: while one waits for its commit, the other one works.
const CONNECTIONS: usize = 2;
const SUPPLY: usize = 500;
const PENDING: i64 = 5_000;

/// Runs for ever.
pub(super) async fn run(writer: &Writer, supplied: bool) -> Result<()> {
    let pending = AtomicI64::new(0);
    let supply = async {
        match supplied {
            true => supply(writer, &pending).await,
            false => std::future::pending().await,
        }
    };
    let consumers = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| consume(writer, &pending)));
    tokio::select! {
        supplied = supply => supplied,
        consumed = consumers => consumed.map(drop),
    }
}

async fn supply(writer: &Writer, pending: &AtomicI64) -> Result<()> {
    loop {
        if pending.load(Ordering::Relaxed) < PENDING {
            let ids: Vec<Uuid> = (0..SUPPLY).map(|_| Uuid::now_v7()).collect();
            sqlx::query(ENQUEUE).bind(ids).bind(ORDER).execute(&writer.pool).await?;
            pending.fetch_add(SUPPLY as i64, Ordering::Relaxed);
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn consume(writer: &Writer, pending: &AtomicI64) -> Result<()> {
    let mut claims = Claims::new(writer.worker, writer.digest);
    loop {
        let claimed = claims.next(&writer.pool, BATCH as i64).await?;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        pending.fetch_sub(claimed.len() as i64, Ordering::Relaxed);
        let ids = claimed.iter().map(|row| row.try_get("id")).collect::<Result<Vec<Uuid>, _>>()?;
        let runs = claimed.iter().map(|row| row.try_get("run")).collect::<Result<Vec<i32>, _>>()?;
        sqlx::query(FINISH).bind(ids).bind(runs).execute(&writer.pool).await?;
    }
}
