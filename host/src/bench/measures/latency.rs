//! One execution at a time: how long it takes when nothing else is to be done.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use currant_core::Client;
use currant_core::executions::{NewExecution, Status};
use currant_core::ids::{ExecutionId, FunctionName, QueueName};
use currant_core::notify::{ENDED, Hint, Listener};
use currant_core::values::Json;

use super::super::load::{ORDER, TEN};
use super::super::processes::WorkerOptions;
use super::super::report::{Latency, Report};
use super::super::{floor, say};
use super::{BACKLOG, Bench, CONFIGURE_QUEUE};

/// Between two executions, so that everything is idle again.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);
const QUEUES: usize = 100;

impl Bench<'_> {
    fn count(&self) -> u32 {
        if self.args.quick { 10 } else { 500 }
    }

    /// From the start of a task to its result: the floor, the client's own way, and a client that keeps listening.
    pub(super) async fn start_to_result(&self, report: &mut Report, suffix: &str) -> Result<()> {
        say(&format!("measuring from start to result{suffix}"));
        self.database.settle(self.kept).await?;
        let floor = floor::start_to_result(self.database, self.count(), PAUSE).await?;
        report.latency.push(Latency::of(&format!("start → result, floor{suffix}"), floor));

        self.database.settle(self.kept).await?;
        let worker = self.workers(&[self.worker()]).await?;
        let client = Client::new(self.database.client.clone());
        self.start_and_wait(&client, 3, |_| task()).await?;
        let waited = self.start_and_wait(&client, self.count(), |_| task()).await?;
        report.latency.push(Latency::of(&format!("start → result, client{suffix}"), waited));
        let listened = self.start_and_listen(&client).await?;
        report.latency.push(Latency::of(&format!("start → result, client that keeps listening{suffix}"), listened));
        worker.stop().await
    }

    /// A workflow of ten tasks, whose tasks run in the same worker, and in another one.
    pub(super) async fn wake_up(&self, report: &mut Report) -> Result<()> {
        let queues = |queues| WorkerOptions { queues: Some(queues), ..self.worker() };
        let cases = [
            ("10 tasks in turn, in the workflow's own worker", vec![self.worker()]),
            ("10 tasks in turn, in another worker", vec![queues("flows"), queues("default")]),
        ];
        for (name, workers) in cases {
            say(&format!("measuring {name}"));
            self.database.settle(self.kept).await?;
            let workers = self.workers(&workers).await?;
            let client = Client::new(self.database.client.clone());
            let workflow = |_| {
                let ten = Json::parse(TEN.to_string())?;
                let new = NewExecution::new(FunctionName::parse("tasks")?, ten);
                Ok(NewExecution { queue: Some(QueueName::parse("flows")?), ..new })
            };
            self.start_and_wait(&client, 3, workflow).await?;
            let times = self.start_and_wait(&client, self.count() / 5, workflow).await?;
            report.latency.push(Latency::of(name, times));
            workers.stop().await?;
        }
        Ok(())
    }

    /// Tasks in a hundred queues of different priorities, of which one is paused: while that is empty, while it is full, and while it is not
    /// paused any more, and the worker is busy with it.
    pub(super) async fn many_queues(&self, report: &mut Report) -> Result<()> {
        let full = "queue-0";
        self.database.empty().await?;
        let backlog = self.args.backlog;
        for (pending, paused, name) in [
            (0, true, "empty and paused".into()),
            (backlog, true, format!("paused with {backlog} pending")),
            (0, false, format!("worked off with {backlog} pending")),
        ] {
            say(&format!("measuring {QUEUES} queues, one {name}"));
            sqlx::query(CONFIGURE_QUEUE).bind(full).bind(paused).execute(&self.database.client).await?;
            self.in_bulk(pending, |count, after| sqlx::query(BACKLOG).bind(count).bind(after).bind("noop").bind(full)).await?;
            let worker = self.workers(&[self.worker()]).await?;
            let client = Client::new(self.database.client.clone());
            let in_turn = |index: usize| {
                let queue = QueueName::parse(&format!("queue-{}", 1 + index % (QUEUES - 1)))?;
                Ok(NewExecution { queue: Some(queue), priority: Some((index % 7) as i16), ..task()? })
            };
            // Each queue exists once something was asked of it.
            self.start_and_wait(&client, QUEUES as u32, in_turn).await?;
            let times = self.start_and_wait(&client, self.count(), in_turn).await?;
            report.latency.push(Latency::of(&format!("start → result, {QUEUES} queues, one {name}"), times));
            worker.stop().await?;
        }
        self.database.empty().await
    }

    async fn start_and_wait(
        &self,
        client: &Client,
        count: u32,
        new: impl Fn(usize) -> Result<NewExecution>,
    ) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for index in 0..count as usize {
            let (new, began) = (new(index)?, Instant::now());
            let started = client.enqueue(new).await?;
            let ended = client.wait_for_result(&started.id, Some(PATIENCE)).await?.context("an execution does not end")?;
            times.push(began.elapsed());
            ensure!(ended.status == Status::Completed, "an execution did not complete: {ended:?}");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(times)
    }

    pub(super) async fn start_and_listen(&self, client: &Client) -> Result<Vec<Duration>> {
        let mut listener = Listener::to(client.pool().clone(), &[ENDED]);
        listener.next().await;
        let mut times = Vec::new();
        for _ in 0..self.count() {
            let (new, began) = (task()?, Instant::now());
            let started = client.enqueue(new).await?;
            tokio::time::timeout(PATIENCE, told(&mut listener, started.id)).await.context("no notification came")?;
            client.result(&started.id).await?.context("a notification came before the end")?;
            times.push(began.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        Ok(times)
    }
}

async fn told(listener: &mut Listener, of: ExecutionId) {
    while !matches!(listener.next().await, Hint::Ended { ids } if ids.contains(&of)) {}
}

fn task() -> Result<NewExecution> {
    Ok(NewExecution::new(FunctionName::parse("noop")?, Json::parse(ORDER.into())?))
}
