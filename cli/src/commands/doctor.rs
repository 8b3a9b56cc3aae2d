//! `currant doctor`.

use currant_core::doctor::{self, Severity};

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::printer::Style;

/// Look for what makes the database slow or unsafe
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Looks at settings that hurt, old snapshots, dead rows, missing indexes, and work that nobody does. Changes nothing. Ends with 1 if it finds a
problem: something that loses data, or does not work.

Example:
  currant doctor")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let findings = doctor::examine(context.client().await?.pool()).await?;
    let has_problem = findings.iter().any(|finding| finding.severity == Severity::Problem);
    let ended = if has_problem { ExitStatus::Failed } else { ExitStatus::Done };
    if context.printer.is_json() {
        context.printer.json(&findings);
        return Ok(ended);
    }
    for finding in &findings {
        let label = match finding.severity {
            Severity::Problem => context.printer.style(Style::Bad, "problem"),
            Severity::Warning => context.printer.style(Style::Busy, "warning"),
            Severity::Note => context.printer.style(Style::Dim, "note"),
        };
        context.printer.data(&format!("{label}: {}\n    why   {}\n    next  {}", finding.what, finding.why, finding.next));
    }
    if findings.is_empty() {
        context.printer.say("nothing is wrong");
    }
    Ok(ended)
}
