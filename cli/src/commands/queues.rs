//! `currant queues`.

use chrono::TimeDelta;
use clap::Subcommand;
use currant_core::Client;
use currant_core::ids::QueueName;
use currant_core::queues::{Origin, Queue, QueueSettings, SETTINGS, setting_name};
use serde_json::json;

use crate::context::Context;
use crate::diagnostics::{ExitStatus, Problem, Result};
use crate::printer::Style;
use crate::table::{Cell, Table};
use crate::times;

/// List queues, set their limits and their retention, pause them, resume them
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A queue is made by its first use. What is set by command holds at once, in every worker, and goes before the workers' currant.toml until it
is reset. A queue that is paused starts nothing new; what runs goes on, and workflows that have begun are woken.

Settings: rate_limit, burst, concurrency, concurrency_per_key, retention (of tasks and workflows), retention_tasks, retention_workflows,
retention_failed, retention_cancelled. `none` takes a limit away.

Examples:
  currant queues
  currant queues set stripe-api rate_limit=100/sec concurrency=20
  currant queues set mail retention=7d retention_failed=90d
  currant queues show stripe-api
  currant queues reset stripe-api rate_limit
  currant queues pause stripe-api")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the queues: what waits, what runs, and their limits (what happens without a subcommand)
    List,
    /// Show a queue, with each setting and where it comes from
    Show {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
    },
    /// Change settings, from now on
    Set {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
        /// For example rate_limit=100/sec
        #[arg(value_name = "SETTING=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Take back what was set by command: the workers' files hold again, or the defaults
    Reset {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
        /// Only these; all of them if none are named
        #[arg(value_name = "SETTING")]
        settings: Vec<String>,
    },
    /// Start nothing new from this queue
    Pause {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
    },
    /// End the pause
    Resume {
        /// The queue
        #[arg(value_parser = QueueName::parse)]
        name: QueueName,
    },
}

pub(crate) async fn run(args: Args, context: &Context<'_>) -> Result<ExitStatus> {
    // What is said wrongly is found before anything is connected.
    let action = args.action.unwrap_or(Action::List);
    let settings = match &action {
        Action::Set { settings, .. } => parse(settings)?,
        _ => QueueSettings::default(),
    };
    let client = context.client().await?;
    match action {
        Action::List => list(context, &client.queues().await?),
        Action::Show { name } => show(context, &find(&client, &name).await?),
        Action::Set { name, .. } => {
            client.configure_queue(&name, &settings).await?;
            show(context, &find(&client, &name).await?);
        }
        Action::Reset { name, settings } => {
            let named = settings.iter().map(|name| setting_name(name)).collect::<std::result::Result<Vec<_>, _>>();
            let named = named.map_err(Problem::usage)?;
            client.reset_queue(&name, (!named.is_empty()).then_some(&named)).await?;
            show(context, &find(&client, &name).await?);
        }
        Action::Pause { name } => {
            client.pause_queue(&name).await?;
            answer(context, &name, true);
            context.printer.hint(&format!("end the pause: currant queues resume {name}"));
        }
        Action::Resume { name } => {
            client.resume_queue(&name).await?;
            answer(context, &name, false);
        }
    }
    Ok(ExitStatus::Done)
}

fn parse(given: &[String]) -> Result<QueueSettings> {
    let mut settings = QueueSettings::default();
    for given in given {
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| Problem::usage(format!("`{given}` sets nothing")).hint("write for example rate_limit=100/sec"))?;
        settings.set(name, value).map_err(|reason| match reason.starts_with('`') || reason.starts_with("there is") {
            true => Problem::usage(reason),
            false => Problem::usage(format!("{name} {reason}")),
        })?;
    }
    Ok(settings)
}

async fn find(client: &Client, name: &QueueName) -> Result<Queue> {
    let queues = client.queues().await?;
    queues
        .into_iter()
        .find(|queue| queue.name == name.as_str())
        .ok_or_else(|| Problem::failed(format!("there is no queue `{name}`")).hint("show what there is: currant queues"))
}

fn list(context: &Context<'_>, queues: &[Queue]) {
    if context.printer.is_json() {
        return context.printer.json(&queues);
    }
    if queues.is_empty() {
        return context.printer.say("there is none: a queue is created when it is first used");
    }
    let mut table = Table::new(&["queue", "state", "pending", "running", "limits", "oldest pending"]);
    for queue in queues {
        let state = if queue.paused { Cell::styled(Style::Busy, "paused") } else { "open".into() };
        table.row([
            queue.name.as_str().into(),
            state,
            queue.pending.to_string().into(),
            queue.running.to_string().into(),
            limits(queue).into(),
            oldest(queue).into(),
        ]);
    }
    table.print(context.printer);
}

fn limits(queue: &Queue) -> String {
    let at_once = |number: i32, of: &str| format!("{number} at once{of}");
    let limits = [
        queue.rate_limit.clone(),
        queue.concurrency.map(|number| at_once(number, "")),
        queue.concurrency_per_key.map(|number| at_once(number, " per key")),
    ];
    limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn oldest(queue: &Queue) -> String {
    match (queue.oldest, queue.oldest_age_ms) {
        (Some(at), Some(age)) => format!("for {}, since {}", times::length(TimeDelta::milliseconds(age)), times::instant(at)),
        _ => String::new(),
    }
}

fn show(context: &Context<'_>, queue: &Queue) {
    let settings: Vec<(&str, String, Origin)> = SETTINGS
        .iter()
        .map(|setting| {
            let (value, origin) = queue.setting(setting);
            (setting.name, value, origin)
        })
        .collect();
    if context.printer.is_json() {
        let by_name =
            |(name, value, origin): &(&str, String, Origin)| ((*name).to_owned(), json!({ "value": value, "origin": origin }));
        let settings: serde_json::Map<String, serde_json::Value> = settings.iter().map(by_name).collect();
        return context.printer.json(&json!({
            "name": queue.name, "paused": queue.paused, "pending": queue.pending, "running": queue.running, "oldest": queue.oldest,
            "oldest_age_ms": queue.oldest_age_ms, "settings": settings,
        }));
    }
    let state = if queue.paused { "paused" } else { "open" };
    context.printer.data(&format!("{} is {state}: {} pending, {} running", queue.name, queue.pending, queue.running));
    if queue.oldest.is_some() {
        context.printer.data(&format!("the oldest that can be claimed waits {}", oldest(queue)));
    }
    let mut table = Table::new(&["setting", "value", "from"]);
    for (name, value, origin) in settings {
        let style = if origin == Origin::Default { Style::Dim } else { Style::Plain };
        table.row([name.into(), Cell::styled(style, value), origin.as_str().into()]);
    }
    table.print(context.printer);
}

fn answer(context: &Context<'_>, name: &QueueName, paused: bool) {
    match (context.printer.is_json(), paused) {
        (true, _) => context.printer.json(&json!({ "name": name, "paused": paused })),
        (false, true) => context.printer.say(&format!("{name} is paused")),
        (false, false) => context.printer.say(&format!("{name} is open")),
    }
}
