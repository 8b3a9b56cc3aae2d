//! A database of the benchmark's own: made on the server that is configured, and dropped at the end. Nothing else on the server is touched.

use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use currant_core::{pool, schema};
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, FromRow, PgConnection, PgPool, Row};
use uuid::Uuid;

use super::procfs::LocalServer;

const SERVER: &str = include_str!("queries/server.sql");
const CLEAR_READY: &str = include_str!("queries/clear_ready.sql");
const STATEMENTS: &str = include_str!("queries/statements.sql");

const DEADLOCK: &str = "40P01";

/// Connections of the client and of the floor.
const CONNECTIONS: u32 = 8;

/// A migrated database that is nobody else's.
pub(super) struct Database {
    server: PgConnectOptions,
    pub(super) name: String,
    /// For the processes that are started.
    pub(super) url: String,
    /// As any client connects.
    pub(super) client: PgPool,
    /// As a worker connects: the floor has the planner's settings that the system has.
    pub(super) floor: PgPool,
    /// Where its processes can be looked at.
    pub(super) local: Option<LocalServer>,
    /// Whether the server counts statements.
    pub(super) counts_statements: bool,
}

/// What of the server decides how fast it can be.
#[derive(Clone, Debug, Serialize, FromRow)]
pub(super) struct Server {
    version: String,
    fsync: String,
    synchronous_commit: String,
    full_page_writes: String,
    wal_level: String,
    shared_buffers: String,
    max_wal_size: String,
    #[serde(skip)]
    backend: i32,
}

impl Server {
    /// Whether a commit is on disk when it is answered.
    pub(super) fn is_durable(&self) -> bool {
        self.fsync == "on" && self.synchronous_commit != "off"
    }
}

impl Database {
    /// Makes one on the server of this URL.
    pub(super) async fn create(url: &str) -> Result<Database> {
        let server = PgConnectOptions::from_str(url).context("the URL of the database cannot be read")?;
        let mut connection = server.connect().await.context("cannot connect to the database server")?;
        let name = format!("currant_bench_{}", Uuid::now_v7().simple());
        connection.execute(AssertSqlSafe(format!("create database {name} template template0"))).await.map_err(refused)?;
        connection.close().await?;
        let unfilled = server.clone().database(&name);
        match Database::fill(&server, &unfilled, &name).await {
            Ok(database) => Ok(database),
            Err(error) => {
                drop_database(&server, &name).await?;
                Err(error)
            }
        }
    }

    async fn fill(server: &PgConnectOptions, options: &PgConnectOptions, name: &str) -> Result<Database> {
        let url = options.to_url_lossy().to_string();
        let quiet = options.clone().application_name("currant-bench").disable_statement_logging();
        let client = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(quiet).await?;
        schema::up(&client).await.context("the schema cannot be made")?;
        let mut connection = client.acquire().await?;
        let counts_statements = counts_statements(&mut connection).await;
        let backend = u32::try_from(server_of(&client).await?.backend).unwrap_or(0);
        Ok(Database {
            server: server.clone(),
            local: LocalServer::of_backend(backend, name),
            name: name.into(),
            floor: pool::for_worker(&url, CONNECTIONS).await?,
            url,
            client,
            counts_statements,
        })
    }

    /// What it runs on.
    pub(super) async fn server(&self) -> Result<Server> {
        server_of(&self.client).await
    }

    /// Forgets every execution.
    pub(super) async fn empty(&self) -> Result<()> {
        self.forget("requests, outcomes, attempts, journal, logs, keys, ready, running, parked, workflows, inbox, waiters")
            .await
    }

    /// Forgets what the measure before has left open, and what has ended unless it is to be kept.
    pub(super) async fn settle(&self, kept: Kept) -> Result<()> {
        match kept {
            Kept::Nothing => self.empty().await,
            Kept::History => self.forget("ready, running, parked, workflows, inbox, waiters").await,
            Kept::Pending(queue) => {
                self.forget("running, parked, workflows, inbox, waiters").await?;
                sqlx::query(CLEAR_READY).bind(queue).execute(&self.client).await?;
                Ok(())
            }
        }
    }

    async fn forget(&self, tables: &str) -> Result<()> {
        let mut connection = self.client.acquire().await?;
        let tables = tables.split(", ").map(|table| format!("currant.{table}")).collect::<Vec<_>>().join(", ");
        let truncate = format!("truncate {tables}");
        while let Err(error) = connection.execute(AssertSqlSafe(truncate.clone())).await {
            // The last statement of a worker that was killed may still be at work, and take its locks in another order.
            let deadlock = error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == DEADLOCK));
            if !deadlock {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Cleans up after rows were written in bulk, as the server would in its own time.
    pub(super) async fn vacuum(&self) -> Result<()> {
        let mut connection = self.client.acquire().await?;
        connection.execute("vacuum analyze").await?;
        connection.execute("checkpoint").await.map(drop).or_else(|error| {
            tracing::debug!("no checkpoint: {error}");
            Ok(())
        })
    }

    /// Drops it.
    pub(super) async fn remove(self) -> Result<()> {
        self.client.close().await;
        self.floor.close().await;
        drop_database(&self.server, &self.name).await
    }
}

/// What stays in the database from one measure to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kept {
    /// Nothing.
    Nothing,
    /// What has ended.
    History,
    /// What has ended, and what is pending in this queue.
    Pending(&'static str),
}

async fn drop_database(server: &PgConnectOptions, name: &str) -> Result<()> {
    let dropping = async {
        let mut connection = server.clone().disable_statement_logging().connect().await?;
        connection.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
        connection.close().await
    };
    dropping.await.with_context(|| format!("the database {name} is left behind; drop it with: drop database {name}"))
}

fn refused(error: sqlx::Error) -> anyhow::Error {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) if code == INSUFFICIENT_PRIVILEGE => anyhow!(
            "this account may not create databases, and the benchmark works only in one of its own\n\
             hint: name an account that may (alter role … createdb), or measure on the private Postgres of `currant dev`"
        ),
        _ => anyhow::Error::new(error).context("cannot create a database for the benchmark"),
    }
}

async fn server_of(pool: &PgPool) -> Result<Server> {
    Ok(sqlx::query_as(SERVER).fetch_one(pool).await?)
}

/// The extension has to be preloaded by the server, and only superusers may create it: where it is missing, statements are not counted.
async fn counts_statements(connection: &mut PgConnection) -> bool {
    let created = connection.execute("create extension if not exists pg_stat_statements").await;
    created.is_ok() && sqlx::query(STATEMENTS).fetch_one(connection).await.is_ok_and(|row| row.try_get::<i64, _>(0).is_ok())
}
