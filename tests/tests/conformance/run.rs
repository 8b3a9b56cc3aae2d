//! All cases of one language, in one way, at once on one worker.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use currant_tests::{PATIENCE, Stack, WorkerProcess};
use sqlx::Row;
use uuid::Uuid;

use super::cases::{self, Case, Event, When};
use super::expect;
use super::guests::{Language, mixed};

/// In which way workflows come over their waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// In the worker's memory.
    Kept,
    /// By a replay.
    Replayed,
    /// By a replay in another worker, because the first one is killed.
    Killed,
}

/// Tasks of this queue do not begin before the worker was killed: so the workflows that wait for them are in their middle.
const HELD_BACK: &str = "echo";

/// More than the lease of a worker that was killed.
const A_LEASE: Duration = Duration::from_secs(10);

/// An execution of a case.
struct Started<'a> {
    case: &'a Case,
    id: Uuid,
    events: VecDeque<&'a Event>,
}

/// What can be seen of an execution.
struct Seen {
    status: Option<String>,
    entries: usize,
    progress: Option<String>,
}

impl Seen {
    fn has_ended(&self) -> bool {
        self.status.as_deref().is_some_and(|status| ["completed", "failed", "cancelled", "timed_out"].contains(&status))
    }

    fn waits_with(&self, entries: usize) -> bool {
        self.entries >= entries && self.status.as_deref() == Some("suspended")
    }

    fn runs(&self) -> bool {
        self.status.as_deref() == Some("running")
    }
}

/// Runs all cases, and fails with all that is not as the table says.
pub(crate) async fn conform(language: Language, way: Way) -> Result<()> {
    let features = cases::read()?;
    let all = features.iter().flat_map(|feature| &feature.cases);
    let cases: Vec<&Case> = match way {
        Way::Killed => all.filter(|case| case.has_a_middle()).collect(),
        Way::Kept | Way::Replayed => all.filter(|case| !case.only_killed).collect(),
    };
    let stack = Stack::new().await;
    let mut worker = worker(&stack, way)?;
    stack.deploy(&language.behaviours()).await?;
    for other in mixed() {
        stack.deploy(&other).await?;
    }

    if way == Way::Killed {
        // Time stands still: no timer fires before the kill.
        stack.database.clock().freeze().await;
        pause(&stack, true).await?;
    }
    let mut started = Vec::new();
    for case in cases {
        let id = sqlx::query_scalar("select id from currant.enqueue($1, $2::text::json)")
            .bind(&case.function)
            .bind(case.input.as_deref().unwrap_or("null"))
            .fetch_one(stack.pool())
            .await?;
        started.push(Started { case, id, events: case.then.iter().collect() });
    }
    if way == Way::Killed {
        go_on(&stack, &mut started, |started, seen| started.is_in_its_middle(seen)).await?;
        worker.kill()?;
        for started in &started {
            grant(&stack, started.case).await?;
        }
        stack.database.clock().advance(A_LEASE).await;
        pause(&stack, false).await?;
        worker = self::worker(&stack, way)?;
    }
    go_on(&stack, &mut started, |_, seen| seen.has_ended()).await?;

    let mut wrong = Vec::new();
    for Started { case, id, .. } in &started {
        if let Err(error) = expect::check(&stack, case, *id, language).await {
            wrong.push(format!("{} (`{}`): {error:#}", case.name, case.function));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{language:?} {way:?}: {} of {} cases are not as they should be\n{}",
        wrong.len(),
        started.len(),
        wrong.join("\n")
    );
    let resumed = worker.log().matches("goes on in memory").count();
    match way {
        Way::Kept => {
            ensure!(resumed > started.len() / 2, "only {resumed} waits ended in memory: this is not what was to be tested")
        }
        Way::Replayed => ensure!(resumed == 0, "{resumed} waits ended in memory: this is not what was to be tested"),
        Way::Killed => {}
    }
    Ok(())
}

fn worker(stack: &Stack, way: Way) -> Result<WorkerProcess> {
    // Tasks that do not listen are ended soon when they are cancelled.
    let grace = ("CURRANT_WORKER_CANCEL_GRACE", "1s");
    match way {
        Way::Kept | Way::Killed => stack.keeping_worker(&[grace]),
        Way::Replayed => stack.keeping_worker(&[grace, ("CURRANT_WORKER_RESIDENT_COUNT", "0")]),
    }
}

async fn pause(stack: &Stack, paused: bool) -> Result<()> {
    sqlx::query("select currant.configure_queue($1, paused => $2)").bind(HELD_BACK).bind(paused).execute(stack.pool()).await?;
    Ok(())
}

/// Puts what was started into another environment, which no deployment can do.
async fn grant(stack: &Stack, case: &Case) -> Result<()> {
    let Some((name, value)) = case.granted_after_kill.as_deref().and_then(|variable| variable.split_once('=')) else {
        return Ok(());
    };
    sqlx::query(
        "with other as (
             insert into currant.environments (module, variables)
             select module, json_build_object($2::text, $3::text) from currant.functions where name = $1
             returning id
         )
         update currant.workflows set environment = other.id from other where workflows.digest is not null",
    )
    .bind(&case.function)
    .bind(name)
    .bind(value)
    .execute(stack.pool())
    .await?;
    Ok(())
}

impl Started<'_> {
    /// All that can happen before has happened, and it waits, or its task runs.
    fn is_in_its_middle(&self, seen: &Seen) -> bool {
        match self.case.killed_after {
            Some(entries) => {
                let before = |event: &&Event| event.after.unwrap_or(0) < entries;
                seen.waits_with(entries) && !self.events.front().is_some_and(before)
            }
            None => seen.runs(),
        }
    }
}

fn is_due(event: &Event, seen: &Seen) -> bool {
    match (event.after, event.when) {
        (Some(entries), _) => seen.waits_with(entries),
        (None, Some(When::Running)) => seen.runs(),
        (None, Some(When::Progress)) => seen.progress.is_some(),
        (None, None) => true,
    }
}

/// Lets happen what is due, until this holds for all of them.
async fn go_on(stack: &Stack, all: &mut [Started<'_>], is_there: impl Fn(&Started<'_>, &Seen) -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut there = vec![false; all.len()];
    loop {
        let seen = look(stack, all).await?;
        for (started, there) in all.iter_mut().zip(&mut there) {
            let Some(seen) = seen.get(&started.id).filter(|_| !*there) else { continue };
            if is_there(started, seen) {
                *there = true;
                continue;
            }
            while let Some(event) = started.events.pop_front_if(|event| is_due(event, seen)) {
                happen(stack, started.id, event, seen).await?;
            }
        }
        if there.iter().all(|there| *there) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let late = all.iter().zip(&there).filter(|(_, there)| !**there);
            let told = late.map(|(started, _)| {
                let (status, entries) =
                    seen.get(&started.id).map(|seen| (seen.status.clone(), seen.entries)).unwrap_or_default();
                format!(
                    "{} (`{}`): {}, {entries} entries",
                    started.case.name,
                    started.case.function,
                    status.unwrap_or_default()
                )
            });
            bail!("after {PATIENCE:?} these are not there yet:\n{}", told.collect::<Vec<_>>().join("\n"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn look(stack: &Stack, all: &[Started<'_>]) -> Result<HashMap<Uuid, Seen>> {
    const LOOK: &str = "select execution.id, execution.status, execution.progress #>> '{}' as progress,
               (select count(*) from currant.journal where workflow_id = execution.id) as entries
        from currant.executions execution where execution.id = any ($1)";
    let ids: Vec<Uuid> = all.iter().map(|started| started.id).collect();
    let rows = sqlx::query(LOOK).bind(ids).fetch_all(stack.pool()).await?;
    let seen = rows.iter().map(|row| {
        let entries: i64 = row.get("entries");
        (row.get("id"), Seen { status: row.get("status"), entries: entries as usize, progress: row.get("progress") })
    });
    Ok(seen.collect())
}

async fn happen(stack: &Stack, id: Uuid, event: &Event, seen: &Seen) -> Result<()> {
    if let Some(name) = &event.signal {
        stack.signal(id, name, serde_json::from_str(event.payload.as_deref().unwrap_or("null"))?).await?;
    }
    if event.cancel {
        sqlx::query("select currant.cancel($1)").bind(id).execute(stack.pool()).await?;
    }
    for (outcome, query) in
        [(&event.complete, "select currant.complete($1, $2::json)"), (&event.fail, "select currant.fail($1, $2::json)")]
    {
        if let Some(outcome) = outcome {
            sqlx::query(query).bind(&seen.progress).bind(outcome).execute(stack.pool()).await?;
        }
    }
    Ok(())
}
