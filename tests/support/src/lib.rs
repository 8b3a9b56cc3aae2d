//! A fresh, migrated database for every test, with a clock that the test can move.
//!
//! ```text
//!   server      the one that CURRANT_TEST_DATABASE_URL names, else a private Postgres that all test processes share
//!   template    a migrated database, named after the migrations: a change of theirs makes a new one
//!   database    a copy of the template; dropped with its `TestDatabase`
//! ```
//!
//! Depends on the migrations and on no floor, so that the tests of every floor can use it.

mod clock;
mod installation;
mod own_server;
mod server;
mod template;

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;

pub use self::clock::Clock;
pub use self::own_server::OwnServer;

/// Connections of a test's pool; `connect` gives others, to be stepped by hand.
const CONNECTIONS: u32 = 20;

/// A database of its own.
pub struct TestDatabase {
    name: String,
    /// To the server's own database; held so that the private server knows that it is in use.
    server: PgConnection,
    server_options: PgConnectOptions,
    options: PgConnectOptions,
    pool: PgPool,
}

impl TestDatabase {
    /// A fresh database with Currant's schema.
    pub async fn new() -> TestDatabase {
        TestDatabase::of(true).await.expect("a test needs a database")
    }

    /// A fresh database with Currant's schema, on a server of the test's own. The server must outlive it.
    pub async fn on(server: &OwnServer) -> TestDatabase {
        let options = server.options();
        let connection = options.connect().await.expect("the test's server accepts connections");
        TestDatabase::make(true, connection, options).await.expect("a test needs a database")
    }

    /// A fresh database with nothing in it.
    pub async fn empty() -> TestDatabase {
        TestDatabase::of(false).await.expect("a test needs a database")
    }

    /// A fresh database with all that is in this one, to which nobody may be connected.
    pub async fn copy(&self) -> TestDatabase {
        let copied = async {
            let (server, options) = server::connect().await?;
            TestDatabase::from_template(server, options, &self.name).await
        };
        copied.await.expect("a test needs a database")
    }

    /// Connections to it.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of its own, to be stepped by hand beside others.
    pub async fn connect(&self) -> PgConnection {
        self.options.connect().await.expect("the test's database accepts connections")
    }

    /// Its URL, for other processes.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Its clock.
    pub fn clock(&self) -> Clock<'_> {
        Clock::of(&self.pool)
    }

    async fn of(migrated: bool) -> Result<TestDatabase> {
        let (server, options) = server::connect().await?;
        TestDatabase::make(migrated, server, options).await
    }

    async fn make(migrated: bool, mut server: PgConnection, server_options: PgConnectOptions) -> Result<TestDatabase> {
        let template = if migrated { template::ensure(&mut server, &server_options).await? } else { "template0".into() };
        TestDatabase::from_template(server, server_options, &template).await
    }

    async fn from_template(mut server: PgConnection, server_options: PgConnectOptions, template: &str) -> Result<TestDatabase> {
        let name = format!("currant_test_{}", Uuid::now_v7().simple());
        server
            .execute(AssertSqlSafe(format!("create database {name} template {template}")))
            .await
            .context("cannot make a database for the test")?;
        let options = server_options.clone().database(&name);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(options.clone());
        Ok(TestDatabase { name, server, server_options, options, pool })
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own, because the test's runtime cannot be waited for in here.
    fn drop(&mut self) {
        let (name, options) = (self.name.clone(), self.server_options.clone());
        let dropping = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut server = options.connect().await?;
                server.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
                server.close().await?;
                Ok(())
            })
        });
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("the database {} is left behind: {error:#}", self.name);
        }
    }
}

impl std::fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDatabase").field("name", &self.name).field("server", &self.server).finish_non_exhaustive()
    }
}
