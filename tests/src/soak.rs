//! A storm that ends: workers run all kinds of workflows while they are killed, stopped, and while their Postgres crashes. Then it is calm
//! until all has ended, and the database is read: nothing may be lost, nothing done twice in the record, nothing stuck.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use currant_test_support::OwnServer;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::audit::audit;
use crate::gathered::nothing_undecided_was_done;
use crate::witness::Witness;
use crate::{WorkerProcess, guest, program};

/// Root executions that are open at once: what a small machine can work on.
const OPEN_AT_MOST: i64 = 30;

/// How long everything may take to end once it is calm. What is still open then is stuck.
const CALM: Duration = Duration::from_secs(120);

/// How long it storms, and how.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// What every choice follows from.
    pub seed: u64,
    /// How long it storms.
    pub length: Duration,
    /// Workers at once.
    pub workers: usize,
}

/// What was done, and what is wrong.
#[derive(Debug)]
pub struct SoakReport {
    soak: Soak,
    lines: Vec<(String, i64)>,
    /// What should not be there; empty if all is well.
    pub wrong: Vec<String>,
}

/// What is asked for, and what must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A fan-out that is witnessed. Half of them are approved in time.
    Gather,
    FanOut,
    /// Begins anew once.
    Continuation,
    /// Is cancelled by somebody, and compensates.
    Compensation,
    Child,
    Task,
}

const KINDS: [Kind; 6] = [Kind::Gather, Kind::FanOut, Kind::Continuation, Kind::Compensation, Kind::Child, Kind::Task];

/// What was acknowledged to whoever asked.
struct Started {
    id: Uuid,
    kind: Kind,
    input: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Stop,
    Crash,
    Restart,
}

/// Every fault is met before any is met again.
const FAULTS: [Fault; 7] = [Fault::Kill, Fault::Kill, Fault::Crash, Fault::Kill, Fault::Stop, Fault::Kill, Fault::Restart];

impl Soak {
    /// Storms, waits for the calm, and looks.
    pub async fn run(self) -> Result<SoakReport> {
        let world = World::new().await?;
        let (started, mut workers, faults) = {
            let until = Instant::now() + self.length;
            let workers = (0..self.workers).map(|_| world.worker()).collect::<Result<Vec<_>>>()?;
            world.deploy().await?;
            let load = world.load(Dice(self.seed), until);
            let faults = world.faults(Dice(self.seed ^ u64::MAX), workers, until);
            let (started, (workers, faults)) = tokio::try_join!(load, faults)?;
            (started, workers, faults)
        };
        let mut wrong = world.calm(&started).await?;
        for worker in &mut workers {
            if let Some(status) = worker.ended()? {
                wrong.push(format!("a worker ended by itself, with {status}\n{}", worker.log()));
            }
        }
        wrong.extend(audit(&world.pool).await?);
        for one in &started {
            if let Err(error) = world.look_at(one).await {
                wrong.push(format!("{:?} {}: {error:#}", one.kind, one.id));
            }
        }
        let lines = world.lines(&started, &faults).await?;
        Ok(SoakReport { soak: self, lines, wrong })
    }
}

/// A Postgres of its own, and what surrounds it.
struct World {
    server: Arc<OwnServer>,
    pool: PgPool,
    folder: tempfile::TempDir,
    witness: Witness,
}

impl World {
    async fn new() -> Result<World> {
        let server = Arc::new(tokio::task::spawn_blocking(|| OwnServer::start("-c max_connections=200")).await??);
        let pool =
            PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(server.options());
        let world = World { server, pool, folder: tempfile::tempdir()?, witness: Witness::start().await? };
        world.run("currant-host", &["migrate", "up"]).await?;
        Ok(world)
    }

    async fn run(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let command = program(name, self.folder.path(), &self.server.url())?;
        let output = tokio::process::Command::from(command).args(arguments).output().await?;
        ensure!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    async fn deploy(&self) -> Result<()> {
        let component = guest("proof");
        let component = component.to_str().context("the path is UTF-8")?;
        self.run("currant", &["deploy", component, "--timeout", "120s", "--allow-http", &self.witness.address()]).await
    }

    fn worker(&self) -> Result<WorkerProcess> {
        let mut command = program("currant-host", self.folder.path(), &self.server.url())?;
        command.args(["worker", "--lease", "3s"]);
        WorkerProcess::spawn(command, self.folder.path())
    }

    /// Asks for something, signals and cancels, until the time is over; and then answers everybody who still waits for an answer.
    async fn load(&self, mut dice: Dice, until: Instant) -> Result<Vec<Started>> {
        let mut started = Vec::new();
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(dice.roll(100))).await;
            let open: i64 = self
                .insist(|| async {
                    let open = "select count(*) from currant.requests where parent_workflow_id is null
                                and not exists (select from currant.outcomes where outcomes.id = requests.id)";
                    sqlx::query_scalar(open).fetch_one(&self.pool).await
                })
                .await?
                .unwrap_or_default();
            if open < OPEN_AT_MOST {
                let key = format!("soak-{}", started.len());
                started.push(self.start(&mut dice, &key).await?);
            }
            let any: &Started = &started[dice.roll(started.len() as u64) as usize];
            match any.kind {
                Kind::Gather if dice.roll(2) == 0 => self.signal(any).await?,
                Kind::Compensation => self.cancel(any).await?,
                _ => {}
            }
        }
        for one in started.iter().filter(|one| one.kind == Kind::Compensation) {
            self.cancel(one).await?;
        }
        Ok(started)
    }

    async fn start(&self, dice: &mut Dice, key: &str) -> Result<Started> {
        let kind = KINDS[dice.roll(KINDS.len() as u64) as usize];
        let (function, input) = match kind {
            Kind::Gather => ("gather", json!([self.witness.address(), dice.roll(8), dice.roll(300), 500 + dice.roll(2_000)])),
            Kind::FanOut => ("kept_fan_out", json!(1 + dice.roll(40))),
            Kind::Continuation => ("kept_continuation", json!(0)),
            Kind::Compensation => ("kept_compensation", json!(key)),
            Kind::Child => ("kept_child", json!({"number": dice.roll(1_000)})),
            Kind::Task => ("kept_echo", json!([dice.roll(1_000)])),
        };
        let text = input.to_string();
        // Asked again after a lost answer, it is the same execution: it has a key.
        let id = self.insist(|| async {
            sqlx::query_scalar("select id from currant.enqueue($1, $2::json, task_id => $3)")
                .bind(function)
                .bind(&text)
                .bind(key)
                .fetch_one(&self.pool)
                .await
        });
        Ok(Started { id: id.await?.context("starting is never refused")?, kind, input })
    }

    async fn signal(&self, one: &Started) -> Result<()> {
        let signal = "select currant.signal($1, 'approved', '\"ada\"', 'approved')";
        self.insist(|| async { sqlx::query(signal).bind(one.id).execute(&self.pool).await }).await.map(drop)
    }

    async fn cancel(&self, one: &Started) -> Result<()> {
        self.insist(|| async { sqlx::query("select currant.cancel($1)").bind(one.id).execute(&self.pool).await })
            .await
            .map(drop)
    }

    /// Asks again until Postgres answers. None if it is Currant that refuses: what is signalled may have ended.
    async fn insist<T, F: Future<Output = Result<T, sqlx::Error>>>(&self, ask: impl Fn() -> F) -> Result<Option<T>> {
        let deadline = Instant::now() + CALM;
        loop {
            match ask().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("CU")) => {
                    return Ok(None);
                }
                Err(error) => ensure!(Instant::now() < deadline, "Postgres does not come back: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One fault after the other.
    async fn faults(
        &self,
        mut dice: Dice,
        mut workers: Vec<WorkerProcess>,
        until: Instant,
    ) -> Result<(Vec<WorkerProcess>, Vec<Fault>)> {
        let mut met = Vec::new();
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(300 + dice.roll(1_700))).await;
            let fault = FAULTS[met.len() % FAULTS.len()];
            let victim = dice.roll(workers.len() as u64) as usize;
            match fault {
                Fault::Kill => {
                    workers.remove(victim).kill()?;
                    workers.push(self.worker()?);
                }
                Fault::Stop => {
                    workers.remove(victim).stop().await?;
                    workers.push(self.worker()?);
                }
                Fault::Crash | Fault::Restart => {
                    let server = self.server.clone();
                    let again = move || if fault == Fault::Crash { server.crash() } else { server.restart() };
                    tokio::task::spawn_blocking(again).await??;
                }
            }
            met.push(fault);
        }
        Ok((workers, met))
    }

    /// Waits until all has ended; answers what has not.
    async fn calm(&self, started: &[Started]) -> Result<Vec<String>> {
        let open = "select id, function, coalesce(currant.status_of(id), 'nowhere') from currant.requests
                    where not exists (select from currant.outcomes where outcomes.id = requests.id)";
        let deadline = Instant::now() + CALM;
        loop {
            let open: Vec<(Uuid, String, String)> =
                self.insist(|| async { sqlx::query_as(open).fetch_all(&self.pool).await }).await?.unwrap_or_default();
            if open.is_empty() {
                return Ok(Vec::new());
            }
            if Instant::now() > deadline {
                let of = started.len();
                return Ok(open
                    .iter()
                    .map(|(id, function, status)| format!("stuck, of {of}: {function} {id} is {status}"))
                    .collect());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether it came to what it had to come to.
    async fn look_at(&self, one: &Started) -> Result<()> {
        let row = sqlx::query("select status, result::text, failure::text from currant.result($1)")
            .bind(one.id)
            .fetch_optional(&self.pool)
            .await?
            .context("lost: it was acknowledged, and is not there")?;
        let status: Option<String> = row.try_get("status")?;
        let (result, failure): (Option<String>, Option<String>) = (row.try_get("result")?, row.try_get("failure")?);
        let cancelled_early = one.kind == Kind::Compensation && status.as_deref() == Some("cancelled");
        if cancelled_early {
            return Ok(());
        }
        ensure!(status.as_deref() == Some("completed"), "{status:?} {failure:?}");
        let result: Value = serde_json::from_str(&result.context("what has completed has a result")?)?;
        let expected = match one.kind {
            Kind::Gather => return nothing_undecided_was_done(&self.pool, &self.witness, one.id, &result).await,
            Kind::FanOut => json!((0..one.input.as_u64().context("a number")?).collect::<Vec<_>>()),
            Kind::Continuation => json!([1, result[1]]),
            Kind::Compensation | Kind::Child | Kind::Task => one.input.clone(),
        };
        ensure!(result == expected, "{result}, not {expected}");
        Ok(())
    }

    async fn lines(&self, started: &[Started], faults: &[Fault]) -> Result<Vec<(String, i64)>> {
        let mut lines = Vec::new();
        for kind in KINDS {
            lines.push((format!("started: {kind:?}"), started.iter().filter(|one| one.kind == kind).count() as i64));
        }
        for (what, fault) in [
            ("workers killed", Fault::Kill),
            ("workers stopped", Fault::Stop),
            ("Postgres crashed", Fault::Crash),
            ("Postgres restarted", Fault::Restart),
        ] {
            lines.push((what.into(), faults.iter().filter(|met| **met == fault).count() as i64));
        }
        for (what, query) in [
            ("executions in all", "select count(*) from currant.requests"),
            ("completed", "select count(*) from currant.outcomes where status = 'completed'"),
            ("cancelled", "select count(*) from currant.outcomes where status = 'cancelled'"),
            ("failed", "select count(*) from currant.outcomes where status in ('failed', 'timed_out')"),
            ("journal entries", "select count(*) from currant.journal"),
            ("runs lost with their worker", "select count(*) from currant.attempts where failure ->> 'code' = 'worker-lost'"),
            ("runs", "select sum(run) from currant.outcomes"),
        ] {
            lines.push((what.into(), sqlx::query_scalar(query).fetch_one(&self.pool).await?));
        }
        let (heard, distinct) = self.witness.heard();
        lines.push(("effects that were witnessed".into(), heard as i64));
        lines.push(("of these, once more after a crash".into(), (heard - distinct) as i64));
        Ok(lines)
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Soak { seed, length, workers } = self.soak;
        writeln!(f, "{workers} workers, {} s, seed {seed}\n", length.as_secs())?;
        writeln!(f, "| | |\n|---|--:|")?;
        for (what, many) in &self.lines {
            writeln!(f, "| {what} | {many} |")?;
        }
        writeln!(f, "| lost, twice in the record, or stuck | {} |", self.wrong.len())?;
        for wrong in &self.wrong {
            writeln!(f, "\n{wrong}")?;
        }
        Ok(())
    }
}

/// Numbers that look random and follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    /// From 0 to `sides` - 1.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
