//! `currant retry`.

use currant_core::client::Retried;
use serde_json::json;

use crate::bulk::{self, Selection};
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};

/// Try an execution again that failed, was cancelled or timed out; or all that match a filter
#[derive(clap::Args, Debug)]
#[command(after_help = "\
It keeps its id and gets its retries anew. A workflow goes on with its journal, on the version that it began on: what was done is not done
again. If the failure of a task, of a child workflow or of a step has just ended it, or its cancellation has, that is taken back: what failed
is tried again. Otherwise it is replayed, and comes to where it was. A workflow that started it, and has received the failure, is not told.

Examples:
  currant retry order-42
  currant retry --status failed --function charge --dry-run
  currant retry --status failed --function charge --yes")]
pub(crate) struct Args {
    /// Its id, or its task_id
    #[arg(required_unless_present_any = bulk::FILTERS, conflicts_with_all = bulk::FILTERS)]
    id: Option<String>,
    #[command(flatten)]
    selection: Selection,
    /// Forget the workflow's journal: begin again, on the current version
    #[arg(long)]
    from_start: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let Some(named) = args.id else {
        return bulk::run(&args.selection, bulk::Verb::Retry { from_start: args.from_start }, context).await;
    };
    let client = context.client().await?;
    let id = context.find(&client, &named).await?.id;
    let retried = client.retry(&id, args.from_start).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "id": id, "status": "pending", "goes_on": retried }));
        return Ok(ExitStatus::Done);
    }
    match retried {
        Retried::BeforeFailure => {
            context.printer.say(&format!("{named} is pending again, from before it failed: what failed is tried again"));
        }
        Retried::Anew | Retried::Replayed => context.printer.say(&format!("{named} is pending again")),
    }
    context.printer.hint(&format!("wait for it: currant status {named} --wait"));
    if retried == Retried::Replayed {
        context.printer.hint(&format!(
            "its journal stands: if that leads to the same end, begin anew on the current version: currant retry {named} --from-start"
        ));
    }
    Ok(ExitStatus::Done)
}
