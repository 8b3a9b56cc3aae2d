//! Rate limits: whether what a limit allows is delivered, and never more; whether a change holds at once; what a limit costs that does
//! not bind. What is counted are the times of the claims, which are those of the bucket.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use currant_core::Client;
use currant_core::executions::NewExecution;
use currant_core::ids::{FunctionName, QueueName};
use currant_core::queues::QueueSettings;
use currant_core::values::Json;

use super::super::load::{Load, ORDER};
use super::super::report::{RateLimited, Report};
use super::super::say;
use super::Bench;

const CLAIMS: &str = include_str!("../queries/claims_of_queue.sql");
const EPOCH: &str = include_str!("../queries/epoch.sql");

const PACED: &str = "paced";
const RATE: u32 = 200;
const RAISED: u32 = 600;
const LOWERED: u32 = 100;
const BURST: u32 = 20;
/// Until all workers have found the queue, and the burst is used up.
const WARM_UP: f64 = 1.0;
/// How long a changed limit is watched.
const WATCHED: f64 = 6.0;
const FEW_WORKERS: usize = 1;
const MANY_WORKERS: usize = 8;

impl Bench<'_> {
    pub(super) async fn rate_limits(&self, report: &mut Report) -> Result<()> {
        for workers in [FEW_WORKERS, if self.args.quick { 2 } else { MANY_WORKERS }] {
            report.rate_limits.push(self.paced(workers).await?);
        }
        self.loose(report).await
    }

    async fn paced(&self, count: usize) -> Result<RateLimited> {
        let seconds = f64::from(self.args.sustained);
        let watched = if self.args.quick { 1.0 } else { WATCHED };
        say(&format!(
            "measuring a limit of {RATE}/sec for {seconds} s, workers: {count}; then {RAISED}/sec, and {LOWERED}/sec"
        ));
        self.database.settle(self.kept).await?;
        let client = Client::new(self.database.client.clone());
        let queue = QueueName::parse(PACED)?;
        let limit = async |rate: u32| -> Result<f64> {
            let (rate, burst) = (format!("{rate}/sec"), BURST.to_string());
            client.configure_queue(&queue, &settings(&[("rate_limit", rate.as_str()), ("burst", burst.as_str())])?).await?;
            self.epoch().await
        };
        limit(RATE).await?;
        let all = f64::from(RATE) * (seconds + WARM_UP + 5.0) + f64::from(RAISED + LOWERED) * (watched + 2.0);
        let input = Json::parse(ORDER.into())?;
        let new = NewExecution { queue: Some(queue.clone()), ..NewExecution::new(FunctionName::parse("noop")?, input.clone()) };
        for _ in 0..(all / 1_000.0).ceil() as usize {
            client.enqueue_many(&new, &vec![input.clone(); 1_000]).await?;
        }

        let mut workers = self.workers(&vec![self.worker(); count]).await?;
        let began = Instant::now();
        while self.claims().await?.is_empty() {
            ensure!(began.elapsed() < super::PATIENCE, "nothing is claimed from the queue with a limit");
            tokio::time::sleep(super::LOOK_EVERY).await;
        }
        let from = self.epoch().await? + WARM_UP;
        tokio::time::sleep(Duration::from_secs_f64(WARM_UP + seconds)).await;
        let changed = self.epoch().await?;
        let raised = limit(RAISED).await?;
        tokio::time::sleep(Duration::from_secs_f64(watched)).await;
        let lowered = limit(LOWERED).await?;
        tokio::time::sleep(Duration::from_secs_f64(watched)).await;
        let end = self.epoch().await?;
        workers.check()?;
        workers.stop().await?;

        let claims = self.claims().await?;
        let constant: Vec<f64> = claims.iter().copied().filter(|at| *at < changed).collect();
        let delivered = constant.iter().filter(|at| (from..from + seconds).contains(*at)).count();
        Ok(RateLimited {
            workers: u32::try_from(count)?,
            limit_per_second: RATE.into(),
            burst: BURST.into(),
            seconds,
            delivered,
            delivered_of_limit: delivered as f64 / seconds / f64::from(RATE),
            most_of_burst: beyond(&constant, RATE.into()) / f64::from(BURST),
            raised_holds_after_s: holds_after(&claims, raised, lowered, RAISED.into()),
            lowered_holds_after_s: holds_after(&claims, lowered, end, LOWERED.into()),
        })
    }

    /// The same load with a limit that does not bind, and without one.
    async fn loose(&self, report: &mut Report) -> Result<()> {
        let client = Client::new(self.database.client.clone());
        let queue = QueueName::parse("default")?;
        self.throughput(report, "tasks, without a limit", Load::Tasks, &[self.worker()], false).await?;
        client.configure_queue(&queue, &settings(&[("rate_limit", "1000000/sec"), ("burst", "1000000")])?).await?;
        self.throughput(report, "tasks, with a limit that does not bind", Load::Tasks, &[self.worker()], false).await?;
        client.reset_queue(&queue, None).await?;
        if let [.., without, with] = &report.throughput[..] {
            report.loose_limit_of_none = Some(with.system.per_second / without.system.per_second);
        }
        Ok(())
    }

    async fn claims(&self) -> Result<Vec<f64>> {
        Ok(sqlx::query_scalar(CLAIMS).bind(PACED).fetch_all(&self.database.client).await?)
    }

    async fn epoch(&self) -> Result<f64> {
        Ok(sqlx::query_scalar(EPOCH).fetch_one(&self.database.client).await?)
    }
}

fn settings(said: &[(&str, &str)]) -> Result<QueueSettings> {
    let mut settings = QueueSettings::default();
    for (name, value) in said {
        settings.set(name, value).map_err(anyhow::Error::msg).with_context(|| format!("{name} = {value}"))?;
    }
    Ok(settings)
}

/// By how much the window that saw the most claims exceeds what the rate brings in its time. A bucket that is kept gives its burst.
fn beyond(claims: &[f64], rate: f64) -> f64 {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for (index, at) in claims.iter().enumerate() {
        let early = index as f64 - rate * at;
        least = least.min(early);
        most = most.max(early + 1.0 - least);
    }
    most
}

/// The first moment from which on the claims are those that this rate allows, to 3 % and one; none if there is no such moment.
fn holds_after(claims: &[f64], from: f64, to: f64, rate: f64) -> Option<f64> {
    let tenths = ((to - from) * 10.0) as u32;
    (0..tenths).map(|tenth| f64::from(tenth) / 10.0).find(|after| {
        let expected = (to - from - after) * rate;
        let seen = claims.iter().filter(|at| (from + after..to).contains(*at)).count() as f64;
        (seen - expected).abs() <= 0.03 * expected + 1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_found_that_saw_too_much() {
        let paced: Vec<f64> = (0..100).map(|number| 1e9 + f64::from(number) / 10.0).collect();
        assert!((beyond(&paced, 10.0) - 1.0).abs() < 1e-3, "{}", beyond(&paced, 10.0));
        let burst = [0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2];
        assert!((beyond(&burst, 10.0) - 5.0).abs() < 1e-9);
        // A quiet time before does not excuse it.
        let late = [0.0, 5.0, 5.0, 5.0];
        assert!((beyond(&late, 10.0) - 3.0).abs() < 1e-9);
        assert_eq!(beyond(&[], 10.0), 0.0);
    }

    #[test]
    fn a_change_holds_from_when_the_rate_is_the_new_one() {
        let claims: Vec<f64> = (0..500).map(|number| 1.0 + f64::from(number) / 100.0).collect();
        assert_eq!(holds_after(&claims, 1.0, 6.0, 100.0), Some(0.0));
        let late = holds_after(&claims, 0.0, 6.0, 100.0).unwrap();
        assert!((0.8..=1.0).contains(&late), "{late}");
        assert_eq!(holds_after(&[], 0.0, 6.0, 100.0), None);
    }
}
