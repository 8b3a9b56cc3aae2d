//! Workflows: what they write is gathered while the transaction before is on its way, and written together.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use currant_core::ids::ExecutionId;
use serde_json::json;
use sqlx::Row;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::super::load::TEN;
use super::{BATCH, Claims, Writer};

const ENQUEUE: &str = include_str!("../queries/floor_enqueue_workflows.sql");
const COMMIT_STEPS: &str = include_str!("../queries/floor_commit_steps.sql");
const COMMIT_TASKS: &str = include_str!("../queries/floor_commit_tasks.sql");

/// What is claimed, and what it has come to.
struct Claimed {
    id: Uuid,
    run: i32,
    is_task: bool,
    parent: Option<Uuid>,
    operation: Option<i32>,
    /// The next place in the journal, of a workflow of steps.
    position: i32,
}

/// Workflows in flight, and what is free for more.
struct Flow {
    open: AtomicI64,
    free: AtomicI64,
    /// Something was written: there may be something to claim, or room for it.
    written: Notify,
}

/// Runs workflows of steps for ever: each step is durable before the next one begins.
pub(super) async fn of_steps(writer: &Writer, at_once: u32) -> Result<()> {
    let writer = Writer { slots: at_once, ..writer.clone() };
    let flow = Flow::new(&writer);
    let (sender, mut claimed) = mpsc::unbounded_channel::<Claimed>();
    let again = sender.clone();
    let commit = async {
        let mut batch = Vec::new();
        while claimed.recv_many(&mut batch, BATCH).await > 0 {
            let mut entries = Entries::default();
            let (mut begins, mut ends) = (Vec::new(), Vec::new());
            for workflow in &batch {
                match workflow.position {
                    0 => {
                        entries.add(workflow, 0, "started", None, None, started(&writer));
                        begins.push(workflow.id);
                    }
                    step => entries.add(workflow, step, "step", Some(step), Some("step"), "null".into()),
                }
                if workflow.position == TEN {
                    ends.push(workflow.id);
                }
            }
            let ended = ends.len() as i64;
            let statement = entries.bind(sqlx::query(COMMIT_STEPS));
            statement.bind(begins).bind(writer.digest.as_bytes().as_slice()).bind(ends).execute(&writer.pool).await?;
            for workflow in batch.drain(..).filter(|workflow| workflow.position < TEN) {
                let _ = again.send(Claimed { position: workflow.position + 1, ..workflow });
            }
            flow.ended(ended, ended);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        committed = commit => committed,
        claimed = claim(&writer, &flow, sender) => claimed,
        supplied = supply(&writer, &flow, "steps", 2 * i64::from(at_once)) => supplied,
    }
}

/// Runs workflows of tasks for ever: each task's end wakes its workflow, which starts the next one and suspends.
pub(super) async fn of_tasks(writer: &Writer, at_once: u32) -> Result<()> {
    let flow = Flow::new(writer);
    let (sender, mut claimed) = mpsc::unbounded_channel::<Claimed>();
    let commit = async {
        let mut batch = Vec::new();
        while claimed.recv_many(&mut batch, BATCH).await > 0 {
            let mut entries = Entries::default();
            let (mut ends, mut children, mut parents, mut operations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let (mut readers, mut arrivals) = (Vec::new(), Vec::new());
            let (mut tasks, mut told, mut about) = (Vec::new(), Vec::new(), Vec::new());
            for claimed in &batch {
                if claimed.is_task {
                    tasks.push(claimed.id);
                    told.push(claimed.parent);
                    about.push(claimed.operation);
                    continue;
                }
                // The n-th run is told of the task before, and starts the n-th.
                let next = claimed.run;
                if next == 1 {
                    entries.add(claimed, 0, "started", None, None, started(writer));
                } else {
                    entries.add(claimed, 2 * next - 2, "completed", Some(next - 1), None, "null".into());
                    readers.push(claimed.id);
                    arrivals.push(next - 1);
                }
                if next > TEN {
                    ends.push(claimed.id);
                } else {
                    entries.add(claimed, 2 * next - 1, "task", Some(next), Some("noop"), "null".into());
                    children.push(ExecutionId::of_child(claimed.id.into(), 1, next as u32));
                    parents.push(claimed.id);
                    operations.push(next);
                }
            }
            let (freed, ended) = (batch.len() as i64, ends.len() as i64);
            let statement = entries.bind(sqlx::query(COMMIT_TASKS));
            let statement = statement.bind(writer.digest.as_bytes().as_slice()).bind(ends);
            let statement = statement.bind(children).bind(parents).bind(operations).bind(readers).bind(arrivals);
            statement.bind(tasks).bind(told).bind(about).execute(&writer.pool).await?;
            batch.clear();
            flow.ended(freed, ended);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        committed = commit => committed,
        claimed = claim(writer, &flow, sender) => claimed,
        supplied = supply(writer, &flow, "tasks", at_once.into()) => supplied,
    }
}

impl Flow {
    fn new(writer: &Writer) -> Flow {
        Flow { open: AtomicI64::new(0), free: AtomicI64::new(writer.slots.into()), written: Notify::new() }
    }

    fn ended(&self, freed: i64, ended: i64) {
        self.free.fetch_add(freed, Ordering::Relaxed);
        self.open.fetch_sub(ended, Ordering::Relaxed);
        self.written.notify_one();
    }
}

async fn claim(writer: &Writer, flow: &Flow, sender: mpsc::UnboundedSender<Claimed>) -> Result<()> {
    let mut claims = Claims::new(writer.worker, writer.digest);
    loop {
        let free = flow.free.load(Ordering::Relaxed);
        let mut found = 0;
        if free > 0 {
            let rows = claims.next(&writer.pool, free).await?;
            found = rows.len() as i64;
            flow.free.fetch_sub(found, Ordering::Relaxed);
            for row in rows {
                let claimed = Claimed {
                    id: row.try_get("id")?,
                    run: row.try_get("run")?,
                    is_task: row.try_get::<&str, _>("kind")? == "task",
                    parent: row.try_get("parent")?,
                    operation: row.try_get("operation")?,
                    position: 0,
                };
                let _ = sender.send(claimed);
            }
        }
        if found == 0 {
            // The poll behind it is for what the supply has brought.
            let _ = tokio::time::timeout(Duration::from_millis(5), flow.written.notified()).await;
        }
    }
}

async fn supply(writer: &Writer, flow: &Flow, function: &str, at_once: i64) -> Result<()> {
    loop {
        let missing = at_once - flow.open.load(Ordering::Relaxed);
        if missing > 0 {
            let ids: Vec<Uuid> = (0..missing).map(|_| Uuid::now_v7()).collect();
            sqlx::query(ENQUEUE).bind(ids).bind(function).bind(TEN.to_string()).execute(&writer.pool).await?;
            flow.open.fetch_add(missing, Ordering::Relaxed);
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// What the first entry of a journal says.
fn started(writer: &Writer) -> String {
    json!({ "version": 1, "digest": writer.digest }).to_string()
}

/// Journal entries, column by column.
#[derive(Default)]
struct Entries {
    workflows: Vec<Uuid>,
    positions: Vec<i32>,
    runs: Vec<i32>,
    kinds: Vec<&'static str>,
    operations: Vec<Option<i32>>,
    names: Vec<Option<&'static str>>,
    bodies: Vec<String>,
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl Entries {
    fn add(
        &mut self,
        of: &Claimed,
        position: i32,
        kind: &'static str,
        operation: Option<i32>,
        name: Option<&'static str>,
        body: String,
    ) {
        self.workflows.push(of.id);
        self.positions.push(position);
        self.runs.push(of.run);
        self.kinds.push(kind);
        self.operations.push(operation);
        self.names.push(name);
        self.bodies.push(body);
    }

    fn bind<'a>(self, query: Query<'a>) -> Query<'a> {
        let query = query.bind(self.workflows).bind(self.positions).bind(self.runs).bind(self.kinds);
        query.bind(self.operations).bind(self.names).bind(self.bodies)
    }
}
