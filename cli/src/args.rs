//! The command tree at a glance.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::commands::{
    cancel, cleanup, complete, deploy, doctor, fail, functions, history, list, logs, modules, queues, retry, rollback,
    schedules, signal, start, status,
};

/// How the programs of this workspace end, for `--help`.
const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  it failed: the execution failed, the module was refused, the state does not allow it
  2  the command was given wrongly
  3  no answer: the database cannot be reached, nobody decided in time, or a defect of ours

Data goes to stdout, everything else to stderr. --json prints stable keys: see docs/cli.md.";

/// Durable tasks and workflows: deploy modules, start executions, and look after them.
#[derive(Debug, Parser)]
#[command(name = "currant", version, after_help = EXIT_STATUS, arg_required_else_help = true, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(clap::Args, Debug)]
pub(crate) struct Global {
    /// The database: postgres://user:password@host:port/name [env: CURRANT_DATABASE_URL]
    #[arg(long, global = true, value_name = "URL", display_order = 100)]
    pub(crate) database_url: Option<String>,
    /// Print JSON instead of tables
    #[arg(long, global = true, display_order = 101)]
    pub(crate) json: bool,
    /// Say nothing but data and errors
    #[arg(long, short, global = true, display_order = 102)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Start(start::Args),
    Status(status::Args),
    List(list::Args),
    History(history::Args),
    Logs(logs::Args),
    Signal(signal::Args),
    Complete(complete::Args),
    Fail(fail::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
    Cleanup(cleanup::Args),
    Modules(modules::Args),
    Functions(functions::Args),
    Queues(queues::Args),
    Schedules(schedules::Args),
    Doctor(doctor::Args),
    /// A private Postgres, a worker, and your modules deployed whenever they change (by currant-host)
    #[command(disable_help_flag = true)]
    Dev(HostArgs),
    /// Run a worker (by currant-host)
    #[command(disable_help_flag = true)]
    Worker(HostArgs),
    /// Create or upgrade the schema in the database (by currant-host)
    #[command(disable_help_flag = true)]
    Migrate(HostArgs),
}

/// Handed over as they are.
#[derive(clap::Args, Debug)]
pub(crate) struct HostArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(crate) arguments: Vec<OsString>,
}
