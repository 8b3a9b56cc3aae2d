//! `currant status`, and how an end is shown.

use std::time::Duration;

use currant_core::Client;
use currant_core::client::Ended;
use currant_core::durations;
use currant_core::executions::{Execution, Failure, Status};
use currant_core::ids::ExecutionId;
use serde::Serialize;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::printer::{Printer, Style};
use crate::times;

/// Show an execution: where it stands, its input, its result or failure
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Ends with 0 whatever the status is. With --wait it prints the result only, and ends with 1 if there is none.

Examples:
  currant status order-42
  currant status order-42 --wait --timeout 5m
  currant status 0199b7c2-6c1e-7e7a-b7f0-2f2d9a4c1b1e --json")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
    /// Wait until it has ended, and print its result
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = durations::parse)]
    timeout: Option<Duration>,
}

/// An end as JSON. A struct and not `json!`, which would rewrite the numbers in values.
#[derive(Serialize)]
struct Answer<'a> {
    id: ExecutionId,
    #[serde(flatten)]
    ended: &'a Ended,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let execution = context.find(&client, &args.id).await?;
    if args.wait {
        return wait_and_print(context, &client, execution.id, args.timeout).await;
    }
    if context.printer.is_json() {
        context.printer.json(&execution);
    } else {
        context.printer.data(&described(context.printer, &execution));
    }
    Ok(ExitStatus::Done)
}

/// Waits for the end; prints the result on stdout, or says why there is none.
pub(crate) async fn wait_and_print(
    context: &Context<'_>,
    client: &Client,
    id: ExecutionId,
    timeout: Option<Duration>,
) -> Result<ExitStatus> {
    let Some(ended) = client.wait_for_result(&id, timeout).await? else {
        let waited = timeout.map(durations::format).unwrap_or_default();
        return Err(Problem::no_answer(format!("the execution {id} has not ended within {waited}; it goes on"))
            .hint(format!("wait again: currant status {id} --wait")));
    };
    if context.printer.is_json() {
        context.printer.json(&Answer { id, ended: &ended });
    }
    if let (Status::Completed, Some(result)) = (ended.status, &ended.result) {
        if !context.printer.is_json() {
            context.printer.data(result.as_str());
        }
        return Ok(ExitStatus::Done);
    }
    let execution = client.status(&id).await?;
    Err(failed(id, ended.status, ended.failure.as_ref(), execution.as_ref()))
}

/// The code of a replay that did something else than is on record.
const NONDETERMINISM: &str = "nondeterminism";

/// The end of an execution that did not complete.
fn failed(id: ExecutionId, status: Status, failure: Option<&Failure>, execution: Option<&Execution>) -> Problem {
    let function = execution.map(|execution| execution.function.as_str()).unwrap_or("the execution");
    let attempts = match execution.map(|execution| execution.attempt) {
        Some(attempts) if attempts > 1 => format!(" after {attempts} attempts"),
        _ => String::new(),
    };
    let mut message = format!("{function} {}{attempts} ({id})", ending(status));
    if let Some(failure) = failure {
        for line in failure_lines(failure) {
            message.push_str(&format!("\n  {line}"));
        }
    }
    let around = failure.and_then(position).map(|position| format!(" --around {position}")).unwrap_or_default();
    Problem::failed(message)
        .hint(format!("see what it did: currant history {id}{around}"))
        .hint(format!("have it tried again: currant retry {id}"))
}

fn ending(status: Status) -> &'static str {
    match status {
        Status::TimedOut => "timed out",
        Status::Cancelled => "was cancelled",
        _ => "failed",
    }
}

/// A failure, label by label. A text among the details, such as a traceback, is shown as the text that it is; of a divergence each side has a
/// label of its own.
fn failure_lines(failure: &Failure) -> Vec<String> {
    let mut labelled = vec![("code", failure.code.clone()), ("message", failure.message.clone())];
    match (&failure.details, divergence(failure)) {
        (_, Some(sides)) => labelled.extend(sides),
        (Some(details), None) => {
            let text = serde_json::from_str::<String>(details.as_str()).unwrap_or_else(|_| details.as_str().to_owned());
            labelled.push(("details", text));
        }
        (None, None) => {}
    }
    let width = labelled.iter().map(|(label, _)| label.len()).max().unwrap_or(0).max(8);
    let lines = labelled.iter().flat_map(|(label, text)| {
        text.lines().enumerate().map(move |(index, line)| format!("{:<width$} {line}", if index == 0 { label } else { "" }))
    });
    lines.collect()
}

/// What the record says and what the code did, if that is why it failed.
fn divergence(failure: &Failure) -> Option<Vec<(&'static str, String)>> {
    if failure.code != NONDETERMINISM {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(failure.details.as_ref()?.as_str()).ok()?;
    let text = |key: &str| match &details[key] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let sides = [
        ("position", text("position")),
        ("recorded", text("recorded")),
        ("called", text("called")),
        ("after", text("after")),
        ("module", text("module").map(|digest| format!("sha256:{digest} (pinned)"))),
        ("likely cause", text("likely_cause")),
    ];
    Some(sides.into_iter().filter_map(|(label, text)| Some((label, text?))).collect())
}

/// Where in its journal a replay diverged.
fn position(failure: &Failure) -> Option<i64> {
    let details: serde_json::Value = serde_json::from_str(failure.details.as_ref()?.as_str()).ok()?;
    details["position"].as_i64().filter(|_| failure.code == NONDETERMINISM)
}

/// Everything that is known of an execution, for people.
fn described(printer: &Printer, execution: &Execution) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| {
        let mut parts = text.lines();
        let label = printer.style(Style::Dim, &format!("{label:<10}"));
        lines.push(format!("{label} {}", parts.next().unwrap_or_default()));
        lines.extend(parts.map(|part| format!("{:<10} {part}", "")));
    };
    let id = execution.id.to_string();
    line("id", id.clone());
    if execution.task_id != id {
        line("task_id", execution.task_id.clone());
    }
    line("function", format!("{} ({})", execution.function, execution.kind.as_deref().unwrap_or("kind not known yet")));
    line("status", standing(printer, execution));
    line("queue", execution.queue.clone());
    if execution.priority != 0 {
        line("priority", execution.priority.to_string());
    }
    if execution.attempt > 1 {
        line("attempt", execution.attempt.to_string());
    }
    line("created", times::instant(execution.created_at));
    if let Some(started) = execution.started_at {
        line("started", times::instant(started));
    }
    if let Some(ended) = execution.ended_at {
        line(
            "ended",
            format!("{}, {} after it was asked for", times::instant(ended), times::length(ended - execution.created_at)),
        );
    }
    if let Some(module) = &execution.module {
        line("module", format!("sha256:{}", &module[..module.len().min(12)]));
    }
    if let Some(parent) = execution.parent_workflow_id {
        line("parent", parent.to_string());
    }
    if !execution.tags.is_empty() {
        line("tags", execution.tags.join(", "));
    }
    line("input", execution.input.to_string());
    if let Some(progress) = &execution.progress {
        line("progress", progress.to_string());
    }
    for warning in execution.warning.iter().flat_map(|warning| warning.lines()) {
        line("warning", warning.to_owned());
    }
    if let Some(result) = &execution.result {
        line("result", result.to_string());
    }
    if let Some(failure) = execution.failure() {
        line("failure", failure_lines(&failure).join("\n"));
    }
    lines.join("\n")
}

/// The status, and what it waits for.
fn standing(printer: &Printer, execution: &Execution) -> String {
    let Some(status) = execution.status else {
        return "changing".to_owned();
    };
    let waits = match (status, execution.run_at) {
        (Status::Pending, _) if execution.parked => format!(": waits for a module that offers {}", execution.function),
        (Status::Pending, Some(run_at)) if run_at > execution.created_at => format!(", not before {}", times::instant(run_at)),
        (Status::Suspended, Some(due)) => format!(", until {} at the latest", times::instant(due)),
        _ => String::new(),
    };
    let kept = match (status, execution.resident_on) {
        (Status::Suspended, Some(_)) => "; resident in a worker's memory",
        (Status::Suspended, None) => "; will be replayed",
        _ => "",
    };
    let cancel = match execution.cancel_requested && execution.ended_at.is_none() {
        true => "; its cancellation was requested",
        false => "",
    };
    format!("{}{waits}{kept}{cancel}", printer.style(style_of(status), &status.to_string()))
}

/// The colour of a status.
pub(crate) fn style_of(status: Status) -> Style {
    match status {
        Status::Completed => Style::Good,
        Status::Failed | Status::TimedOut => Style::Bad,
        Status::Running | Status::Suspended => Style::Busy,
        Status::Pending | Status::Cancelled => Style::Plain,
    }
}
