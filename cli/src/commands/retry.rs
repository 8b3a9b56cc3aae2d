//! `currant retry`.

use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};

/// Try an execution again that failed, was cancelled or timed out
#[derive(clap::Args, Debug)]
#[command(after_help = "\
It keeps its id and gets its retries anew. A workflow goes on with its journal, on the version that it began on: what was done is not done
again. A workflow that started it, and has received the failure, is not told.

Example:
  currant retry order-42")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
    /// Forget the workflow's journal: begin again, on the current version
    #[arg(long)]
    from_start: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let id = context.find(&client, &args.id).await?.id;
    client.retry(&id, args.from_start).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "id": id, "status": "pending" }));
        return Ok(ExitStatus::Done);
    }
    context.printer.say(&format!("{} is pending again", args.id));
    context.printer.hint(&format!("wait for it: currant status {} --wait", args.id));
    Ok(ExitStatus::Done)
}
