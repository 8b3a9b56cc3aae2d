//! `currant cleanup`.

use std::time::Duration;

use currant_core::durations;
use currant_core::executions::Status;
use currant_core::ids::QueueName;
use currant_core::retention::{Filter, Pass};
use serde_json::json;

use crate::bulk;
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::progress::Progress;

/// Delete executions that ended long ago, before their retention is over
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Workers delete what is kept long enough by themselves, every hour: how long is said by the queue's retention. This deletes by age, by hand.
What a workflow started goes with it, and stays as long as it does. What has not ended is never deleted.

Examples:
  currant cleanup --older-than 30d --dry-run
  currant cleanup --older-than 1h --status completed --queue mail --yes")]
pub(crate) struct Args {
    /// That ended longer ago than this, at least a minute; without it, what the queues no longer keep
    #[arg(long, value_name = "DURATION", value_parser = durations::parse)]
    older_than: Option<Duration>,
    /// Only in this status: completed, failed, cancelled or timed_out
    #[arg(long)]
    status: Option<Status>,
    /// Only in this queue
    #[arg(long, value_name = "NAME", value_parser = QueueName::parse)]
    queue: Option<QueueName>,
    /// Say how many, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    if let Some(status) = args.status.filter(|status| !status.is_final()) {
        return Err(Problem::usage(format!("what is {status} has not ended, and is not deleted"))
            .hint("--status is one of completed, failed, cancelled, timed_out"));
    }
    let client = context.client().await?;
    let filter = Filter { older_than: args.older_than, status: args.status, queue: args.queue };
    let mut counting = Pass::new(filter.clone());
    let mut found = 0;
    loop {
        let batch = counting.count(client.pool()).await?;
        found += batch.executions;
        if batch.is_last {
            break;
        }
    }
    if args.dry_run {
        match context.printer.is_json() {
            true => context.printer.json(&json!({ "found": found, "dry_run": true })),
            false => context.printer.say(&format!("would delete {found} executions")),
        }
        return Ok(ExitStatus::Done);
    }
    if found > 0 {
        bulk::confirm(args.yes, &format!("delete {found} executions for ever?"))?;
    }
    let mut progress = Progress::new(context.printer, "deleted", Some(found));
    let mut pass = Pass::new(filter);
    let mut deleted = 0;
    let mut is_last = found == 0;
    while !is_last {
        let batch = pass.delete(client.pool()).await?;
        deleted += batch.executions;
        progress.at(deleted);
        is_last = batch.is_last;
    }
    progress.done();
    match context.printer.is_json() {
        true => context.printer.json(&json!({ "deleted": deleted })),
        false => context.printer.say(&format!("deleted {deleted} executions")),
    }
    Ok(ExitStatus::Done)
}
