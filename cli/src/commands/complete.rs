//! `currant complete`.

use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::input;

/// Complete an external operation of a workflow, by its token
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A workflow that waits for somebody outside has made the token, and given it to whom it waits for. A token is good once.

Examples:
  currant complete TOKEN
  currant complete TOKEN --result '{\"approved\": true}'")]
pub(crate) struct Args {
    /// The token
    token: String,
    /// What the workflow is given: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "null")]
    result: String,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let result = input::read("--result", &args.result)?;
    context.client().await?.complete(&args.token, &result).await?;
    match context.printer.is_json() {
        true => context.printer.json(&json!({ "completed": true })),
        false => context.printer.say("completed: the workflow goes on"),
    }
    Ok(ExitStatus::Done)
}
