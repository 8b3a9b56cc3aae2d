//! `currant history`.

use currant_core::client;
use currant_core::executions::Execution;
use currant_core::workers;
use serde::Serialize;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::history::History;

/// Show what an execution did, in order: a workflow's journal, and the attempts that failed
#[derive(clap::Args, Debug)]
#[command(after_help = "\
  →  it started something          ←  a result reached it        ✓  a step ran, or it completed
  ✗  something failed              ×  it gave something up       !  its cancellation was requested
RUN is the claim that wrote the line: a workflow that waited, or lost its worker, goes on in another. BY is the worker that ran it, as listed
below the table. POS is the place in the journal, OP the operation's number. The time of a result is when it was there, and of everything else
when it was recorded. A workflow that continues as new, or is retried from its start, has one journal after the other: its chains.

Examples:
  currant history order-42
  currant history order-42 --around 17
  currant history poller --chain 3")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
    /// Show values whole
    #[arg(long)]
    full: bool,
    /// Show only what is at this position of the journal, and near it; of the last chain, if none is named
    #[arg(long, value_name = "POS")]
    around: Option<i32>,
    /// Show only this chain
    #[arg(long, value_name = "NUMBER")]
    chain: Option<i32>,
}

/// Execution and history as JSON. A struct and not `json!`, which would rewrite the numbers in values.
#[derive(Serialize)]
struct Told<'a> {
    execution: &'a Execution,
    #[serde(flatten)]
    recorded: &'a client::History,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let execution = context.find(&client, &args.id).await?;
    let recorded = client.history(&execution.id).await?;
    if context.printer.is_json() {
        context.printer.json(&Told { execution: &execution, recorded: &recorded });
        return Ok(ExitStatus::Done);
    }
    let workers = workers::list(client.pool()).await?;
    let history = History {
        execution: &execution,
        recorded: &recorded,
        workers: &workers,
        full: args.full,
        chain: args.chain,
        around: args.around,
    };
    context.printer.data(&history.told(context.printer));
    Ok(ExitStatus::Done)
}
