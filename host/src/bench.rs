//! `currant-host bench`: what the system does on this machine, beside what it could do at best.
//!
//! ```text
//!   sandbox      instance + call + drop, through the worker's own runtime        ─┐
//!   floor        the rows of an execution by plain statements, nothing run       ─┴► ideal = cores ÷ (both times, per execution)
//!   system       real worker processes, a client that keeps them supplied         ─► so much of the ideal
//! ```
//!
//! Floor and system are measured one after the other on the same database, which is the benchmark's own: made at the start and dropped at
//! the end. Absolute figures are those of a machine at an hour; the ratios are what can be compared.

mod database;
mod floor;
mod load;
mod measures;
mod meter;
mod processes;
mod procfs;
mod report;
mod sandbox;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use currant_core::ids::Digest;
use tokio_util::sync::CancellationToken;

use self::database::Database;
use self::measures::Bench;
use self::report::{Report, Run};

/// What the benchmark can be told.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
It works in a database of its own on that server, and drops it at the end; workers are processes of this program.
Nothing else should run on the machine meanwhile. docs/performance.md says how to read what it prints.

examples: currant-host bench --database-url postgres://localhost/app
          currant-host bench --only tasks,latency --json")]
pub struct BenchArgs {
    /// A database of the server to measure on: postgres://user@host:port/name [env: CURRANT_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Only these, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Measure>,
    /// Everything in seconds, to see that it runs: the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Seconds of a round.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    seconds: f64,
    /// Rounds; the one with the median rate counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of the sustained load, and of a rate limit.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..))]
    sustained: u32,
    /// Executions that have ended before, for `history` and `retention`.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    history: u64,
    /// Executions that are pending, for `backlog` and `queues`.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    backlog: u64,
    /// Workflows that wait, for `waiting`.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    waiting: u64,
    /// Show so many statements of each load, those that took the most time. Needs pg_stat_statements.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    statements: u32,
    /// Executions at once in a worker, if not its default.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    slots: Option<u32>,
    /// The component to run; bench.wasm beside this program, or where scripts/build-guests puts it, if none is named.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// The sandbox alone.
    Sandbox,
    /// Tasks that do nothing, as many as can be run.
    Tasks,
    /// Starting many and one, beside plain inserts of the same rows.
    Enqueue,
    /// Workflows of ten tasks, one after the other.
    WorkflowsOfTasks,
    /// Workflows of ten steps, 50 and 500 at once.
    WorkflowsOfSteps,
    /// From the start of a task to its result, on an idle machine.
    Latency,
    /// Tasks for a minute, with and without a transaction that stays open.
    Sustained,
    /// Two and four workers; workflows whose tasks run in another one.
    Workers,
    /// A hundred queues, one of which is paused and full.
    Queues,
    /// The same with many executions that have ended.
    History,
    /// The same with many executions that are pending.
    Backlog,
    /// What a rate limit delivers, with one worker and with eight; and what it costs when it does not bind.
    RateLimits,
    /// Starting and running tasks while a million that have ended are deleted.
    Retention,
    /// A worker without work.
    Idle,
    /// Workflows that wait, in memory.
    Waiting,
    /// Workflows of 10 to 5,000 children at once: what each child costs.
    Children,
    /// Workflows of 1,000 to 20,000 steps, run through and replayed: what each step costs.
    Replay,
}

impl BenchArgs {
    fn wants(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    fn made_quick(self) -> BenchArgs {
        if !self.quick {
            return self;
        }
        BenchArgs { seconds: 0.3, rounds: 1, sustained: 2, history: 500, backlog: 500, waiting: 20, ..self }
    }
}

/// Measures, prints, and cleans up; also when `stop` is cancelled in the middle.
pub async fn bench(args: BenchArgs, database_url: &str, stop: CancellationToken) -> Result<ExitCode> {
    let args = args.made_quick();
    let module = module(args.module.as_deref())?;
    if !is_optimised() {
        say("warning: this program's own code is not optimised, and its figures mean little; scripts/bench builds one that is");
    }
    let load = procfs::load();
    let database = Database::create(database_url).await?;
    say(&format!("working in the database {}, which is dropped at the end", database.name));
    let measured = tokio::select! {
        measured = measure(&args, &database, module, load) => Some(measured),
        () = stop.cancelled() => None,
    };
    // Workers were dropped with the measure, and so killed.
    database.remove().await?;
    let Some(report) = measured.transpose()? else { return Ok(ExitCode::from(130)) };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", table::render(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &BenchArgs, database: &Database, component: Vec<u8>, load: Option<f64>) -> Result<Report> {
    let server = database.server().await?;
    if !server.is_durable() {
        say(
            "warning: this server does not write commits to disk (fsync, synchronous_commit): its figures are not those of a durable one",
        );
    }
    let cores = std::thread::available_parallelism()?.get();
    let mut report = Report {
        run: Run {
            version: env!("CARGO_PKG_VERSION"),
            optimised: is_optimised(),
            cores,
            load,
            postgres: server,
            postgres_is_local: database.local.is_some(),
            statements_are_counted: database.counts_statements,
            module: Digest::of(&component).to_string(),
            module_bytes: component.len(),
            seconds: args.seconds,
            rounds: args.rounds,
            history: args.history,
            backlog: args.backlog,
        },
        loaded: None,
        sandbox: Vec::new(),
        throughput: Vec::new(),
        enqueued: Vec::new(),
        latency: Vec::new(),
        sustained: Vec::new(),
        rate_limits: Vec::new(),
        loose_limit_of_none: None,
        retention: None,
        idle: None,
        waiting: None,
        scaling: Vec::new(),
    };
    say("measuring the sandbox");
    let (loaded, sandbox) = sandbox::measure(&component, cores, Duration::from_secs_f64(args.seconds / 2.0)).await?;
    (report.loaded, report.sandbox) = (Some(loaded), sandbox);
    if args.only != [Measure::Sandbox] {
        Bench::new(args, database, component, cores)?.measure(&mut report).await?;
    }
    Ok(report)
}

/// The component to run. It is no part of this program: it is built from `examples/bench`, with the SDK as it is, so that what is measured
/// is never an SDK of last year; and another one can be measured in its place.
fn module(named: Option<&Path>) -> Result<Vec<u8>> {
    const NAME: &str = "bench.wasm";
    if let Some(path) = named {
        return std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let program = std::env::current_exe()?;
    let beside = program.parent().map(|folder| folder.join(NAME));
    let built = program.ancestors().nth(2).map(|target| target.join("guests/wasm32-wasip2/release").join(NAME));
    let places: Vec<PathBuf> = beside.into_iter().chain(built).collect();
    match places.iter().find(|path| path.is_file()) {
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display())),
        None => {
            let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
            bail!(
                "there is no module to run: neither {}\nhint: build it with scripts/build-guests, or name one with --module",
                places.join(" nor ")
            )
        }
    }
}

/// By the build script: the language does not say.
fn is_optimised() -> bool {
    !matches!(env!("CURRANT_OPT_LEVEL"), "0" | "1")
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("a number of seconds greater than 0 is expected".into()),
    }
}

fn say(text: &str) {
    eprintln!("{text}");
}
