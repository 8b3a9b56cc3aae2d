//! `currant functions`, and how functions are shown.

use std::time::Duration;

use currant_core::durations;
use currant_core::modules::Function;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Result};
use crate::printer::Printer;
use crate::table::Table;

/// List the functions that deployed modules offer
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  currant functions")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, context: &Context<'_>) -> Result<ExitStatus> {
    let functions = context.client().await?.functions().await?;
    if context.printer.is_json() {
        context.printer.json(&functions);
    } else if functions.is_empty() {
        context.printer.say("nothing is deployed");
        context.printer.hint("deploy a module: currant deploy MODULE.wasm");
    } else {
        print(context.printer, &functions);
    }
    Ok(ExitStatus::Done)
}

/// What a module's author said about its functions.
pub(crate) fn print(printer: &Printer, functions: &[Function]) {
    let mut table = Table::new(&["function", "kind", "queue", "retries", "timeouts", "module", "description"]);
    for function in functions {
        table.row([
            function.name.as_str().into(),
            function.kind.as_str().into(),
            function.queue.as_str().into(),
            function.retry().retries.to_string().into(),
            timeouts(function).into(),
            function.module.as_str().into(),
            first_sentence(function.description.as_deref().unwrap_or_default()).into(),
        ]);
    }
    table.print(printer);
}

/// As much of a description as a table bears.
fn first_sentence(text: &str) -> String {
    let sentence = text.split_inclusive(['.', '\n']).next().unwrap_or_default().trim_end();
    match sentence.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", sentence[..end].trim_end()),
        None => sentence.to_owned(),
    }
}

fn timeouts(function: &Function) -> String {
    let limits = function.timeouts.clone().unwrap_or_default();
    let named = [
        ("queue", limits.queue_ms),
        ("attempt", limits.attempt_ms),
        ("heartbeat", limits.heartbeat_ms),
        ("total", limits.total_ms),
    ];
    let said: Vec<String> = named
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("{name} {}", durations::format(Duration::from_millis(limit?)))))
        .collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}
