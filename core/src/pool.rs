//! Connections as a worker wants them.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgPool};

use crate::Error;
use crate::sql;

/// How long to wait for a connection: longer than a restart of Postgres, so that a run which needs one then gets it.
const ACQUIRE: Duration = Duration::from_secs(10);

/// How long to ask for the reason, when none was had in that time.
const REASON: Duration = Duration::from_secs(2);

/// Connects a worker: its statements are short, many, and always the same, and its plans are set accordingly. That is for speed only;
/// nothing breaks where a proxy does not keep the settings.
pub async fn for_worker(url: &str, connections: u32) -> Result<PgPool, Error> {
    // The statements are files with names, and some are long: in the log they would hide everything else.
    let options = PgConnectOptions::from_str(url)?
        .application_name("currant-worker")
        .log_statements(log::LevelFilter::Trace)
        .log_slow_statements(log::LevelFilter::Debug, Duration::from_secs(1));
    let connected = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(sql::SCHEMA_PLAN_SETTINGS).await?;
                Ok(())
            })
        })
        .connect_with(options.clone())
        .await;
    match connected {
        Ok(pool) => Ok(pool),
        // A pool tries for as long as it may, and then says only that: one connection says what is wrong.
        Err(sqlx::Error::PoolTimedOut) => Err(match tokio::time::timeout(REASON, options.connect()).await {
            Ok(Err(reason)) => reason.into(),
            Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut.into(),
        }),
        Err(error) => Err(error.into()),
    }
}
