//! Doing something to all executions that match a filter: they are counted, shown, and done only when that was confirmed.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

use currant_core::client::Filter;
use currant_core::executions::Status;
use currant_core::ids::{ExecutionId, FunctionName, QueueName};
use currant_core::{Client, Error};
use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::progress::Progress;

/// The options that select, any of which stands in place of an id.
pub(crate) const FILTERS: [&str; 4] = ["status", "function", "queue", "tag"];

/// Executions that are read at once.
const PAGE: u32 = 1_000;

/// Which executions, and whether it is meant.
#[derive(clap::Args, Debug)]
pub(crate) struct Selection {
    /// All in this status
    #[arg(long)]
    status: Option<Status>,
    /// All of this function
    #[arg(long, value_name = "NAME", value_parser = FunctionName::parse)]
    function: Option<FunctionName>,
    /// All in this queue
    #[arg(long, value_name = "NAME", value_parser = QueueName::parse)]
    queue: Option<QueueName>,
    /// All with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

/// What is to be done to them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Cancel,
    Retry { from_start: bool },
}

impl Verb {
    /// The statuses in which it does anything.
    fn statuses(self) -> &'static [Status] {
        match self {
            Verb::Cancel => &[Status::Pending, Status::Running, Status::Suspended],
            Verb::Retry { .. } => &[Status::Failed, Status::Cancelled, Status::TimedOut],
        }
    }

    fn word(self) -> &'static str {
        match self {
            Verb::Cancel => "cancel",
            Verb::Retry { .. } => "retry",
        }
    }

    /// Does it to one; answers what came of it.
    async fn apply(self, client: &Client, id: &ExecutionId) -> std::result::Result<String, Error> {
        let done = match self {
            Verb::Cancel => client.cancel(id).await,
            Verb::Retry { from_start } => client.retry(id, from_start).await.map(|_| "pending".to_owned()),
        };
        match done {
            // Somebody else was faster, or a newer execution has its key: the others are none the worse for it.
            Err(Error::Conflict { .. } | Error::NotFound(_)) => Ok("left".into()),
            done => done,
        }
    }
}

/// Finds them, asks, and does it.
pub(crate) async fn run(selection: &Selection, verb: Verb, context: &Context<'_>) -> Result<ExitStatus> {
    let statuses = match selection.status {
        Some(status) if !verb.statuses().contains(&status) => {
            let possible: Vec<_> = verb.statuses().iter().map(|status| status.as_str()).collect();
            return Err(Problem::usage(format!("what is {status} cannot be {}", past(verb)))
                .hint(format!("--status is one of {}", possible.join(", "))));
        }
        Some(status) => vec![status],
        None => verb.statuses().to_vec(),
    };
    let client = context.client().await?;
    let found = find(&client, selection, verb, &statuses).await?;
    let count = found.len() as u64;
    if selection.dry_run {
        return Ok(said(
            context,
            json!({ "found": count, "dry_run": true }),
            &format!("would {} {count} executions", verb.word()),
        ));
    }
    if count > 0 {
        confirm(selection.yes, &format!("{} {count} executions?", verb.word()))?;
    }
    let mut progress = Progress::new(context.printer, past(verb), Some(count));
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    for (number, id) in found.iter().enumerate() {
        *answers.entry(verb.apply(&client, id).await?).or_default() += 1;
        progress.at(number as u64 + 1);
    }
    progress.done();
    let text: Vec<String> = answers.iter().map(|(answer, count)| format!("{count} {}", described(answer))).collect();
    let text = if text.is_empty() { "nothing matches".to_owned() } else { text.join(", ") };
    Ok(said(context, json!({ "found": count, "answers": answers }), &text))
}

/// Asks, unless that was answered before. Without anybody to ask it has to be said on the command line.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<()> {
    confirm_or(yes, question, "say --yes, or look first with --dry-run")
}

/// The same of a command that has another way out.
pub(crate) fn confirm_or(yes: bool, question: &str, hint: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    let mut stdin = std::io::stdin().lock();
    if !stdin.is_terminal() {
        return Err(Problem::usage(format!("{question} nobody can be asked")).hint(hint));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    // An answer that cannot be read is no yes.
    let _ = stdin.read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Problem::failed("nothing was done")),
    }
}

async fn find(client: &Client, selection: &Selection, verb: Verb, statuses: &[Status]) -> Result<Vec<ExecutionId>> {
    let mut ids = Vec::new();
    for status in statuses {
        let mut filter = Filter {
            status: Some(*status),
            function: selection.function.clone(),
            queue: selection.queue.clone(),
            tag: selection.tag.clone(),
            limit: PAGE,
            ..Filter::default()
        };
        loop {
            let page = client.list(&filter).await?;
            // A second cancellation ends a workflow that is busy undoing what it did: that is for one at a time.
            let chosen = page.iter().filter(|execution| !(matches!(verb, Verb::Cancel) && execution.cancel_requested));
            ids.extend(chosen.map(|execution| execution.id));
            match page.last() {
                Some(last) if page.len() == PAGE as usize => filter.before = Some(last.id),
                _ => break,
            }
        }
    }
    // The oldest first: who waited longest goes on first.
    ids.sort_unstable();
    Ok(ids)
}

fn said(context: &Context<'_>, data: serde_json::Value, text: &str) -> ExitStatus {
    match context.printer.is_json() {
        true => context.printer.json(&data),
        false => context.printer.say(text),
    }
    ExitStatus::Done
}

fn past(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "cancelled",
        Verb::Retry { .. } => "retried",
    }
}

fn described(answer: &str) -> &str {
    match answer {
        "requested" => "asked to stop",
        "pending" => "pending again",
        "left" => "left alone: they have changed meanwhile, or a newer execution has their key",
        other => other,
    }
}
