//! `currant signal`.

use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::input;

/// Send a signal to a workflow
#[derive(clap::Args, Debug)]
#[command(after_help = "\
It is kept until the workflow receives it, also if it is sent before the workflow waits for it.

Examples:
  currant signal order-42 approved
  currant signal order-42 approved --payload '{\"by\": \"ada\"}' --dedup-id approval-1")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
    /// The signal
    name: String,
    /// What it carries: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "null")]
    payload: String,
    /// Sent again with the same one, it is ignored
    #[arg(long, value_name = "KEY")]
    dedup_id: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let payload = input::read("--payload", &args.payload)?;
    let client = context.client().await?;
    let id = context.find(&client, &args.id).await?.id;
    let sent = client.signal(&id, &args.name, &payload, args.dedup_id.as_deref()).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "id": id, "sent": sent }));
    } else if sent {
        context.printer.say(&format!("sent `{}` to {}", args.name, args.id));
    } else {
        context.printer.say(&format!("a signal with this dedup-id was sent to {} before: nothing was sent", args.id));
    }
    Ok(ExitStatus::Done)
}
