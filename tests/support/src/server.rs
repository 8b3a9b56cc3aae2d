//! The server: a private Postgres that all test processes of this account share.
//!
//! nextest runs every test in a process of its own, so nobody can own the server. It is started by the first process that finds none,
//! under a file lock, and stops itself when nobody uses it: every user holds a shared advisory lock, and once a minute a watchdog
//! tries to take it exclusively. What the watchdog kills nobody uses; who comes at that moment starts it again.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::fs::{FlockOperation, flock};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::installation::Installation;

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
    // Nobody else starts or uses what we are about to find, until we use it ourselves.
    let lock = File::create(folder.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let server = match use_running(&options).await {
        Ok(server) => server,
        Err(_) => {
            start(&folder)?;
            use_running(&options).await.context("the private Postgres was started and does not answer")?
        }
    };
    Ok((server, options))
}

async fn use_running(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut server = options.connect().await?;
    sqlx::query("select pg_advisory_lock_shared($1)").bind(IN_USE).execute(&mut server).await?;
    Ok(server)
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
        installation.run(
            "initdb",
            &[
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata",
                &text(&unfinished),
            ],
        )?;
        std::fs::rename(unfinished, &data)?;
    }
    // One that is just stopping is waited for.
    let _ = installation.run("pg_ctl", &["stop", "--mode=fast", "--wait", "--pgdata", &text(&data)]);
    let options = format!("{SETTINGS} -c unix_socket_directories='{}'", folder.display());
    let log = text(&folder.join("server.log"));
    installation
        .run("pg_ctl", &["start", "--wait", "--silent", "--log", &log, "--options", &options, "--pgdata", &text(&data)])
        .with_context(|| format!("the private Postgres does not start; its log is {log}"))?;
    watch(&installation, folder)
}

/// Starts the watchdog: a process that ends together with the server.
fn watch(installation: &Installation, folder: &Path) -> Result<()> {
    // The server works in its data folder. The sleep is interrupted by its end, which makes psql fail, and ends the loop.
    let stop_unless_in_use = format!(
        "do $$ begin if pg_try_advisory_lock({IN_USE}) then \
         copy (select) to program 'kill -INT $(head -n 1 postmaster.pid)'; perform pg_sleep(30); end if; end $$"
    );
    let mut watchdog = Command::new("/bin/sh");
    installation.drop_privileges(&mut watchdog);
    watchdog
        .args(["-c", "while sleep 60; do \"$0\" -qX -h \"$1\" -U postgres -d postgres -c \"$2\" || exit; done"])
        .arg(installation.program("psql"))
        .arg(folder)
        .arg(stop_unless_in_use)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start the watchdog of the private Postgres")?;
    Ok(())
}
