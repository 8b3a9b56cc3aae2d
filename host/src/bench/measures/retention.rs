//! Deleting what is kept long enough, while everything goes on: does anybody wait for it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use currant_core::Client;
use currant_core::ids::QueueName;
use currant_core::queues::QueueSettings;
use tokio_util::task::AbortOnDropHandle;

use super::super::database::Kept;
use super::super::load::Load;
use super::super::report::{Latency, Report, Retention};
use super::super::say;
use super::{Bench, HISTORY, LOOK_EVERY, PATIENCE};

const DUE: &str = include_str!("../queries/retention_due.sql");
const ENDED_ALL: &str = include_str!("../queries/ended_all.sql");
const LOCK_WAITS: &str = include_str!("../queries/lock_waits.sql");

impl Bench<'_> {
    /// Latency and throughput while nothing is deleted, and then while all that has ended is.
    pub(super) async fn retention(&mut self, report: &mut Report) -> Result<()> {
        let rows = self.args.history;
        self.database.empty().await?;
        say(&format!("writing {rows} executions that have ended"));
        self.in_bulk(rows, |count, after| sqlx::query(HISTORY).bind(count).bind(after).bind("noop")).await?;
        self.kept = Kept::History;
        let client = Client::new(self.database.client.clone());

        say("measuring while nothing is deleted");
        let worker = self.workers(&[self.worker()]).await?;
        let quiet = self.start_and_listen(&client).await?;
        worker.stop().await?;
        self.throughput(report, "tasks, while nothing is deleted", Load::Tasks, &[self.worker()], false).await?;

        say("measuring while they are deleted");
        let mut short = QueueSettings::default();
        short.set("retention_tasks", "1h").map_err(anyhow::Error::msg)?;
        client.configure_queue(&QueueName::parse("default")?, &short).await?;
        let before = self.ended().await?;
        let mut worker = self.deleting(before).await?;
        let waits = Waits::watch(self.database.client.clone());
        let began = Instant::now();
        let first = self.ended().await?;
        let deleting = self.start_and_listen(&client).await?;
        let (seconds, left) = (began.elapsed().as_secs_f64(), self.ended().await?);
        worker.check()?;
        worker.stop().await?;
        let deleted = first + deleting.len() as i64 - left;
        sqlx::query(DUE).execute(&self.database.client).await?;
        self.throughput(report, "tasks, while others are deleted", Load::Tasks, &[self.worker()], false).await?;

        let (waited, looks) = waits.so_far();
        let (quiet, deleting) = (
            Latency::of("start → result, while nothing is deleted", quiet),
            Latency::of("start → result, while others are deleted", deleting),
        );
        if let [.., without, with] = &report.throughput[..] {
            report.retention = Some(Retention {
                rows,
                deleted_per_second: deleted as f64 / seconds,
                throughput_of_quiet: with.system.per_second / without.system.per_second,
                p50_of_quiet: deleting.p50_ms / quiet.p50_ms,
                p99_of_quiet: deleting.p99_ms / quiet.p99_ms,
                looks,
                waits_for_locks: waited,
            });
        }
        report.latency.extend([quiet, deleting]);
        client.reset_queue(&QueueName::parse("default")?, None).await?;
        self.kept = Kept::Nothing;
        self.database.settle(self.kept).await
    }

    /// A worker that makes a pass.
    async fn deleting(&self, before: i64) -> Result<super::Workers> {
        sqlx::query(DUE).execute(&self.database.client).await?;
        let mut worker = self.workers(&[self.worker()]).await?;
        let began = Instant::now();
        while self.ended().await? >= before && before > 0 {
            worker.check()?;
            ensure!(began.elapsed() < PATIENCE, "nothing is deleted");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(worker)
    }

    async fn ended(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(ENDED_ALL).fetch_one(&self.database.client).await?)
    }
}

/// Looks every few milliseconds whether somebody waits for a lock.
struct Waits {
    seen: Arc<(AtomicU64, AtomicU64)>,
    _looking: AbortOnDropHandle<()>,
}

impl Waits {
    fn watch(pool: sqlx::PgPool) -> Waits {
        let seen = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let counts = seen.clone();
        let looking = tokio::spawn(async move {
            loop {
                if let Ok(waiting) = sqlx::query_scalar::<_, i64>(LOCK_WAITS).fetch_one(&pool).await {
                    counts.0.fetch_add(u64::from(waiting > 0), Ordering::Relaxed);
                    counts.1.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Waits { seen, _looking: AbortOnDropHandle::new(looking) }
    }

    /// How often somebody waited, of how many looks.
    fn so_far(&self) -> (u64, u64) {
        (self.seen.0.load(Ordering::Relaxed), self.seen.1.load(Ordering::Relaxed))
    }
}
