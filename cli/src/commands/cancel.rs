//! `currant cancel`.

use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};

/// Cancel an execution, and what it started
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What has not begun is cancelled at once. What runs is asked to stop: a workflow may first undo what it did, a task sees it at its next
heartbeat. Cancelling what has ended changes nothing.

Example:
  currant cancel order-42")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let id = context.find(&client, &args.id).await?.id;
    let answer = client.cancel(&id).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "id": id, "answer": answer }));
        return Ok(ExitStatus::Done);
    }
    match answer.as_str() {
        "cancelled" => context.printer.say(&format!("{} is cancelled", args.id)),
        "requested" => {
            context.printer.say(&format!("{} is asked to stop", args.id));
            context.printer.hint(&format!("wait for it: currant status {} --wait", args.id));
        }
        ended => context.printer.say(&format!("{} has already ended: it is {ended}", args.id)),
    }
    Ok(ExitStatus::Done)
}
