//! What one more costs in a workflow that has many already: children at once, steps run through, and steps replayed.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::load::enqueue;
use super::super::meter::Reading;
use super::super::processes::{WorkerOptions, Workers};
use super::super::report::{Report, Scaling};
use super::super::say;
use super::Bench;
use super::memory::{OPEN, SIGNAL_ALL, WAITING};

/// Children of one workflow that are in flight at once.
const CHILDREN: [u32; 4] = [10, 100, 1_000, 5_000];
/// Steps of one workflow.
const STEPS: [u32; 3] = [1_000, 5_000, 20_000];
/// What `--quick` makes do with.
const FEW: [u32; 2] = [10, 50];
/// So many children at least are counted: of a few alone the figures would be those of the start.
const COUNTED: u32 = 1_000;
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Bench<'_> {
    /// Workflows that start so many tasks at once and wait for all of them, one workflow after the other.
    pub(super) async fn children(&self, report: &mut Report) -> Result<()> {
        let mut worker = self.workers(&[self.worker()]).await?;
        for count in self.sizes(&CHILDREN) {
            say(&format!("measuring workflows of {count} children at once"));
            self.database.settle(self.kept).await?;
            self.one_after_the_other(&mut worker, "children", count, 1).await?;
            let workflows = if self.args.quick { 1 } else { COUNTED.div_ceil(count) };
            let measured = self.one_after_the_other(&mut worker, "children", count, workflows).await?;
            report.scaling.push(measured.named("children at once"));
        }
        worker.stop().await
    }

    /// A workflow of so many steps that then waits, and is replayed when it gets its signal: nothing is kept in memory.
    pub(super) async fn replay(&self, report: &mut Report) -> Result<()> {
        let options = WorkerOptions { residents: Some(0), ..self.worker() };
        let mut worker = self.workers(&[options]).await?;
        for count in self.sizes(&STEPS) {
            say(&format!("measuring a workflow of {count} steps"));
            self.database.settle(self.kept).await?;
            let began = self.begin(&worker).await?;
            enqueue(&self.database.client, "steps_and_wait", &count.to_string(), 1, None).await?;
            self.until(&mut worker, WAITING, 1, LOOK_EVERY).await?;
            report.scaling.push(self.end(&worker, began, count, count).await?.named("steps, run through"));

            let began = self.begin(&worker).await?;
            let _: i64 = sqlx::query_scalar(SIGNAL_ALL).bind(1_i64).fetch_one(&self.database.client).await?;
            self.until(&mut worker, OPEN, 0, LOOK_EVERY).await?;
            report.scaling.push(self.end(&worker, began, count, count).await?.named("steps, replayed"));
        }
        worker.stop().await
    }

    fn sizes(&self, all: &[u32]) -> Vec<u32> {
        if self.args.quick { FEW.to_vec() } else { all.to_vec() }
    }

    async fn one_after_the_other(&self, worker: &mut Workers, function: &str, size: u32, workflows: u32) -> Result<Scaling> {
        let began = self.begin(worker).await?;
        for _ in 0..workflows {
            enqueue(&self.database.client, function, &size.to_string(), 1, None).await?;
            self.until(worker, OPEN, 0, LOOK_EVERY).await?;
        }
        self.end(worker, began, size, size * workflows).await
    }

    async fn begin(&self, worker: &Workers) -> Result<(Instant, Reading)> {
        let reading = Reading::take(self.database, &worker.pids()).await?;
        Ok((Instant::now(), reading))
    }

    /// What each of `counted` has cost since the beginning, in workflows of this size.
    async fn end(&self, worker: &Workers, (began, before): (Instant, Reading), size: u32, counted: u32) -> Result<Scaling> {
        let seconds = began.elapsed().as_secs_f64();
        let cost = Reading::take(self.database, &worker.pids()).await?.cost_since(&before, f64::from(counted));
        Ok(Scaling {
            name: "",
            size,
            wall_us: seconds * 1e6 / f64::from(counted),
            worker_us: cost.worker_us,
            postgres_us: cost.postgres_us,
            wal_bytes: cost.wal_bytes,
        })
    }
}

impl Scaling {
    fn named(self, name: &'static str) -> Scaling {
        Scaling { name, ..self }
    }
}
