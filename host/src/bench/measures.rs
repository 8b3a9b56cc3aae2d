//! Everything that is measured on the database, in the order of the report.

mod enqueue;
mod latency;
mod memory;
mod rate_limits;
mod retention;
mod scaling;
mod sustained;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, stream};
use sqlx::Row;
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use super::database::{Database, Kept};
use super::load::Load;
use super::meter::Reading;
use super::processes::{WorkerOptions, Workers};
use super::report::{Report, Sample, Statement, Throughput};
use super::{BenchArgs, Measure, floor, say};
use crate::WorkerSettings;

const NOW: &str = include_str!("queries/now.sql");
const ENDED_ANY: &str = include_str!("queries/ended_any.sql");
const ENDED_BETWEEN: &str = include_str!("queries/ended_between.sql");
const FAILED: &str = include_str!("queries/failed.sql");
const FORGET_STATEMENTS: &str = include_str!("queries/forget_statements.sql");
const TOP_STATEMENTS: &str = include_str!("queries/top_statements.sql");
const HISTORY: &str = include_str!("queries/history.sql");
const BACKLOG: &str = include_str!("queries/backlog.sql");
const CONFIGURE_QUEUE: &str = include_str!("queries/configure_queue.sql");

/// Workflows of tasks in flight.
const AT_ONCE: u32 = 100;
/// Workflows of steps in flight: so many that a group commit begins to pay, and so many that it should have paid off.
const FEW: u32 = 50;
const MANY: u32 = 500;
/// How long it may take until the first execution has ended.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Rows of a statement that writes in bulk.
const BULK: usize = 100_000;
/// A queue that nobody serves.
const STALLED: &str = "stalled";

/// The counters before and after each round, and the statements of all of them.
struct Rounds {
    readings: Vec<(Reading, Reading)>,
    statements: Vec<Statement>,
}

/// A benchmark that is under way.
pub(super) struct Bench<'a> {
    args: &'a BenchArgs,
    database: &'a Database,
    component: Vec<u8>,
    cores: usize,
    /// The workers' folder: their logs, and their cache of compiled code.
    folder: TempDir,
    kept: Kept,
}

impl<'a> Bench<'a> {
    pub(super) fn new(args: &'a BenchArgs, database: &'a Database, component: Vec<u8>, cores: usize) -> Result<Bench<'a>> {
        Ok(Bench { args, database, component, cores, folder: tempfile::tempdir()?, kept: Kept::Nothing })
    }

    /// Measures what is asked for.
    pub(super) async fn measure(mut self, report: &mut Report) -> Result<()> {
        let mut worker = self.workers(&[WorkerOptions::default()]).await?;
        worker.deploy(self.database, &self.component).await?;
        worker.stop().await?;

        if self.args.wants(Measure::Tasks) {
            self.throughput(report, "tasks", Load::Tasks, &[self.worker()], true).await?;
        }
        if self.args.wants(Measure::Enqueue) {
            self.enqueue(report).await?;
        }
        if self.args.wants(Measure::WorkflowsOfTasks) {
            self.throughput(report, "workflows of 10 tasks", Load::WorkflowsOfTasks(AT_ONCE), &[self.worker()], true).await?;
        }
        if self.args.wants(Measure::WorkflowsOfSteps) {
            for at_once in [FEW, MANY] {
                self.steps(report, at_once, "").await?;
            }
        }
        if self.args.wants(Measure::Latency) {
            self.start_to_result(report, "").await?;
        }
        if self.args.wants(Measure::Workers) {
            for count in [1, 2, 4] {
                let workers = vec![self.worker(); count];
                self.throughput(report, "tasks", Load::Tasks, &workers, false).await?;
            }
            self.wake_up(report).await?;
        }
        if self.args.wants(Measure::Sustained) {
            self.sustain(report).await?;
        }
        if self.args.wants(Measure::History) {
            self.with_history(report).await?;
        }
        if self.args.wants(Measure::Backlog) {
            self.with_backlog(report).await?;
        }
        if self.args.wants(Measure::Queues) {
            self.many_queues(report).await?;
        }
        if self.args.wants(Measure::RateLimits) {
            self.rate_limits(report).await?;
        }
        if self.args.wants(Measure::Retention) {
            self.retention(report).await?;
        }
        if self.args.wants(Measure::Idle) {
            self.idle(report).await?;
        }
        if self.args.wants(Measure::Waiting) {
            self.waiting(report).await?;
        }
        if self.args.wants(Measure::Children) {
            self.children(report).await?;
        }
        if self.args.wants(Measure::Replay) {
            self.replay(report).await?;
        }
        Ok(())
    }

    async fn steps(&self, report: &mut Report, at_once: u32, suffix: &str) -> Result<()> {
        let worker = WorkerOptions { slots: Some(at_once), ..WorkerOptions::default() };
        let name = format!("workflows of 10 steps, {at_once} at once{suffix}");
        self.throughput(report, &name, Load::WorkflowsOfSteps(at_once), &[worker], true).await
    }

    /// The same again, when there is much that nobody should read any more.
    async fn with_history(&mut self, report: &mut Report) -> Result<()> {
        let suffix = format!(", after {} others", self.args.history);
        say(&format!("writing {} executions that have ended", self.args.history));
        self.in_bulk(self.args.history, |count, after| sqlx::query(HISTORY).bind(count).bind(after).bind("noop")).await?;
        self.kept = Kept::History;
        self.again(report, &suffix).await
    }

    /// The same again, while there is much that is pending: where nobody looks, and where everybody looks.
    async fn with_backlog(&mut self, report: &mut Report) -> Result<()> {
        let pending = self.args.backlog;
        say(&format!("writing {pending} executions that are pending"));
        sqlx::query(CONFIGURE_QUEUE).bind(STALLED).bind(true).execute(&self.database.client).await?;
        self.in_bulk(pending, |count, after| sqlx::query(BACKLOG).bind(count).bind(after).bind("noop").bind(STALLED)).await?;
        self.kept = Kept::Pending(STALLED);
        self.again(report, &format!(", {pending} pending in a paused queue")).await?;
        self.in_bulk(pending, |count, after| sqlx::query(BACKLOG).bind(count).bind(after).bind("noop").bind("default")).await?;
        self.kept = Kept::Pending("default");
        self.throughput(report, &format!("tasks, of {pending} pending"), Load::Backlog, &[self.worker()], false).await?;
        self.kept = Kept::Nothing;
        self.database.settle(self.kept).await
    }

    async fn again(&mut self, report: &mut Report, suffix: &str) -> Result<()> {
        self.throughput(report, &format!("tasks{suffix}"), Load::Tasks, &[self.worker()], true).await?;
        let (name, load) = (format!("workflows of 10 tasks{suffix}"), Load::WorkflowsOfTasks(AT_ONCE));
        self.throughput(report, &name, load, &[self.worker()], true).await?;
        self.steps(report, FEW, suffix).await?;
        self.start_to_result(report, suffix).await?;
        self.kept = Kept::Nothing;
        self.database.settle(self.kept).await
    }

    /// Measures the system under a load, and before it the floor under the same.
    async fn throughput(
        &self,
        report: &mut Report,
        name: &str,
        load: Load,
        workers: &[WorkerOptions],
        with_floor: bool,
    ) -> Result<()> {
        let slots = workers.first().and_then(|worker| worker.slots).unwrap_or_else(|| WorkerSettings::default().slots);
        let floor = match with_floor {
            true => {
                say(&format!("measuring the floor: {name}"));
                Some(self.floor(load, slots).await?)
            }
            false => None,
        };
        say(&format!("measuring the system: {name}, workers: {}", workers.len()));
        let system = self.system(load, workers).await?;
        let of_sandbox = |name| report.sandbox.iter().find(|of| of.name == name).and_then(|of| of.cpu_us);
        let sandbox = match load {
            Load::Tasks | Load::Backlog => of_sandbox("noop"),
            Load::WorkflowsOfSteps(_) => of_sandbox("steps"),
            Load::WorkflowsOfTasks(_) => {
                of_sandbox("tasks").zip(of_sandbox("noop")).map(|(flow, task)| flow + f64::from(super::load::TEN) * task)
            }
        };
        let count = u32::try_from(workers.len())?;
        report.throughput.push(Throughput::new(name, (count, slots), floor, system, sandbox, self.cores));
        Ok(())
    }

    async fn floor(&self, load: Load, slots: u32) -> Result<Sample> {
        self.database.settle(self.kept).await?;
        let driver = floor::start(self.database, load, slots);
        let rounds = self.rounds(load, driver, None).await?;
        self.sample(load, rounds).await
    }

    async fn system(&self, load: Load, workers: &[WorkerOptions]) -> Result<Sample> {
        self.database.settle(self.kept).await?;
        let mut workers = self.workers(workers).await?;
        let rounds = self.rounds(load, load.start(self.database), Some(&mut workers)).await?;
        let resident = workers.resident();
        workers.stop().await?;
        let sample = self.sample(load, rounds).await?;
        Ok(Sample { worker_resident_bytes: resident, ..sample })
    }

    /// Reads the counters before and after each round, while the load goes on.
    async fn rounds(
        &self,
        load: Load,
        driver: AbortOnDropHandle<Result<()>>,
        mut workers: Option<&mut Workers>,
    ) -> Result<Rounds> {
        let round = Duration::from_secs_f64(self.args.seconds);
        // Until connections are made, statements are planned, and caches are filled.
        self.until_some_ended(load, &driver, workers.as_deref_mut()).await?;
        tokio::time::sleep(round / 2).await;
        self.forget_statements().await?;
        let pids = workers.as_ref().map(|workers| workers.pids()).unwrap_or_default();
        let mut readings = Vec::new();
        for _ in 0..self.args.rounds {
            let before = Reading::take(self.database, &pids).await?;
            tokio::time::sleep(round).await;
            readings.push((before, Reading::take(self.database, &pids).await?));
            if let Some(workers) = &mut workers {
                workers.check()?;
            }
            if driver.is_finished() {
                driver.await??;
                bail!("the load has ended by itself");
            }
        }
        Ok(Rounds { readings, statements: self.top_statements().await? })
    }

    async fn until_some_ended(
        &self,
        load: Load,
        driver: &AbortOnDropHandle<Result<()>>,
        mut workers: Option<&mut Workers>,
    ) -> Result<()> {
        let began = Instant::now();
        let since: DateTime<Utc> = sqlx::query_scalar(NOW).fetch_one(&self.database.client).await?;
        while !sqlx::query_scalar(ENDED_ANY).bind(load.kind()).bind(since).fetch_one(&self.database.client).await? {
            if let Some(workers) = &mut workers {
                workers.check()?;
            }
            ensure!(!driver.is_finished() && began.elapsed() < PATIENCE, "nothing ends under this load");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The round with the median rate.
    async fn sample(&self, load: Load, rounds: Rounds) -> Result<Sample> {
        let mut samples = Vec::new();
        for (before, after) in &rounds.readings {
            samples.push(self.between(load, before, after).await?);
        }
        samples.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
        let median = samples.swap_remove(samples.len() / 2);
        Ok(Sample { statements_by_time: rounds.statements, ..median })
    }

    /// What happened between two readings. Nothing may have failed: it would have been cheaper than what was to be measured.
    async fn between(&self, load: Load, before: &Reading, after: &Reading) -> Result<Sample> {
        self.none_has_failed().await?;
        let query = sqlx::query_scalar(ENDED_BETWEEN).bind(load.kind()).bind(before.at).bind(after.at);
        let executions: i64 = query.fetch_one(&self.database.client).await?;
        let seconds = after.seconds_since(before);
        Ok(Sample {
            executions,
            seconds,
            per_second: executions as f64 / seconds,
            cost: after.cost_since(before, executions as f64),
            cores_of_others: after.cores_of_others_since(before),
            worker_resident_bytes: None,
            statements_by_time: Vec::new(),
        })
    }

    async fn none_has_failed(&self) -> Result<()> {
        let failed = sqlx::query(FAILED).fetch_one(&self.database.client).await?;
        let count: i64 = failed.try_get("failed")?;
        let message: Option<String> = failed.try_get("message")?;
        ensure!(count == 0, "{count} executions did not complete: {}", message.unwrap_or_default());
        Ok(())
    }

    async fn forget_statements(&self) -> Result<()> {
        if self.args.statements > 0 && self.database.counts_statements {
            sqlx::query(FORGET_STATEMENTS).execute(&self.database.client).await?;
        }
        Ok(())
    }

    async fn top_statements(&self) -> Result<Vec<Statement>> {
        if self.args.statements == 0 || !self.database.counts_statements {
            return Ok(Vec::new());
        }
        let query = sqlx::query_as(TOP_STATEMENTS).bind(i64::from(self.args.statements));
        Ok(query.fetch_all(&self.database.client).await?)
    }

    /// Writes so many rows, in statements of a bearable size that know how many were written before, and vacuums.
    async fn in_bulk(
        &self,
        count: u64,
        query: impl Fn(i64, i64) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<()> {
        let count = i64::try_from(count)?;
        let batches = (0..count).step_by(BULK).map(|written| query((count - written).min(BULK as i64), written));
        // As many at once as a small machine has cores; the rows of both lie near each other.
        stream::iter(batches.map(Ok))
            .try_for_each_concurrent(2, |batch| async move { batch.execute(&self.database.client).await.map(drop) })
            .await?;
        self.database.vacuum().await
    }

    fn worker(&self) -> WorkerOptions {
        WorkerOptions { slots: self.args.slots, ..WorkerOptions::default() }
    }

    async fn workers(&self, options: &[WorkerOptions]) -> Result<Workers> {
        Workers::start(self.database, self.folder.path(), options).await
    }
}
