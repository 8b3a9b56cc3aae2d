//! `currant dev`: a private Postgres, migrations, a worker, and modules that are deployed again whenever their file changes.
//!
//!     claim .currant/ (one dev per folder) → start or adopt Postgres → migrate → write .currant/dev.json
//!       → worker and modules until Ctrl-C → stop the worker → remove dev.json → stop Postgres
//!
//! It survives its own `kill -9`: what it left behind (a Postgres that still runs, a stale pid file, half a data folder) is adopted or
//! cleared away at the next start. Errors are texts for people here, because this is the top of a command and nobody matches on them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use currant_core::config::Config;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

mod account;
mod folder;
mod installation;
mod modules;
mod postgres;

use folder::Folder;
use postgres::Postgres;

/// What `currant dev` was asked to do.
#[derive(Debug)]
pub struct Options {
    /// Components to deploy, and to deploy again when they change.
    pub modules: Vec<PathBuf>,
    /// An existing database to use instead of a private Postgres.
    pub database_url: Option<String>,
    /// The port of the private Postgres; a free one if none.
    pub port: Option<u16>,
}

/// Runs until it is interrupted. `worker` runs a worker on the database with this URL until the token is cancelled.
pub async fn dev<W>(options: Options, worker: impl FnOnce(String, CancellationToken) -> W) -> Result<()>
where
    W: Future<Output = Result<()>>,
{
    // Before anything starts, so that a Ctrl-C during the start stops what has been started.
    let mut interrupts = Interrupts::listen()?;
    let folder = Folder::claim(".currant".into())?;

    let Some(url) = options.database_url.clone() else {
        let postgres = Postgres::start(&folder, options.port).await?;
        let outcome = serve(&options, &folder, postgres.url(), worker, &mut interrupts).await;
        say("stopping Postgres");
        postgres.stop().await?;
        return outcome;
    };
    serve(&options, &folder, url, worker, &mut interrupts).await
}

async fn serve<W>(
    options: &Options,
    folder: &Folder,
    url: String,
    worker: impl FnOnce(String, CancellationToken) -> W,
    interrupts: &mut Interrupts,
) -> Result<()>
where
    W: Future<Output = Result<()>>,
{
    let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.context("cannot connect to the database")?;
    currant_core::schema::up(&pool).await.context("cannot migrate the database")?;
    folder.publish(&url)?;
    let outcome = work(options, &pool, &url, worker, interrupts).await;
    folder.retract();
    pool.close().await;
    outcome
}

async fn work<W>(
    options: &Options,
    pool: &PgPool,
    url: &str,
    worker: impl FnOnce(String, CancellationToken) -> W,
    interrupts: &mut Interrupts,
) -> Result<()>
where
    W: Future<Output = Result<()>>,
{
    let stop = CancellationToken::new();
    let mut worker = std::pin::pin!(worker(url.to_owned(), stop.clone()));
    let modules = modules::deploy_and_watch(pool, &options.modules);
    welcome(options, url);

    tokio::select! {
        ended = &mut worker => {
            ended?;
            bail!("the worker stopped by itself");
        }
        never = modules => match never {},
        () = interrupts.next() => {}
    }
    say("stopping the worker (Ctrl-C again: at once)");
    stop.cancel();
    tokio::select! {
        ended = worker => ended,
        // What it ran is taken over when its lease has ended: a worker that is not waited for loses nothing.
        () = interrupts.next() => Ok(()),
    }
}

/// The three ways in which people and their tools ask a program to stop.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    fn listen() -> Result<Interrupts> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

fn welcome(options: &Options, url: &str) {
    println!("{url}");
    say("ready: that is the database's URL. In another terminal, in this folder:");
    if options.modules.is_empty() {
        say("    currant deploy MODULE.wasm");
    }
    say("    currant functions");
    say("    currant start FUNCTION --input '{}' --wait");
    if !options.modules.is_empty() {
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
