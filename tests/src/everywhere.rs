//! Runs a workflow again and again, and each time stops the world at another point: what comes of it must be the same.
//!
//! ```text
//!   a template database, in which the module is deployed
//!     one run that only counts        → the points, and what the workflow comes to when nothing happens
//!     one run per point and stop      → a copy of the template, a worker behind a proxy that stops there, and another worker if it
//!                                       was killed; the audit of the database, and the same end and the same history
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::audit::audit;
use crate::proxy::{Moment, Plan, PointKind, Proxy, Stop};
use crate::{Ended, Stack, WorkerProcess};

/// Points at once: they wait more than they work.
const AT_ONCE: usize = 6;

/// A workflow, and the world around it.
pub trait Scenario: Send + Sync + 'static {
    /// The component.
    fn component(&self) -> PathBuf;

    /// What its deployment says besides.
    fn deploy_options(&self) -> Vec<String>;

    /// Starts the workflow.
    fn start(&self, stack: &Stack) -> impl Future<Output = Result<Uuid>> + Send;

    /// What people do while it runs.
    fn meanwhile(&self, stack: &Stack, id: Uuid) -> impl Future<Output = Result<()>> + Send;

    /// Fails when something is not right about what was done. Answers what must be the same however often the world was stopped: the result
    /// and the history, without what is drawn anew every time.
    fn told(&self, stack: &Stack, id: Uuid, ended: &Ended) -> impl Future<Output = Result<Vec<String>>> + Send;
}

/// One stop of the world.
#[derive(Clone, Copy, Debug)]
struct Point {
    number: usize,
    kind: PointKind,
    moment: Moment,
    stop: Stop,
}

/// What was tried.
#[derive(Debug)]
pub struct Report {
    /// Points of the run that only counted: transactions, and claims.
    pub points: Vec<PointKind>,
    /// Runs, each of which was to be stopped once.
    pub runs: usize,
    /// Those that were. Others wrote less often: what is ready at the same time is written together.
    pub stopped: usize,
}

/// Stops the world at every so-many-th point.
pub async fn everywhere<S: Scenario>(scenario: S, every: usize) -> Result<Report> {
    let scenario = Arc::new(scenario);
    let template = Arc::new(deployed(&*scenario).await?);
    let counted = Proxied::run(&*scenario, &template, Plan::Count, false).await.context("without a stop")?;
    ensure!(counted.points.contains(&PointKind::Claim), "no claim was seen: the proxy does not know its statement any more");
    let expected = Arc::new(counted.told);

    let (mut runs, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for point in stops(&counted.points).into_iter().step_by(every) {
        let (scenario, template, expected, at_once) = (scenario.clone(), template.clone(), expected.clone(), at_once.clone());
        runs.spawn(async move {
            let _turn = at_once.acquire_owned().await?;
            let plan = Plan::Once(point.number, point.moment, point.stop);
            // Half of them keep what waits in memory: other runs write at other times.
            let run = Proxied::run(&*scenario, &template, plan, point.number % 2 == 0).await;
            let run = run.with_context(|| point.to_string())?;
            ensure!(
                run.told == *expected,
                "{point}: came to\n  {}\ninstead of\n  {}",
                run.told.join("\n  "),
                expected.join("\n  ")
            );
            Ok(run.stopped)
        });
    }
    let mut report = Report { points: counted.points, runs: runs.len(), stopped: 0 };
    let mut wrong = Vec::new();
    while let Some(run) = runs.join_next().await {
        match run? {
            Ok(stopped) => report.stopped += usize::from(stopped),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    ensure!(wrong.is_empty(), "{} of {} stops show:\n{}", wrong.len(), report.runs, wrong.join("\n"));
    Ok(report)
}

/// Everything that can happen at these points. That a claim is not even sent is what happens after the point before.
fn stops(points: &[PointKind]) -> Vec<Point> {
    let mut stops = Vec::new();
    for (index, kind) in points.iter().copied().enumerate() {
        let moments: &[Moment] = match kind {
            PointKind::Commit => &[Moment::Before, Moment::After],
            PointKind::Claim => &[Moment::After],
        };
        for moment in moments.iter().copied() {
            for stop in [Stop::Killed, Stop::Cut] {
                stops.push(Point { number: index + 1, kind, moment, stop });
            }
        }
    }
    stops
}

/// A database in which the scenario's module is deployed, and that nobody uses.
async fn deployed(scenario: &impl Scenario) -> Result<Stack> {
    let stack = Stack::new().await;
    let worker = stack.worker()?;
    let options = scenario.deploy_options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    stack.deploy_with(&scenario.component(), &options).await?;
    worker.stop().await?;
    stack.close().await;
    Ok(stack)
}

/// A run behind the proxy.
struct Proxied {
    points: Vec<PointKind>,
    told: Vec<String>,
    stopped: bool,
}

impl Proxied {
    async fn run(scenario: &impl Scenario, template: &Stack, plan: Plan, keeps: bool) -> Result<Proxied> {
        let stack = template.copy().await;
        let proxy = Proxy::start(&stack.database.url(), plan).await?;
        let url = proxy.url()?;
        let worker = |arguments: &[&str]| {
            let arguments = [&["--lease", "10s"][..], arguments].concat();
            stack.worker_that(&arguments, if keeps { &[] } else { &[("CURRANT_WORKER_RESIDENT_COUNT", "0")] })
        };
        let first = worker(&["--database-url", &url])?;
        let id = scenario.start(&stack).await?;
        let dying = async {
            tokio::select! {
                () = proxy.reached() => {}
                ended = stack.ended(id) => return ended.map(|_| Workers { _alive: vec![first] }),
            }
            if !matches!(plan, Plan::Once(.., Stop::Killed)) {
                return Ok(Workers { _alive: vec![first] });
            }
            first.kill()?;
            // What the passing of time would do.
            sqlx::query("update currant.worker_heartbeats set lease_until = currant.now()").execute(stack.pool()).await?;
            Ok(Workers { _alive: vec![worker(&[])?] })
        };
        let (_workers, ()) = tokio::try_join!(dying, scenario.meanwhile(&stack, id))?;
        let ended = stack.ended(id).await?;
        stack.until(id, "select $1 is not null and not exists (select from currant.running)").await?;
        let told = scenario.told(&stack, id, &ended).await?;
        let wrong = audit(stack.pool()).await?;
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(Proxied { points: proxy.points(), told, stopped: proxy.stops() > 0 })
    }
}

/// Killed when they are dropped.
struct Workers {
    _alive: Vec<WorkerProcess>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "between it and its answer",
        };
        let stop = match self.stop {
            Stop::Killed => "the worker is killed",
            Stop::Cut => "the connection is cut",
        };
        let kind = match self.kind {
            PointKind::Commit => "commit",
            PointKind::Claim => "claim",
        };
        write!(f, "point {} ({kind}), {moment}, {stop}", self.number)
    }
}
