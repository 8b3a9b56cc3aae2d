//! The schema's version: migrations that are embedded in the binary, and which versions can work with which.

use serde::Serialize;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{PgPool, Row};

use crate::Error;
use crate::sql;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A migration, and whether it is applied.
#[derive(Clone, Debug, Serialize)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// Its subject.
    pub description: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// How the database's schema and this binary stand to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Compatibility {
    /// They are of one version.
    Same,
    /// The schema is newer, and says that this binary can work with it.
    Newer {
        /// The schema's version.
        schema: i64,
    },
    /// This binary needs a newer schema.
    Older {
        /// The schema's version.
        schema: i64,
    },
    /// The schema is newer, and needs newer binaries.
    Incompatible {
        /// The schema's version.
        schema: i64,
        /// The oldest release that can work with it.
        oldest_binary: String,
    },
    /// There is none.
    Absent,
}

/// Why a command does not go on.
#[derive(Debug, thiserror::Error)]
#[error("{message}\nhint: {hint}")]
pub struct Unusable {
    /// What is wrong.
    pub message: String,
    /// What to run.
    pub hint: String,
}

impl Compatibility {
    /// Whether this binary can work with the schema; otherwise what to run.
    pub fn usable(&self) -> Result<(), Unusable> {
        let (message, hint) = match self {
            Compatibility::Same | Compatibility::Newer { .. } => return Ok(()),
            Compatibility::Absent => {
                ("the database has no Currant schema".into(), "create it with `currant-host migrate up`".into())
            }
            Compatibility::Older { schema } => (
                format!("the database's schema has version {schema}, this binary needs {}", latest()),
                "upgrade it with `currant-host migrate up`".into(),
            ),
            Compatibility::Incompatible { schema, oldest_binary } => (
                format!("the database's schema has version {schema}, which this binary does not know"),
                format!("install Currant {oldest_binary} or newer"),
            ),
        };
        Err(Unusable { message, hint })
    }
}

/// The version that this binary knows.
pub fn latest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The indexes that the migrations make, beside those of keys.
pub fn indexes() -> Vec<String> {
    let ups = MIGRATOR.iter().filter(|migration| migration.migration_type.is_up_migration());
    let mut names: Vec<String> = Vec::new();
    for migration in ups {
        let mut words = migration.sql.as_str().split_whitespace().peekable();
        while let Some(word) = words.next() {
            if word == "index"
                && let Some(name) = words.next_if(|name| !name.contains('.'))
                && words.peek() == Some(&"on")
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Applies what is missing; answers which. Safe to run by several at once.
pub async fn up(pool: &PgPool) -> Result<Vec<i64>, Error> {
    let before = applied(pool).await?;
    migrator().run(pool).await.map_err(failed)?;
    let ups = MIGRATOR.iter().filter(|migration| migration.migration_type.is_up_migration());
    Ok(ups.map(|migration| migration.version).filter(|version| !before.contains(version)).collect())
}

/// Reverts everything after version `to`; answers which, the newest first.
pub async fn down(pool: &PgPool, to: i64) -> Result<Vec<i64>, Error> {
    let mut reverted: Vec<_> = applied(pool).await?.into_iter().filter(|version| *version > to).collect();
    migrator().undo(pool, to).await.map_err(failed)?;
    reverted.reverse();
    Ok(reverted)
}

/// All migrations, in order.
pub async fn status(pool: &PgPool) -> Result<Vec<Migration>, Error> {
    let applied = applied(pool).await?;
    let ups = MIGRATOR.iter().filter(|migration| migration.migration_type.is_up_migration());
    Ok(ups
        .map(|migration| Migration {
            version: migration.version,
            description: migration.description.to_string(),
            applied: applied.contains(&migration.version),
        })
        .collect())
}

/// How the schema and this binary stand to each other.
pub async fn check(pool: &PgPool) -> Result<Compatibility, Error> {
    let rows = match sqlx::query(sql::SCHEMA_METADATA).fetch_all(pool).await {
        // No such schema, no such table.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "3F000")) => {
            return Ok(Compatibility::Absent);
        }
        rows => rows?,
    };
    let value = |key: &str| rows.iter().find(|row| row.get::<&str, _>("key") == key).map(|row| row.get::<String, _>("value"));
    let Some(schema) = value("schema_version").and_then(|version| version.parse().ok()) else {
        return Ok(Compatibility::Absent);
    };
    let oldest_binary = value("oldest_binary").unwrap_or_default();
    Ok(match schema {
        same if same == latest() => Compatibility::Same,
        older if older < latest() => Compatibility::Older { schema },
        _ if numbers(&oldest_binary) <= numbers(env!("CARGO_PKG_VERSION")) => Compatibility::Newer { schema },
        _ => Compatibility::Incompatible { schema, oldest_binary },
    })
}

/// The name of the migrations' own bookkeeping, because the application in the same database may use the same tool. It lies in the
/// public schema, so that it survives going down to nothing.
/// With its schema: for a role of the name `currant`, the search path would otherwise lead into ours once it exists.
const TABLE: &str = "public._currant_migrations";

fn migrator() -> Migrator {
    let mut migrator = Migrator { migrations: MIGRATOR.migrations.clone(), ..Migrator::DEFAULT };
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

async fn applied(pool: &PgPool) -> Result<Vec<i64>, Error> {
    let mut connection = pool.acquire().await?;
    // Not made here: that is done under the migrations' lock, by one of those that go up at once.
    let kept: bool = sqlx::query_scalar(sql::SCHEMA_HAS_TABLE).bind(TABLE).fetch_one(&mut *connection).await?;
    if !kept {
        return Ok(Vec::new());
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(failed)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn failed(error: MigrateError) -> Error {
    Error::Migration(Box::new(error))
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}
