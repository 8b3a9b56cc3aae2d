//! The server: a private Postgres that all test processes of this account share.
//!
//! nextest runs every test in a process of its own, so nobody can own the server. It is started by the first process that finds none,
//! under a file lock, and stops itself when nobody uses it: every user holds a shared advisory lock, and once a minute a watchdog
//! tries to take it exclusively. What the watchdog kills nobody uses; who comes at that moment starts it again. The watchdog is a
//! statement that never ends: its backend does not notice that whoever sent it is long gone.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::{FlockOperation, flock};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use tokio::sync::Mutex;

use crate::installation::Installation;

/// One at a time in this process.
static CONNECTING: Mutex<()> = Mutex::const_new(());

/// The advisory lock that says that the server is in use.
const IN_USE: i64 = 0x7465_7374_7321;

/// Durability is not what these tests are about, and nobody looks after the tables of a database that lives for a second.
const SETTINGS: &str = "-c listen_addresses='' -c max_connections=400 -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c autovacuum=off -c jit=off -c shared_buffers=64MB -c deadlock_timeout=200ms";

/// A connection to the server's own database, which keeps the server running, and how to make others.
pub(crate) async fn connect() -> Result<(PgConnection, PgConnectOptions)> {
    if let Ok(url) = std::env::var("CURRANT_TEST_DATABASE_URL") {
        let options: PgConnectOptions = url.parse().context("CURRANT_TEST_DATABASE_URL is not a URL of Postgres")?;
        let server = options.connect().await.context("the server of CURRANT_TEST_DATABASE_URL cannot be reached")?;
        return Ok((server, options));
    }
    let folder = folder()?;
    let options = PgConnectOptions::new_without_pgpass().socket(&folder).username("postgres").database("postgres");
    // Nobody else starts or uses what we are about to find, until we use it ourselves: no other process, and before that nobody else in this
    // one, who would wait for the file on our own thread.
    let _turn = CONNECTING.lock().await;
    let lock = File::create(folder.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let mut server = match use_running(&options).await {
        Ok(server) => server,
        Err(_) => {
            start(&folder)?;
            let mut server = use_running(&options).await.context("the private Postgres was started and does not answer")?;
            clear(&mut server).await?;
            server
        }
    };
    ensure_watchdog(&mut server, &options).await.context("cannot start the watchdog of the private Postgres")?;
    Ok((server, options))
}

async fn use_running(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut server = options.connect().await?;
    sqlx::query("select pg_advisory_lock_shared($1)").bind(IN_USE).execute(&mut server).await?;
    Ok(server)
}

/// Drops what killed tests and earlier migrations have left behind. The server was just started: nobody uses it.
async fn clear(server: &mut PgConnection) -> Result<()> {
    let left: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where datname like 'currant\\_%'")
        .fetch_all(&mut *server)
        .await?;
    for name in left {
        server.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await?;
    }
    Ok(())
}

/// Private to the account under which Postgres runs, which is how it can do without passwords.
fn folder() -> Result<PathBuf> {
    let user = rustix::process::getuid();
    let folder = std::env::temp_dir().join(format!("currant-test-postgres-{}", user.as_raw()));
    let owner = Installation::find()?.account;
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {
            if let Some((user, group)) = owner {
                chown(&folder, Some(user), Some(group))?;
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", folder.display())),
    }
    let found = std::fs::symlink_metadata(&folder)?;
    let ours = found.uid() == user.as_raw() || owner.is_some_and(|(owner, _)| found.uid() == owner);
    ensure!(found.is_dir() && ours, "{} belongs to somebody else", folder.display());
    Ok(folder)
}

fn start(folder: &Path) -> Result<()> {
    let installation = Installation::find()?;
    let data = folder.join("data");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if !data.exists() {
        let unfinished = folder.join("data.unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        installation.make(&unfinished)?;
        std::fs::rename(unfinished, &data)?;
    }
    // One that is just stopping is waited for.
    let _ = installation.run("pg_ctl", &["stop", "--mode=fast", "--wait", "--pgdata", &text(&data)]);
    installation.start(folder, &data, SETTINGS)
}

/// Starts the watchdog, unless there is one. The caller holds the file lock.
async fn ensure_watchdog(server: &mut PgConnection, options: &PgConnectOptions) -> Result<()> {
    const NAME: &str = "currant-test-watchdog";
    // The server works in its data folder. `commit` lets go of the snapshot.
    let watch = format!(
        "do $$ begin loop
            perform pg_sleep(60);
            if pg_try_advisory_lock({IN_USE}) then
                copy (select) to program 'kill -INT $(head -n 1 postmaster.pid)';
                perform pg_sleep(60);
            end if;
            commit;
        end loop; end $$"
    );
    let mut watchdog = None;
    loop {
        let lives: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where application_name = $1 and state = 'active' and query like 'do %')",
        )
        .bind(NAME)
        .fetch_one(&mut *server)
        .await?;
        if lives {
            return Ok(());
        }
        let starting = match &mut watchdog {
            Some(connection) => connection,
            none => none.insert(options.clone().application_name(NAME).connect().await?),
        };
        // Sent, and not waited for: it ends with the server.
        let _ = tokio::time::timeout(Duration::from_millis(50), starting.execute(AssertSqlSafe(watch.clone()))).await;
    }
}
