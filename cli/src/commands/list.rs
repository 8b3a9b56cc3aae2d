//! `currant list`.

use currant_core::client::Filter;
use currant_core::executions::Status;
use currant_core::ids::{FunctionName, QueueName};

use crate::commands::status::style_of;
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::table::{Cell, Table};
use crate::times;

/// List executions, the newest first
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  currant list --status failed --function checkout --limit 20")]
pub(crate) struct Args {
    /// pending, running, suspended, completed, failed, cancelled or timed_out
    #[arg(long)]
    status: Option<Status>,
    /// Only those of this function
    #[arg(long, value_name = "NAME", value_parser = FunctionName::parse)]
    function: Option<FunctionName>,
    /// Only those in this queue
    #[arg(long, value_name = "NAME", value_parser = QueueName::parse)]
    queue: Option<QueueName>,
    /// Only those with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let filter = Filter {
        status: args.status,
        function: args.function,
        queue: args.queue,
        tag: args.tag,
        limit: args.limit,
        ..Filter::default()
    };
    let found = context.client().await?.list(&filter).await?;
    if context.printer.is_json() {
        context.printer.json(&found);
        return Ok(ExitStatus::Done);
    }
    if found.is_empty() {
        context.printer.say("no execution is found");
        return Ok(ExitStatus::Done);
    }
    let mut table = Table::new(&["id", "function", "status", "attempt", "queue", "created", "task_id"]);
    for execution in &found {
        let id = execution.id.to_string();
        let status = match execution.status {
            Some(status) if execution.parked => Cell::styled(style_of(status), format!("{status} (parked)")),
            Some(status) => Cell::styled(style_of(status), status.to_string()),
            None => "changing".into(),
        };
        let task_id = if execution.task_id == id { "" } else { &execution.task_id };
        table.row([
            id.as_str().into(),
            execution.function.as_str().into(),
            status,
            execution.attempt.to_string().into(),
            execution.queue.as_str().into(),
            times::instant(execution.created_at).into(),
            task_id.into(),
        ]);
    }
    table.print(context.printer);
    if found.len() == args.limit as usize {
        context.printer.say("there may be more: --limit");
    }
    Ok(ExitStatus::Done)
}
