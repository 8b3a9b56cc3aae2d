//! The migrated database of which every test gets a copy.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Where the schema's own code keeps the same books.
const TABLE: &str = "_currant_migrations";

/// The key of the advisory lock under which the template is made: several test processes start at once.
const LOCK: i64 = 0x63_7572_7261_6e74;

/// Makes the template unless it is there, and answers its name.
pub(crate) async fn ensure(server: &mut PgConnection, options: &PgConnectOptions) -> Result<String> {
    let name = format!("currant_template_{:016x}", hash_of_migrations());
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut *server).await?;
    let made = make_unless_there(server, options, &name).await;
    sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(server).await?;
    made.map(|()| name)
}

async fn make_unless_there(server: &mut PgConnection, options: &PgConnectOptions, name: &str) -> Result<()> {
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut *server)
        .await?;
    if there {
        return Ok(());
    }
    let unfinished = format!("{name}_unfinished");
    server.execute(AssertSqlSafe(format!("drop database if exists {unfinished} with (force)"))).await?;
    server.execute(AssertSqlSafe(format!("create database {unfinished} template template0"))).await?;
    let mut connection = options.clone().database(&unfinished).connect().await?;
    let mut migrator = Migrator { migrations: MIGRATIONS.migrations.clone(), ..Migrator::DEFAULT };
    migrator.dangerous_set_table_name(TABLE);
    let migrated = migrator.run(&mut connection).await.context("the migrations fail");
    connection.close().await?;
    migrated?;
    // Renamed only when it is whole, so that a killed test leaves no half a template.
    server.execute(AssertSqlSafe(format!("alter database {unfinished} rename to {name}"))).await?;
    Ok(())
}

fn hash_of_migrations() -> u64 {
    let mut hash = DefaultHasher::new();
    TABLE.hash(&mut hash);
    for migration in MIGRATIONS.iter() {
        (migration.version, &migration.checksum).hash(&mut hash);
    }
    hash.finish()
}
