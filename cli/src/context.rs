//! What a command works with: configuration, database, printer.

use std::str::FromStr;
use std::time::Duration;

use currant_core::Client;
use currant_core::config::{Config, Source};
use currant_core::env::Environment;
use currant_core::executions::Execution;
use currant_core::ids::ExecutionId;
use currant_core::schema::{self, Compatibility};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::diagnostics::{Problem, Result, causes};
use crate::printer::Printer;

/// How long a database may take to accept a connection. Longer than any that works, shorter than patience.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One command's surroundings.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The way out.
    pub(crate) printer: &'a Printer,
    /// The variables of the process, and behind them those of `.env`.
    pub(crate) environment: Environment,
    config: Config,
}

impl<'a> Context<'a> {
    pub(crate) fn load(database_url: Option<String>, printer: &'a Printer) -> Result<Context<'a>> {
        let folder = std::path::Path::new(".");
        let environment =
            Environment::load(folder).map_err(|error| Problem::usage(format!("cannot read .env: {}", causes(&error))))?;
        let config = Config::load_from(folder, &environment, [("database.url", database_url)])?;
        Ok(Context { printer, environment, config })
    }

    /// Connects, and checks that the schema is one that this release can work with.
    pub(crate) async fn client(&self) -> Result<Client> {
        let (Some(url), Some(source)) = (&self.config.database.url, self.config.source("database.url")) else {
            return Err(Problem::usage("no database is configured")
                .hint("start a private one in this folder: currant dev")
                .hint("or name yours: --database-url postgres://…, or CURRANT_DATABASE_URL, or currant.toml"));
        };
        let unreadable = |reason: String| Problem::usage(format!("the database URL of {source} cannot be read: {reason}"));
        // The driver takes any scheme for its own.
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(unreadable("it does not begin with postgres://".to_owned()));
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| unreadable(causes(&error)))?.application_name("currant");
        probe(&options, source).await?;
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(options);
        self.check_schema(&pool).await?;
        Ok(Client::new(pool))
    }

    /// Finds the execution that a person means: by id, or by the task_id, which stands for the newest execution that has it.
    pub(crate) async fn find(&self, client: &Client, named: &str) -> Result<Execution> {
        let found = match Uuid::parse_str(named) {
            Ok(id) => client.status(&ExecutionId::from(id)).await?,
            Err(_) => client.newest_with_task_id(named).await?,
        };
        found.ok_or_else(|| {
            Problem::failed(format!("there is no execution with the id or task_id `{named}`"))
                .hint("show what there is: currant list")
        })
    }

    async fn check_schema(&self, pool: &sqlx::PgPool) -> Result<()> {
        let state = schema::check(pool).await?;
        match state.usable() {
            Ok(()) => {
                if let Compatibility::Newer { schema } = state {
                    self.printer.warn(&format!(
                        "the database's schema has version {schema}, which is newer than this program; that works"
                    ));
                }
                Ok(())
            }
            Err(refused) => Err(Problem::no_answer(refused.message).hint(refused.hint)),
        }
    }
}

/// One connection, apart from the pool: a pool goes on trying a database that is not there, and then only says that it took too long.
async fn probe(options: &PgConnectOptions, source: &Source) -> Result<()> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let reason = match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(Ok(connection)) => {
            // It has served its purpose: that closing it fails changes nothing.
            let _ = connection.close().await;
            return Ok(());
        }
        Ok(Err(error)) => causes(&error),
        Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
    };
    let problem = Problem::no_answer(format!("cannot reach the database at {place}, named by {source}: {reason}"));
    Err(match source {
        Source::Dev(_) => problem.hint("`currant dev` seems not to run any more; start it again: currant dev"),
        _ => problem.hint("check that it runs and that the URL is right, or start a private one: currant dev"),
    })
}
