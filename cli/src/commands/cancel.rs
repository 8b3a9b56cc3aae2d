//! `currant cancel`.

use currant_core::executions::Kind;
use serde_json::json;

use crate::bulk::{self, Selection};
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};

/// Cancel an execution, and what it started; or all that match a filter
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What has not begun is cancelled at once. What runs is asked to stop: a workflow may first undo what it did, a task sees it at its next
heartbeat. A workflow that is cancelled a second time is ended where it stands. Cancelling what has ended changes nothing.

Examples:
  currant cancel order-42
  currant cancel --queue mail --status pending --dry-run
  currant cancel --function import --tag nightly --yes")]
pub(crate) struct Args {
    /// Its id, or its task_id
    #[arg(required_unless_present_any = bulk::FILTERS, conflicts_with_all = bulk::FILTERS)]
    id: Option<String>,
    #[command(flatten)]
    selection: Selection,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let Some(named) = args.id else {
        return bulk::run(&args.selection, bulk::Verb::Cancel, context).await;
    };
    let client = context.client().await?;
    let execution = context.find(&client, &named).await?;
    let id = execution.id;
    let answer = client.cancel(&id).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "id": id, "answer": answer }));
        return Ok(ExitStatus::Done);
    }
    match answer.as_str() {
        "cancelled" => context.printer.say(&format!("{} is cancelled", named)),
        "requested" => {
            context.printer.say(&format!("{} is asked to stop", named));
            context.printer.hint(&format!("wait for it: currant status {} --wait", named));
            if execution.kind.as_deref() == Some(Kind::Workflow.as_str()) && !execution.cancel_requested {
                context
                    .printer
                    .hint(&format!("end it without letting it undo what it did: currant cancel {} once more", named));
            }
        }
        ended => context.printer.say(&format!("{} has already ended: it is {ended}", named)),
    }
    Ok(ExitStatus::Done)
}
