//! `currant schedules`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use currant_core::durations;
use currant_core::ids::{FunctionName, QueueName};
use currant_core::schedules::{self, Calendar, NewSchedule, Overlap, Schedule};
use serde_json::json;

use crate::bulk;
use crate::commands::start::{check_offered, instant};
use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::input;
use crate::printer::Style;
use crate::progress::Progress;
use crate::table::{Cell, Table};
use crate::times;

/// Start functions by the calendar
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A time fires once, whatever number of workers run. One that passed while none ran is caught up with if it is not longer ago than --catch-up.
A time that a change of the clocks leaps over fires right behind it; a fixed time that comes twice fires once. What a schedule starts has the
tag schedule:NAME.

Examples:
  currant schedules
  currant schedules create nightly-report report --cron '30 2 * * *' --timezone Europe/Berlin
  currant schedules create poll import --cron '*/5 * * * *' --overlap queue --jitter 30s --input '{\"full\": false}'
  currant schedules trigger nightly-report
  currant schedules backfill nightly-report --from 2030-01-01T00:00:00Z --to 2030-01-31T00:00:00Z --dry-run")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a schedule
    Create(Box<Create>),
    /// List the schedules, with their last and their next time (what happens without a subcommand)
    List,
    /// Fire nothing until it is resumed; times that come meanwhile never fire
    Pause {
        /// The schedule
        name: String,
    },
    /// End the pause
    Resume {
        /// The schedule
        name: String,
    },
    /// Start now what it starts, whatever goes on
    Trigger {
        /// The schedule
        name: String,
    },
    /// Delete a schedule; what it started goes on
    Delete {
        /// The schedule
        name: String,
    },
    /// Start what it would have started at past times, unless it did
    Backfill {
        /// The schedule
        name: String,
        /// From this time on, for example 2030-01-01T00:00:00Z
        #[arg(long, value_name = "TIME", value_parser = instant)]
        from: DateTime<Utc>,
        /// Up to this time
        #[arg(long, value_name = "TIME", value_parser = instant)]
        to: DateTime<Utc>,
        /// skip, queue or allow, for these times
        #[arg(long, value_name = "POLICY", default_value = "allow")]
        overlap: Overlap,
        /// Show the times, and start nothing
        #[arg(long)]
        dry_run: bool,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
}

#[derive(clap::Args, Debug)]
struct Create {
    /// Its name
    #[arg(value_parser = name)]
    name: String,
    /// The function that it starts
    #[arg(value_parser = FunctionName::parse)]
    function: FunctionName,
    /// When: minute hour day month weekday
    #[arg(long, value_name = "EXPRESSION")]
    cron: String,
    /// Whose clock it is
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// The function's input: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "null")]
    input: String,
    /// The queue, instead of the function's own
    #[arg(long, value_name = "NAME", value_parser = QueueName::parse)]
    queue: Option<QueueName>,
    /// Higher goes first
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i16>,
    /// A word to find by what it started; may be given several times
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
    /// When the last one still goes on: skip this time, queue it, or allow both
    #[arg(long, value_name = "POLICY", default_value = "skip")]
    overlap: Overlap,
    /// Times that passed longer ago than this, while no worker ran, are missed
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = durations::parse)]
    catch_up: Duration,
    /// Spread the starts over so long behind their times
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = durations::parse)]
    jitter: Duration,
    /// Change the schedule of this name, if there is one
    #[arg(long)]
    replace: bool,
    /// Make it even if nothing that is deployed offers the function
    #[arg(long)]
    parked: bool,
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    match args.action.unwrap_or(Action::List) {
        Action::Create(new) => create(context, *new).await?,
        Action::List => list(context, &schedules::list(context.client().await?.pool()).await?),
        Action::Pause { name } => {
            schedules::pause(context.client().await?.pool(), &name).await?;
            said(context, json!({ "name": name, "paused": true }), &format!("{name} is paused"));
        }
        Action::Resume { name } => {
            let next = schedules::resume(context.client().await?.pool(), &name).await?;
            said(context, json!({ "name": name, "paused": false, "next_at": next }), &format!("{name} is resumed{}", at(next)));
        }
        Action::Trigger { name } => {
            let id = schedules::trigger(context.client().await?.pool(), &name).await?;
            match context.printer.is_json() {
                true => context.printer.json(&json!({ "name": name, "id": id })),
                false => context.printer.data(&id.to_string()),
            }
        }
        Action::Delete { name } => {
            schedules::delete(context.client().await?.pool(), &name).await?;
            said(context, json!({ "name": name, "deleted": true }), &format!("{name} is deleted; what it started goes on"));
        }
        Action::Backfill { name, from, to, overlap, dry_run, yes } => {
            backfill(context, &name, (from, to), overlap, dry_run, yes).await?;
        }
    }
    Ok(ExitStatus::Done)
}

async fn create(context: &Context<'_>, args: Create) -> Result<()> {
    Calendar::parse(&args.cron, &args.timezone).map_err(Problem::usage)?;
    let new = NewSchedule {
        name: args.name,
        cron: args.cron,
        timezone: args.timezone,
        function: args.function,
        input: input::read("--input", &args.input)?,
        queue: args.queue,
        priority: args.priority,
        tags: args.tags,
        overlap: args.overlap,
        catch_up: args.catch_up,
        jitter: args.jitter,
    };
    let client = context.client().await?;
    if !args.parked {
        check_offered(&client, &new.function).await?;
    }
    let next = schedules::create(client.pool(), &new, args.replace).await?;
    said(context, json!({ "name": new.name, "next_at": next }), &format!("{} is made{}", new.name, at(next)));
    Ok(())
}

async fn backfill(
    context: &Context<'_>,
    name: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    overlap: Overlap,
    dry_run: bool,
    yes: bool,
) -> Result<()> {
    let client = context.client().await?;
    let times = schedules::times(client.pool(), name, from, to).await?;
    if dry_run {
        match context.printer.is_json() {
            true => context.printer.json(&json!({ "name": name, "times": times })),
            false => times.iter().for_each(|at| context.printer.data(&times::instant(*at))),
        }
        context.printer.say(&format!("{} times", times.len()));
        return Ok(());
    }
    if !times.is_empty() {
        bulk::confirm(yes, &format!("start {name} for {} times?", times.len()))?;
    }
    let mut progress = Progress::new(context.printer, "times fired", Some(times.len() as u64));
    let mut fates = std::collections::BTreeMap::<String, u64>::new();
    for (number, at) in times.iter().enumerate() {
        *fates.entry(schedules::fire(client.pool(), name, *at, Some(overlap)).await?).or_default() += 1;
        progress.at(number as u64 + 1);
    }
    progress.done();
    let text: Vec<String> = fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
    let text = if text.is_empty() { "there is no time between these two".to_owned() } else { text.join(", ") };
    said(context, json!({ "name": name, "fates": fates }), &text);
    Ok(())
}

fn list(context: &Context<'_>, schedules: &[Schedule]) {
    if context.printer.is_json() {
        return context.printer.json(&schedules);
    }
    if schedules.is_empty() {
        return context.printer.say("there is none: make one with `currant schedules create`");
    }
    let mut table = Table::new(&["schedule", "cron", "zone", "function", "overlap", "last", "next"]);
    for schedule in schedules {
        let last = match (schedule.last_at, &schedule.last_status) {
            (Some(at), Some(status)) => format!("{} {status}", times::instant(at)),
            _ => String::new(),
        };
        let next = match schedule.next_at {
            _ if schedule.paused => Cell::styled(Style::Busy, "paused"),
            Some(at) if schedule.jitter_ms > 0 => {
                format!("{} + {}", times::instant(at), times::length(TimeDelta::milliseconds(schedule.jitter_ms))).into()
            }
            Some(at) => times::instant(at).into(),
            None => "never".into(),
        };
        table.row([
            schedule.name.as_str().into(),
            schedule.cron.as_str().into(),
            schedule.timezone.as_str().into(),
            schedule.function.as_str().into(),
            schedule.overlap.to_string().into(),
            last.into(),
            next,
        ]);
    }
    table.print(context.printer);
}

fn name(text: &str) -> std::result::Result<String, String> {
    // The same letters as everywhere.
    QueueName::parse(text)
        .map(|name| name.to_string())
        .map_err(|_| format!("`{text}` is not a valid name: it has 1 to 100 of a-z 0-9 _ . -"))
}

fn at(next: Option<DateTime<Utc>>) -> String {
    next.map(|next| format!(": its next time is {}", times::instant(next))).unwrap_or_default()
}

fn said(context: &Context<'_>, data: serde_json::Value, text: &str) {
    match context.printer.is_json() {
        true => context.printer.json(&data),
        false => context.printer.say(text),
    }
}
