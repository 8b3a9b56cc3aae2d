//! `currant queues`.

use clap::Subcommand;
use currant_core::ids::QueueName;
use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::printer::Style;
use crate::table::{Cell, Table};
use crate::times;

/// List queues, pause them, resume them
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A queue that is paused starts nothing new; what runs goes on, and workflows that have begun are woken.

Examples:
  currant queues
  currant queues pause stripe-api")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the queues (what happens without a subcommand)
    List,
    /// Start nothing new from this queue
    Pause {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
    },
    /// End the pause
    Resume {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
    },
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    match args.action.unwrap_or(Action::List) {
        Action::List => {
            let queues = client.queues().await?;
            if context.printer.is_json() {
                context.printer.json(&queues);
                return Ok(ExitStatus::Done);
            }
            if queues.is_empty() {
                context.printer.say("there is none: a queue is created when it is first used");
                return Ok(ExitStatus::Done);
            }
            let mut table = Table::new(&["queue", "state", "pending", "running", "oldest pending"]);
            for queue in &queues {
                let state = if queue.paused { Cell::styled(Style::Busy, "paused") } else { "open".into() };
                table.row([
                    queue.name.as_str().into(),
                    state,
                    queue.pending.to_string().into(),
                    queue.running.to_string().into(),
                    queue.oldest.map(|at| format!("since {}", times::instant(at))).unwrap_or_default().into(),
                ]);
            }
            table.print(context.printer);
        }
        Action::Pause { name } => {
            client.pause_queue(&name).await?;
            answer(context, &name, true);
            context.printer.hint(&format!("end the pause: currant queues resume {name}"));
        }
        Action::Resume { name } => {
            client.resume_queue(&name).await?;
            answer(context, &name, false);
        }
    }
    Ok(ExitStatus::Done)
}

fn answer(context: &Context<'_>, name: &QueueName, paused: bool) {
    match (context.printer.is_json(), paused) {
        (true, _) => context.printer.json(&json!({ "name": name, "paused": paused })),
        (false, true) => context.printer.say(&format!("{name} is paused")),
        (false, false) => context.printer.say(&format!("{name} is open")),
    }
}
