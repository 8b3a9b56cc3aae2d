//! `currant fail`.

use currant_core::executions::Failure;
use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::input;

/// Fail an external operation of a workflow, by its token
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The workflow sees it as it would see the failure of a task, with this code and message. A token is good once.

Example:
  currant fail TOKEN 'the card was declined' --code declined --details '{\"card\": 42}'")]
pub(crate) struct Args {
    /// The token
    token: String,
    /// What happened, for people
    message: String,
    /// What kind of failure, for programs
    #[arg(long, default_value = "failed")]
    code: String,
    /// More about it: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    details: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let details = args.details.map(|given| input::read("--details", &given)).transpose()?;
    let failure = Failure { code: args.code, message: args.message, details, retryable: false, retry_after_ms: None };
    context.client().await?.fail(&args.token, &failure).await?;
    match context.printer.is_json() {
        true => context.printer.json(&json!({ "failed": true })),
        false => context.printer.say("failed: the workflow is told"),
    }
    Ok(ExitStatus::Done)
}
