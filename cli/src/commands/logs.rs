//! `currant logs`.

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::printer::Style;

/// Show what an execution has logged
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What a task or workflow writes with the log functions, and to stdout and stderr. Lines beyond the limit per execution are not kept.

Example:
  currant logs order-42")]
pub(crate) struct Args {
    /// Its id, or its task_id
    id: String,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let client = context.client().await?;
    let id = context.find(&client, &args.id).await?.id;
    let lines = client.logs(&id).await?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&lines);
        return Ok(ExitStatus::Done);
    }
    if lines.is_empty() {
        printer.say("it has logged nothing");
    }
    for line in &lines {
        let style = match line.level.as_str() {
            "error" => Style::Bad,
            "warn" => Style::Busy,
            _ => Style::Dim,
        };
        let at = printer.style(Style::Dim, &line.at.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string());
        let level = printer.style(style, &format!("{:<5}", line.level));
        let attributes = line.attributes.as_ref().map(|attributes| format!("  {attributes}")).unwrap_or_default();
        printer.data(&format!("{at} {level} {}{attributes}", line.message));
    }
    Ok(ExitStatus::Done)
}
