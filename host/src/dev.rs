//! `currant dev`: a private Postgres, migrations, a worker, and modules that are deployed again whenever their file changes.
//!
//! ```text
//! claim .currant/ (one dev per folder) → start or adopt Postgres → migrate → write .currant/dev.json
//!   → worker and modules until Ctrl-C → stop the worker → remove dev.json → stop Postgres
//! ```
//!
//! It survives its own `kill -9`: what it left behind (a Postgres that still runs, a stale pid file, half a data folder) is adopted or
//! cleared away at the next start. Errors are texts for people here, because this is the top of a command and nobody matches on them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use currant_core::config::Config;
use tokio_util::sync::CancellationToken;

use crate::{ResidentSettings, Worker, WorkerSettings};

mod account;
mod folder;
mod installation;
mod modules;
mod postgres;

use folder::Folder;
use postgres::Postgres;

/// Connections for the worker and for deploying; the private Postgres has a hundred.
const CONNECTIONS: u32 = 10;

/// What `currant dev` can be told.
#[derive(Args, Debug)]
#[command(after_help = "example: currant dev target/wasm32-wasip2/release/orders.wasm")]
pub struct DevArgs {
    /// Components to deploy now, and again whenever their file changes.
    #[arg(value_name = "MODULE.wasm")]
    modules: Vec<PathBuf>,
    /// An existing database to use instead of a private Postgres.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The port of the private Postgres; the one that it had before, or a free one, if none is named.
    #[arg(long, conflicts_with = "database_url")]
    port: Option<u16>,
}

/// Runs until `stop` is cancelled.
pub async fn dev(args: DevArgs, settings: WorkerSettings, stop: CancellationToken) -> Result<ExitCode> {
    let folder = Folder::claim(".currant".into())?;
    match &args.database_url {
        Some(url) => serve(&args, &folder, url, settings, stop).await?,
        None => {
            let postgres = Postgres::start(&folder, args.port).await?;
            let outcome = serve(&args, &folder, &postgres.url(), settings, stop).await;
            postgres.stop().await?;
            outcome?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &DevArgs, folder: &Folder, url: &str, settings: WorkerSettings, stop: CancellationToken) -> Result<()> {
    let pool = currant_core::pool::for_worker(url, CONNECTIONS).await.context("cannot connect to the database")?;
    currant_core::schema::up(&pool).await.context("cannot migrate the database")?;
    // Code that is not deterministic shows in a replay: here every wait ends in one.
    let settings = WorkerSettings { residents: ResidentSettings { count: 0, ..settings.residents }, ..settings };
    let worker = Worker::new(pool.clone(), settings)?;
    folder.publish(url)?;
    welcome(args, url);

    let outcome = tokio::select! {
        ended = worker.run(stop.clone()) => match ended {
            Ok(()) if !stop.is_cancelled() => Err(anyhow!("the worker stopped by itself")),
            ended => ended.context("the worker stopped"),
        },
        never = modules::deploy_and_watch(&pool, &args.modules) => match never {},
    };
    folder.retract();
    pool.close().await;
    outcome
}

fn welcome(args: &DevArgs, url: &str) {
    println!("{url}");
    say("ready: that is the database's URL. In another terminal, in this folder:");
    if args.modules.is_empty() {
        say("    currant deploy MODULE.wasm");
    }
    say("    currant functions");
    say("    currant start FUNCTION --input '{}' --wait");
    if !args.modules.is_empty() {
        say("    currant list");
    }
    // What is configured goes before the file that we have just written, and would lead the commands to another database.
    if let Ok(config) = Config::load([])
        && config.database.url.as_deref() != Some(url)
        && let Some(source) = config.source("database.url")
    {
        say(&format!("warning: {source} names another database, and the other commands will use that one"));
    }
}

fn say(text: &str) {
    eprintln!("{text}");
}
