//! `currant start`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use currant_core::Client;
use currant_core::durations;
use currant_core::executions::{NewExecution, Started};
use currant_core::ids::{FunctionName, QueueName, TaskId};
use currant_core::values::Json;
use tokio::sync::mpsc;

use crate::commands::status;
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::input;
use crate::progress::Progress;

/// Start a task or a workflow
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Prints the execution's id, or, with --wait, its result.

Examples:
  currant start checkout --input '{\"order\": 42}' --id order-42 --wait
  currant start report --input @month.json --in 12h
  generate | currant start import --input - --tag nightly
  currant start import --input-file lines.jsonl --tag nightly")]
pub(crate) struct Args {
    /// Its name, as `currant functions` shows it
    function: String,
    /// Its input: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "null")]
    input: String,
    /// Start one for each line of this file, or of stdin (-): each line is the JSON of an input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "id", "wait"])]
    input_file: Option<String>,
    /// Leave out so many lines of the file, which were started before
    #[arg(long, value_name = "NUMBER", requires = "input_file", default_value_t = 0)]
    skip: u64,
    /// A key of yours: while an execution with it is open or completed, no other is started
    #[arg(long, value_name = "KEY", value_parser = TaskId::parse)]
    id: Option<TaskId>,
    /// The queue, instead of the function's own
    #[arg(long, value_name = "NAME", value_parser = QueueName::parse)]
    queue: Option<QueueName>,
    /// Higher goes first
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i16>,
    /// Not before this time, for example 2030-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "delay", value_parser = instant)]
    at: Option<DateTime<Utc>>,
    /// Not before this much time has passed, for example 12h
    #[arg(long = "in", id = "delay", value_name = "DURATION", value_parser = durations::parse)]
    delay: Option<Duration>,
    /// A word to find it by; may be given several times
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
    /// Wait until it has ended, and print its result
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = durations::parse)]
    timeout: Option<Duration>,
    /// Start it even if nothing that is deployed offers it: it waits for that deployment
    #[arg(long)]
    parked: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let function = FunctionName::parse(&args.function).map_err(|error| Problem::usage(error.to_string()))?;
    let new = NewExecution {
        queue: args.queue,
        task_id: args.id.clone(),
        delay_ms: args.delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
        run_at: args.at,
        priority: args.priority,
        tags: args.tags,
        ..NewExecution::new(function, input::read("--input", &args.input)?)
    };
    let client = context.client().await?;
    if !args.parked {
        check_offered(&client, &new.function).await?;
    }
    if let Some(file) = &args.input_file {
        return start_lines(context, &client, &new, file, args.skip).await;
    }
    let started = client.enqueue(new).await?;
    if started.conflict {
        return Err(conflict(&args.id, &started));
    }
    if args.wait {
        tell(context, &started, &args.id);
        return status::wait_and_print(context, &client, started.id, args.timeout).await;
    }
    if context.printer.is_json() {
        context.printer.json(&started);
    } else {
        context.printer.data(&started.id.to_string());
        tell(context, &started, &args.id);
        context.printer.hint(&format!("follow it: currant history {}", named(&started, &args.id)));
    }
    Ok(ExitStatus::Done)
}

/// Inputs in one transaction: enough that a commit costs little beside them, few enough that a mistake is noticed soon.
const BATCH: usize = 1_000;

/// Starts one for each line. A file is read to its end before anything is started: either all of its lines are inputs, or none is started.
async fn start_lines(context: &Context<'_>, client: &Client, new: &NewExecution, file: &str, skip: u64) -> Result<ExitStatus> {
    let total = match file {
        "-" => None,
        path => {
            let mut lines = input::Lines::open(path)?;
            while lines.next()?.is_some() {}
            Some(lines.number())
        }
    };
    let lines = input::Lines::open(file)?;
    let mut progress = Progress::new(context.printer, "started", total.map(|total| total.saturating_sub(skip)));
    let mut started = 0u64;
    // Read by a thread of its own, while the batch before is on its way.
    let (sender, mut batches) = mpsc::channel(1);
    std::thread::spawn(move || read(lines, skip, &sender));
    while let Some(batch) = batches.recv().await {
        let batch = batch.map_err(|problem| gone_wrong(problem, started + skip))?;
        let ids = client.enqueue_many(new, &batch).await.map_err(|error| gone_wrong(error.into(), started + skip))?;
        started += ids.len() as u64;
        progress.at(started);
    }
    progress.done();
    if context.printer.is_json() {
        context.printer.json(&serde_json::json!({ "started": started }));
    } else {
        context.printer.say(&format!("started {started}"));
        if let Some(tag) = new.tags.first() {
            context.printer.hint(&format!("find them: currant list --tag {tag}"));
        }
    }
    Ok(ExitStatus::Done)
}

/// Sends the lines behind the first `skip` in batches, and what is wrong with one behind those before it.
fn read(mut lines: input::Lines, skip: u64, batches: &mpsc::Sender<Result<Vec<Json>>>) {
    let mut batch = Vec::with_capacity(BATCH);
    // Nobody listens any more when something has gone wrong.
    let send = |batch: &mut Vec<Json>| batch.is_empty() || batches.blocking_send(Ok(std::mem::take(batch))).is_ok();
    loop {
        match lines.next() {
            Ok(Some(_)) if lines.number() <= skip => {}
            Ok(Some(input)) => batch.push(input),
            Ok(None) => {
                send(&mut batch);
                return;
            }
            Err(problem) => {
                let _ = send(&mut batch) && batches.blocking_send(Err(problem)).is_ok();
                return;
            }
        }
        if batch.len() == BATCH && !send(&mut batch) {
            return;
        }
    }
}

fn gone_wrong(problem: Problem, started: u64) -> Problem {
    match started {
        0 => problem.hint("nothing was started"),
        _ => problem.hint(format!("the lines before are started; go on behind them with --skip {started}")),
    }
}

pub(crate) fn instant(text: &str) -> std::result::Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| format!("`{text}` is not a time; write for example 2030-01-31T08:00:00Z"))
}

pub(crate) async fn check_offered(client: &Client, function: &FunctionName) -> Result<()> {
    if client.functions().await?.iter().any(|offered| offered.name == *function) {
        return Ok(());
    }
    let mut problem = Problem::failed(format!("nothing that is deployed offers a function `{function}`"));
    if let Some(nearest) = client.nearest(function.as_str()).await? {
        problem = problem.hint(format!("did you mean `{nearest}`?"));
    }
    Err(problem.hint("show what is offered: currant functions").hint(format!(
        "deploy the module that has it: currant deploy MODULE.wasm; or let it wait for that: currant start {function} --parked"
    )))
}

fn conflict(key: &Option<TaskId>, started: &Started) -> Problem {
    let key = key.as_ref().map(TaskId::as_str).unwrap_or_default();
    Problem::failed(format!(
        "the task_id `{key}` stands for the execution {}, which has another function or another input and is {}",
        started.id, started.status
    ))
    .hint(format!("look at it: currant status {}", started.id))
    .hint("start yours under another --id")
}

fn tell(context: &Context<'_>, started: &Started, key: &Option<TaskId>) {
    match (started.created, key) {
        (true, _) => context.printer.say(&format!("started {}", started.id)),
        (false, _) => context.printer.say(&format!(
            "`{}` was started before and is {}: nothing new was started",
            named(started, key),
            started.status
        )),
    }
}

fn named(started: &Started, key: &Option<TaskId>) -> String {
    key.as_ref().map(ToString::to_string).unwrap_or_else(|| started.id.to_string())
}
