//! `currant`: the small program that people and pipelines use. It knows the database and the guest contract, and no WebAssembly engine:
//! what needs one is handed over to `currant-host`.
//!
//! [`args`] is the command tree; each command is one file in [`commands`], which returns how the program ends or a [`diagnostics::Problem`].

use std::process::ExitCode;

use clap::Parser;

mod args;
mod bulk;
mod commands;
mod component;
mod context;
mod diagnostics;
mod history;
mod host;
mod input;
mod printer;
mod progress;
mod table;
mod times;

use args::{Args, Command};
use context::Context;
use diagnostics::{ExitStatus, Problem, Result};
use printer::Printer;

fn main() -> ExitCode {
    let Args { global, command } = Args::parse();
    let no_colour = std::env::var_os(currant_core::env::NO_COLOR).is_some_and(|value| !value.is_empty());
    let printer = Printer::new(global.json, global.quiet, no_colour);
    let ended = match command {
        Command::Dev(host) => Err(host::hand_over("dev", global.database_url, host.arguments)),
        Command::Worker(host) => Err(host::hand_over("worker", global.database_url, host.arguments)),
        Command::Migrate(host) => Err(host::hand_over("migrate", global.database_url, host.arguments)),
        command => Context::load(global.database_url, &printer).and_then(|context| run(command, &context)),
    };
    ended.unwrap_or_else(|problem| problem.report(&printer)).into()
}

fn run(command: Command, context: &Context<'_>) -> Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::no_answer(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Deploy(args) => commands::deploy::run(args, context).await,
            Command::Rollback(args) => commands::rollback::run(args, context).await,
            Command::Start(args) => commands::start::run(args, context).await,
            Command::Status(args) => commands::status::run(args, context).await,
            Command::List(args) => commands::list::run(args, context).await,
            Command::History(args) => commands::history::run(args, context).await,
            Command::Logs(args) => commands::logs::run(args, context).await,
            Command::Signal(args) => commands::signal::run(args, context).await,
            Command::Complete(args) => commands::complete::run(args, context).await,
            Command::Fail(args) => commands::fail::run(args, context).await,
            Command::Cancel(args) => commands::cancel::run(args, context).await,
            Command::Retry(args) => commands::retry::run(args, context).await,
            Command::Cleanup(args) => commands::cleanup::run(args, context).await,
            Command::Doctor(args) => commands::doctor::run(args, context).await,
            Command::Modules(args) => commands::modules::run(args, context).await,
            Command::Functions(args) => commands::functions::run(args, context).await,
            Command::Queues(args) => commands::queues::run(args, context).await,
            Command::Schedules(args) => commands::schedules::run(args, context).await,
            Command::Dev(_) | Command::Worker(_) | Command::Migrate(_) => {
                unreachable!("handed over before the runtime starts")
            }
        }
    })
}
