//! Workers that do nothing: without work, and with workflows that wait.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::load::enqueue;
use super::super::meter::Reading;
use super::super::processes::{WorkerOptions, Workers};
use super::super::report::{Idle, Report, Waiting};
use super::super::say;
use super::Bench;

pub(super) const WAITING: &str = include_str!("../queries/waiting.sql");
pub(super) const OPEN: &str = include_str!("../queries/open_workflows.sql");
pub(super) const SIGNAL_ALL: &str = include_str!("../queries/signal_all.sql");

/// Executions in one call.
const BATCH: u64 = 500;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// For ten thousand workflows on a small machine.
const PATIENCE: Duration = Duration::from_secs(300);

impl Bench<'_> {
    /// A worker that has started, and is left alone.
    pub(super) async fn idle(&self, report: &mut Report) -> Result<()> {
        say("measuring an idle worker");
        self.database.settle(self.kept).await?;
        let mut worker = self.workers(&[self.worker()]).await?;
        let time = if self.args.quick { 1 } else { 30 };
        tokio::time::sleep(Duration::from_secs(time) / 5).await;
        let pids = worker.pids();
        let before = Reading::take(self.database, &pids).await?;
        tokio::time::sleep(Duration::from_secs(time)).await;
        let after = Reading::take(self.database, &pids).await?;
        worker.check()?;
        let (seconds, resident_bytes) = (after.seconds_since(&before), worker.resident());
        worker.stop().await?;
        let per_second = after.cost_since(&before, seconds);
        report.idle = Some(Idle {
            seconds,
            resident_bytes,
            cpu_percent: per_second.worker_us.map(|microseconds| microseconds / 1e4),
            statements_per_second: per_second.statements,
            transactions_per_second: per_second.transactions,
        });
        Ok(())
    }

    /// Workflows that wait for a signal, all in the memory of one worker; then all of them get it.
    pub(super) async fn waiting(&self, report: &mut Report) -> Result<()> {
        let workflows = self.args.waiting;
        say(&format!("measuring {workflows} workflows that wait"));
        self.database.settle(self.kept).await?;
        let options = WorkerOptions { residents: Some(u32::try_from(workflows)?), ..self.worker() };
        let mut worker = self.workers(&[options]).await?;
        let (alone, own_alone) = (worker.resident(), worker.own());
        let began = Instant::now();
        let mut left = workflows;
        while left > 0 {
            let some = left.min(BATCH);
            enqueue(&self.database.client, "wait", "null", i64::try_from(some)?, None).await?;
            left -= some;
        }
        self.until(&mut worker, WAITING, workflows, LOOK_EVERY).await?;
        let seconds_to_wait = began.elapsed().as_secs_f64();
        let (resident_bytes, own_bytes) = (worker.resident(), worker.own());

        let began = Instant::now();
        loop {
            let told: i64 = sqlx::query_scalar(SIGNAL_ALL).bind(BATCH as i64).fetch_one(&self.database.client).await?;
            if told == 0 {
                break;
            }
        }
        self.until(&mut worker, OPEN, 0, LOOK_EVERY).await?;
        let seconds_to_end = began.elapsed().as_secs_f64();
        worker.stop().await?;
        let each = |whole: u64, alone: u64| (whole.saturating_sub(alone)) as f64 / workflows.max(1) as f64;
        report.waiting = Some(Waiting {
            workflows,
            seconds_to_wait,
            resident_bytes,
            resident_bytes_each: resident_bytes.zip(alone).map(|(whole, alone)| each(whole, alone)),
            own_bytes,
            own_bytes_each: own_bytes.zip(own_alone).map(|(whole, alone)| each(whole, alone)),
            seconds_to_end,
        });
        Ok(())
    }

    /// Waits until a count is what it should come to.
    pub(super) async fn until(
        &self,
        worker: &mut Workers,
        count: &'static str,
        wanted: u64,
        look_every: Duration,
    ) -> Result<()> {
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(count).fetch_one(&self.database.client).await? != wanted as i64 {
            worker.check()?;
            self.none_has_failed().await?;
            ensure!(began.elapsed() < PATIENCE, "the workflows do not come to where they should");
            tokio::time::sleep(look_every).await;
        }
        Ok(())
    }
}
