//! The binary `currant-host`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use currant_core::config::{self, Config};
use currant_core::error::causes;
use currant_core::ids::QueueName;
use currant_core::{pool, schema};
use currant_host::journal::JournalLimits;
use currant_host::runtime::{self, RuntimeSettings, Trust};
use currant_host::{ResidentSettings, Worker, WorkerSettings, bench, dev};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Runs Currant's tasks and workflows.
#[derive(Parser)]
#[command(name = "currant-host", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Claims and runs executions until it is stopped (Ctrl-C, SIGTERM; a second one stops at once).
    #[command(after_help = "example: currant-host worker --database-url postgres://localhost/app --queues payments,default")]
    Worker(WorkerArgs),
    /// Creates, upgrades or removes Currant's schema in the database.
    Migrate(MigrateArgs),
    /// A private Postgres, a worker, and the given modules deployed anew whenever their file changes.
    Dev(dev::DevArgs),
    /// Measures the system on this machine, beside what Postgres and the sandbox could do at best.
    Bench(Box<bench::BenchArgs>),
    /// Inspects a component given on standard input. The worker runs this in a process of its own.
    #[command(hide = true)]
    Inspect,
}

#[derive(Args)]
struct Database {
    /// Where the database is: postgres://user@host:port/name [env: CURRANT_DATABASE_URL]
    #[arg(long, value_name = "URL", global = true)]
    database_url: Option<String>,
}

#[derive(Args)]
struct WorkerArgs {
    #[command(flatten)]
    database: Database,
    /// Executions that run at once.
    #[arg(long)]
    slots: Option<String>,
    /// The queues to serve, separated by commas; every queue if none are named.
    #[arg(long)]
    queues: Option<String>,
    /// How long what it claimed stays its own after its last sign of life, for example 15s.
    #[arg(long)]
    lease: Option<String>,
    /// The program that inspects modules, if not this one.
    #[arg(long, hide = true)]
    inspector: Option<PathBuf>,
}

#[derive(Args)]
struct MigrateArgs {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Subcommand)]
enum Direction {
    /// Creates the schema, or brings it up to this version. Safe to run by several at once.
    Up,
    /// Removes the schema, and everything in it.
    Down {
        /// Goes down to this migration only.
        #[arg(long, default_value_t = 0)]
        to: i64,
        /// Needed, because executions, results and modules are deleted.
        #[arg(long)]
        yes: bool,
    },
    /// Shows the migrations and whether they are applied.
    Status,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Inspect = cli.command {
        return runtime::inspect_child();
    }
    if let Err(error) = log_to_stderr() {
        return failed(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn log_to_stderr() -> anyhow::Result<()> {
    let filter = Config::load([])?.log.filter;
    // What the driver finds worth a note is not what an operator does; who wants it says so in the filter.
    let filter = EnvFilter::try_new(format!("sqlx=warn,{filter}"))
        .map_err(|error| Wrong(format!("`{filter}` is not a log filter: {error}")))?;
    let colour =
        std::io::stderr().is_terminal() && std::env::var_os(currant_core::env::NO_COLOR).is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).with_target(false).with_ansi(colour).init();
    Ok(())
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Worker(args) => work(args).await,
        Command::Migrate(args) => migrate(args).await,
        Command::Dev(args) => dev::dev(args, settings(&Config::load([])?)?, stop_on_signal()?).await,
        Command::Bench(args) => {
            let config = Config::load([("database.url", args.database_url.clone())])?;
            bench::bench(*args, database_url(&config)?, stop_on_signal()?).await
        }
        Command::Inspect => unreachable!("answered before the runtime starts"),
    }
}

async fn work(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load([
        ("database.url", args.database.database_url),
        ("worker.slots", args.slots),
        ("worker.queues", args.queues),
        ("worker.lease", args.lease),
    ])?;
    let settings = WorkerSettings { inspector: args.inspector, ..settings(&config)? };
    let shutdown = stop_on_signal()?;
    let pool = connect(&config, 8).await?;
    if let Err(refused) = schema::check(&pool).await?.usable() {
        eprintln!("error: {refused}");
        return Ok(ExitCode::from(3));
    }
    Worker::new(pool, settings)?.run(shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load([("database.url", args.database.database_url)])?;
    let pool = connect(&config, 2).await?;
    match args.direction {
        Direction::Up => {
            let applied = schema::up(&pool).await?;
            match applied.len() {
                0 => eprintln!("the schema is up to date"),
                count => eprintln!("applied {count} migrations: the schema is up to date"),
            }
        }
        Direction::Down { yes: false, .. } => {
            eprintln!("error: this deletes executions, results and modules");
            eprintln!("hint: say --yes if that is meant");
            return Ok(ExitCode::from(2));
        }
        Direction::Down { to, yes: true } => {
            let reverted = schema::down(&pool, to).await?;
            eprintln!("reverted {} migrations", reverted.len());
        }
        Direction::Status => {
            for migration in schema::status(&pool).await? {
                let state = if migration.applied { "applied" } else { "pending" };
                println!("{:>4}  {state}  {}", migration.version, migration.description);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Connects to the configured database.
async fn connect(config: &Config, connections: u32) -> anyhow::Result<PgPool> {
    let url = database_url(config)?;
    let source = config.source("database.url").map(ToString::to_string).unwrap_or_default();
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Wrong(format!("the database URL of {source} cannot be read: {error}")))?;
    pool::for_worker(url, connections).await.map_err(|error| match error {
        currant_core::Error::Database(reason) => anyhow::anyhow!(
            "cannot reach the database at {}:{}, named by {source}: {}",
            options.get_host(),
            options.get_port(),
            causes(&reason)
        ),
        error => error.into(),
    })
}

fn database_url(config: &Config) -> anyhow::Result<&str> {
    config.database.url.as_deref().ok_or_else(|| {
        let name = currant_core::env::DATABASE_URL;
        Wrong(format!("no database is configured\nhint: say --database-url, set {name}, or start one with `currant dev`"))
            .into()
    })
}

fn settings(config: &Config) -> anyhow::Result<WorkerSettings> {
    let defaults = WorkerSettings::default();
    let queues = config.worker.queues.iter().map(|name| QueueName::parse(name)).collect::<Result<Vec<_>, _>>();
    let queues = queues.map_err(|error| Wrong(error.to_string()))?;
    let trust = match &config.worker.ca_file {
        Some(path) => Trust::with_file(path).map_err(|error| {
            Wrong(format!("{error:#}\nhint: `worker.ca_file` ({}) names a PEM file", currant_core::env::WORKER_CA_FILE))
        })?,
        None => Trust::default(),
    };
    Ok(WorkerSettings {
        queues: (!queues.is_empty()).then_some(queues),
        queue_settings: config.queues.clone(),
        slots: config.worker.slots,
        lease: config.worker.lease,
        poll_interval: config.worker.poll_interval,
        shutdown_grace: config.worker.shutdown_grace,
        cancel_grace: config.worker.cancel_grace,
        compensation_grace: config.worker.compensation_grace,
        time_limit: config.worker.time_limit,
        journal: JournalLimits {
            operations: config.worker.operations_limit,
            length: config.worker.journal_length_limit,
            bytes: config.worker.journal_bytes_limit.0,
        },
        residents: ResidentSettings {
            count: config.worker.resident_count.0,
            memory: config.worker.resident_memory.0,
            time: config.worker.resident_time,
        },
        runtime: RuntimeSettings {
            memory_limit: config.worker.memory_limit.0 as usize,
            cpu_limit: config.worker.cpu_limit,
            workflow_cpu_limit: config.worker.workflow_cpu_limit,
            output_limit: config.worker.output_limit.0,
            log_limit: config.worker.log_limit.0 as usize,
            // A run never waits for an instance that another one holds. Residents that were dropped are gone a moment later.
            instances: (config.worker.slots + config.worker.resident_count.0).saturating_mul(9) / 8,
            trust,
            ..defaults.runtime
        },
        ..defaults
    })
}

/// Cancelled by the first Ctrl-C, SIGTERM or SIGHUP; the second ends the process at once, and loses nothing by it.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate, mut hangup) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hangup.recv() => {} };
        next().await;
        tracing::info!("stopping; once more to stop at once");
        cancelled.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(token)
}

/// The command was given wrongly.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrong(String);

/// Ends like `currant`: with 2 when the command was given wrongly, with 3 when there is no answer.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    let wrong = error.chain().any(|cause| cause.is::<Wrong>() || cause.is::<config::Error>());
    ExitCode::from(if wrong { 2 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults stand twice: for people in the configuration, for programs that embed a worker in its settings.
    #[test]
    fn an_empty_configuration_gives_the_default_settings() {
        let config = Config::load_from(std::path::Path::new("/nonexistent"), &Default::default(), []).unwrap();
        let (configured, default) = (settings(&config).unwrap(), WorkerSettings::default());
        let instances = RuntimeSettings { instances: default.runtime.instances, ..configured.runtime.clone() };
        let configured = WorkerSettings { runtime: instances, ..configured };
        assert_eq!(format!("{configured:?}"), format!("{default:?}"));
    }
}
