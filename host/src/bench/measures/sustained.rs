//! Tasks for a minute: does the rate stay, and what does a transaction do to it that somebody else keeps open.

use std::time::Duration;

use anyhow::{Result, bail};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::super::load::Load;
use super::super::meter::Reading;
use super::super::report::{Report, Sample, Sustained};
use super::super::say;
use super::Bench;

const SNAPSHOT: &str = include_str!("../queries/snapshot.sql");
const ENDED_BY_SECOND: &str = include_str!("../queries/ended_by_second.sql");

impl Bench<'_> {
    pub(super) async fn sustain(&self, report: &mut Report) -> Result<()> {
        report.sustained.push(self.sustained("alone").await?);
        // Nothing that becomes dead from here on can be cleaned away: a report, a backup, or a forgotten terminal.
        let mut reader = PgConnection::connect(&self.database.url).await?;
        reader.execute(AssertSqlSafe("begin isolation level repeatable read")).await?;
        reader.execute(SNAPSHOT).await?;
        report.sustained.push(self.sustained("beside a REPEATABLE READ transaction").await?);
        reader.close().await?;
        Ok(())
    }

    async fn sustained(&self, name: &str) -> Result<Sustained> {
        let seconds = self.args.sustained;
        say(&format!("measuring tasks for {seconds} s, {name}"));
        self.database.settle(self.kept).await?;
        let mut workers = self.workers(&[self.worker()]).await?;
        let pids = workers.pids();
        let load = Load::Tasks.start(self.database);
        tokio::time::sleep(Duration::from_secs_f64(self.args.seconds / 2.0)).await;
        self.forget_statements().await?;
        let before = Reading::take(self.database, &pids).await?;
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        let after = Reading::take(self.database, &pids).await?;
        let statements_by_time = self.top_statements().await?;
        workers.check()?;
        if load.is_finished() {
            load.await??;
            bail!("the load has ended by itself");
        }
        drop(load);
        let resident = workers.resident();
        workers.stop().await?;

        let query = sqlx::query_scalar(ENDED_BY_SECOND).bind(before.at).bind(i32::try_from(seconds)?);
        let by_second: Vec<i64> = query.fetch_all(&self.database.client).await?;
        let sixth = (by_second.len() / 6).max(1);
        let rate = |seconds: &[i64]| seconds.iter().sum::<i64>() as f64 / seconds.len() as f64;
        let (first, last) = (rate(&by_second[..sixth]), rate(&by_second[by_second.len() - sixth..]));
        let sample = self.between(Load::Tasks, &before, &after).await?;
        Ok(Sustained {
            name: name.into(),
            by_second,
            first,
            last,
            last_of_first: last / first,
            sample: Sample { worker_resident_bytes: resident, statements_by_time, ..sample },
        })
    }
}
