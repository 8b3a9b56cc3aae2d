//! The end-to-end harness: a fresh database, real worker processes, the real command line, and conditions instead of sleeps.
//!
//! ```text
//!   Stack::new()          a migrated database of its own
//!     .worker()           a `currant-host worker` process; killed when it is dropped
//!     .deploy(guest)      through `currant deploy`, as a user would
//!     .start(…)           through `currant.enqueue`, as any client would
//!     .ended(id)          waits for the outcome
//! ```
//!
//! What one module does in detail is tested beside it; here only what needs all of them at once.

mod audit;
mod everywhere;
mod gathered;
mod proxy;
mod soak;
mod witness;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use currant_test_support::TestDatabase;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Row};
use uuid::Uuid;

pub use currant_test_support::OwnServer;

pub use self::audit::audit;
pub use self::everywhere::{Report, Scenario, everywhere};
pub use self::gathered::nothing_undecided_was_done;
pub use self::proxy::{Plan, Proxy};
pub use self::soak::{Soak, SoakReport};
pub use self::witness::{Effect, Witness};

/// How long a condition may take. Generous: a machine that runs many tests is slow, and a condition that never comes true is a failure anyway.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A database, and what runs on it.
pub struct Stack {
    /// The database, with its movable clock.
    pub database: TestDatabase,
    folder: tempfile::TempDir,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// `completed`, `failed`, `cancelled` or `timed_out`.
    pub status: String,
    /// The result, or null.
    pub result: Value,
    /// The failure, or null.
    pub failure: Value,
}

impl Stack {
    /// A fresh, migrated database and nothing else.
    pub async fn new() -> Stack {
        Stack::of(TestDatabase::new().await)
    }

    /// The same on a server of the test's own, which must outlive it.
    pub async fn on(server: &OwnServer) -> Stack {
        Stack::of(TestDatabase::on(server).await)
    }

    fn of(database: TestDatabase) -> Stack {
        Stack { database, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A fresh copy of the database, and nothing else. Nobody may use this one meanwhile; it is closed.
    pub async fn copy(&self) -> Stack {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Stack { database: self.database.copy().await, folder }
    }

    /// Closes the connections to the database, so that it can be copied.
    pub async fn close(&self) {
        self.pool().close().await;
    }

    /// A database on which a worker runs and the guest with all behaviours is deployed.
    pub async fn with_behaviours() -> Result<(Stack, WorkerProcess)> {
        let stack = Stack::new().await;
        let worker = stack.worker()?;
        stack.deploy(&behaviours()).await?;
        Ok((stack, worker))
    }

    /// Connections to the database.
    pub fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Writes a file where the programs run, such as `currant.toml`.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), text)?)
    }

    /// Starts a worker with short intervals. It keeps no workflow in memory, so that every wait ends in a replay.
    pub fn worker(&self) -> Result<WorkerProcess> {
        self.worker_with(&["--lease", "3s"])
    }

    /// Starts such a worker with these arguments.
    pub fn worker_with(&self, arguments: &[&str]) -> Result<WorkerProcess> {
        self.worker_that(arguments, &[("CURRANT_WORKER_RESIDENT_COUNT", "0")])
    }

    /// Starts a worker that keeps waiting workflows in memory, with these variables.
    pub fn keeping_worker(&self, variables: &[(&str, &str)]) -> Result<WorkerProcess> {
        self.worker_that(&["--lease", "3s"], &[&[("CURRANT_LOG", "debug")], variables].concat())
    }

    /// Starts a worker with these variables, which keeps no workflow in memory.
    pub fn limited_worker(&self, variables: &[(&str, &str)]) -> Result<WorkerProcess> {
        self.worker_that(&["--lease", "3s"], &[&[("CURRANT_WORKER_RESIDENT_COUNT", "0")], variables].concat())
    }

    /// Starts a worker with these arguments and variables.
    pub fn worker_that(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<WorkerProcess> {
        let mut command = self.command("currant-host")?;
        command.arg("worker").args(arguments).envs(variables.iter().copied());
        WorkerProcess::spawn(command, self.folder.path())
    }

    /// Runs `currant` to its end.
    pub async fn currant(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = tokio::process::Command::from(self.command("currant")?);
        Ok(command.args(arguments).stdin(Stdio::null()).output().await?)
    }

    /// Runs `currant` and expects success; answers what it printed on stdout.
    pub async fn currant_ok(&self, arguments: &[&str]) -> Result<String> {
        let output = self.currant(arguments).await?;
        ensure!(
            output.status.success(),
            "currant {} ended with {}\n{}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a line of a README as its reader would, and expects success; answers what it printed on stdout.
    pub async fn shell(&self, line: &str) -> Result<String> {
        let programs = binary("currant")?.parent().context("a program lies in a folder")?.to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path)))?;
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", path);
        let command = configured(command, self.folder.path(), &self.database.url())?;
        let output = tokio::process::Command::from(command).stdin(Stdio::null()).output().await?;
        ensure!(output.status.success(), "{line} ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Deploys a component.
    pub async fn deploy(&self, component: &Path) -> Result<()> {
        self.deploy_with(component, &[]).await
    }

    /// Deploys a component with options such as `--env NAME=VALUE`.
    pub async fn deploy_with(&self, component: &Path, options: &[&str]) -> Result<()> {
        let component = component.to_str().context("the path is UTF-8")?;
        self.currant_ok(&[&["deploy", component, "--timeout", "120s"], options].concat()).await.map(drop)
    }

    /// Starts an execution.
    pub async fn start(&self, function: &str, input: Value) -> Result<Uuid> {
        let started = sqlx::query("select id from currant.enqueue($1, $2::json)")
            .bind(function)
            .bind(input.to_string())
            .fetch_one(self.pool())
            .await?;
        Ok(started.get("id"))
    }

    /// Starts an execution and waits for its end.
    pub async fn run(&self, function: &str, input: Value) -> Result<Ended> {
        let id = self.start(function, input).await?;
        self.ended(id).await
    }

    /// Starts an execution, and expects that it completes.
    pub async fn result(&self, function: &str, input: Value) -> Result<Value> {
        let ended = self.run(function, input).await?;
        ensure!(ended.status == "completed", "{function} {}: {}", ended.status, ended.failure);
        Ok(ended.result)
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, id: Uuid) -> Result<Ended> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let row = sqlx::query("select status, result::text, failure::text from currant.result($1)")
                .bind(id)
                .fetch_one(self.pool())
                .await?;
            let status: String = row.get::<Option<String>, _>("status").unwrap_or_else(|| "between two states".into());
            if matches!(status.as_str(), "completed" | "failed" | "cancelled" | "timed_out") {
                let value = |column| {
                    let text: Option<String> = row.get(column);
                    text.map_or(Ok(Value::Null), |text| serde_json::from_str(&text))
                };
                return Ok(Ended { status, result: value("result")?, failure: value("failure")? });
            }
            if Instant::now() > deadline {
                bail!("execution {id} is still {status} after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a query answers true; `$1` is the execution.
    pub async fn until(&self, id: Uuid, condition: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let condition_of_a_test = AssertSqlSafe(condition);
            let holds: Option<bool> =
                sqlx::query_scalar(condition_of_a_test).bind(id).fetch_optional(self.pool()).await?.flatten();
            if holds == Some(true) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("after {PATIENCE:?} it does not hold for {id}: {condition}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until an execution has this status.
    pub async fn until_status(&self, id: Uuid, status: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now: Option<String> =
                sqlx::query_scalar("select currant.status_of($1)").bind(id).fetch_one(self.pool()).await?;
            if now.as_deref() == Some(status) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("execution {id} is {now:?}, not {status}, after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A workflow's journal, one line per entry: its kind, its operation, and the name that it is about.
    pub async fn history(&self, id: Uuid) -> Result<Vec<String>> {
        let line =
            "select concat_ws(' ', kind, operation, name) from currant.journal where workflow_id = $1 order by chain, position";
        Ok(sqlx::query_scalar(line).bind(id).fetch_all(self.pool()).await?)
    }

    /// One value of the database, by execution.
    pub async fn value<T>(&self, id: Uuid, query: &'static str) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        Ok(sqlx::query_scalar(query).bind(id).fetch_one(self.pool()).await?)
    }

    /// The kinds of a workflow's journal entries, in order.
    pub async fn journal(&self, id: Uuid) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("select kind from currant.journal where workflow_id = $1 order by chain, position")
            .bind(id)
            .fetch_all(self.pool())
            .await?)
    }

    /// Sends a signal that counts once, however often it is sent.
    pub async fn signal_once(&self, id: Uuid, name: &str, payload: Value) -> Result<()> {
        self.send(id, name, payload, Some(name)).await
    }

    /// Sends a signal.
    pub async fn signal(&self, id: Uuid, name: &str, payload: Value) -> Result<()> {
        self.send(id, name, payload, None).await
    }

    async fn send(&self, id: Uuid, name: &str, payload: Value, dedup_id: Option<&str>) -> Result<()> {
        sqlx::query("select currant.signal($1, $2, $3::json, $4)")
            .bind(id)
            .bind(name)
            .bind(payload.to_string())
            .bind(dedup_id)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// A program of this workspace, on this database and with nothing of the caller's configuration.
    pub fn command(&self, name: &str) -> Result<Command> {
        program(name, self.folder.path(), &self.database.url())
    }
}

/// A program of this workspace in a folder of its own, on this database and with nothing of the caller's configuration.
fn program(name: &str, folder: &Path, database_url: &str) -> Result<Command> {
    configured(Command::new(binary(name)?), folder, database_url)
}

fn configured(mut command: Command, folder: &Path, database_url: &str) -> Result<Command> {
    command
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env("CURRANT_DATABASE_URL", database_url)
        // Compiled modules are shared by all tests: what makes a cache entry valid is tested beside the cache.
        .env("XDG_CACHE_HOME", target_folder()?.join("test-cache"))
        .env("NO_COLOR", "1");
    Ok(command)
}

/// `currant dev` in a folder of its own: a worker on a private Postgres, durable settings and all. Dropped, it is interrupted.
pub struct DevProcess {
    child: Child,
    /// Connections to the private Postgres.
    pub pool: PgPool,
    _folder: tempfile::TempDir,
}

impl DevProcess {
    /// Starts it with a component, and waits until that is deployed.
    pub async fn start(component: &Path) -> Result<DevProcess> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(binary("currant-host")?)
            .args(["dev", component.to_str().context("the path is UTF-8")?])
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("CURRANT_DATABASE_URL")
            .env("XDG_CACHE_HOME", target_folder()?.join("test-cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().context("it is piped")?).read_line(&mut url)?;
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect_lazy(url.trim())?;
        let dev = DevProcess { child, pool, _folder: folder };
        dev.until("select count(*) > 0 from currant.functions").await?;
        Ok(dev)
    }

    /// Waits until a query answers true, also while the database is away.
    pub async fn until(&self, condition: &'static str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !matches!(sqlx::query_scalar::<_, bool>(condition).fetch_one(&self.pool).await, Ok(true)) {
            ensure!(Instant::now() < deadline, "after {PATIENCE:?} it does not hold: {condition}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for DevProcess {
    fn drop(&mut self) {
        // Interrupted, it stops its Postgres too.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A worker process. Dropped, it is killed.
pub struct WorkerProcess {
    child: Child,
    log: PathBuf,
}

impl WorkerProcess {
    /// Starts a worker; what it says goes to a file in this folder.
    fn spawn(mut command: Command, folder: &Path) -> Result<WorkerProcess> {
        let log = folder.join(format!("worker-{}.log", Uuid::now_v7()));
        command.stderr(std::fs::File::create(&log)?).stdout(Stdio::null()).stdin(Stdio::null());
        Ok(WorkerProcess { child: command.spawn().context("currant-host cannot be started")?, log })
    }

    /// SIGKILL: nothing is said, nothing is cleaned up.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal by name, as `kill -NAME` does.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGTERM, and its end.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        let status = self.end().await?;
        ensure!(status.success(), "the worker ended with {status}\n{}", self.log());
        Ok(())
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the worker does not stop\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it has logged this.
    pub async fn says(&self, words: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            ensure!(Instant::now() < deadline, "the worker does not say `{words}`\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The memory that it uses, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse::<u64>().ok());
        Ok(kibibytes.context("the kernel says what it uses")? << 10)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // A test that failed is understood by what its worker said.
        if std::thread::panicking() {
            eprintln!("--- worker {}\n{}", self.child.id(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The component with all behaviours of Rust guests.
pub fn behaviours() -> PathBuf {
    guest("behaviours")
}

/// A component in Rust that `scripts/build-guests` has built.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("CURRANT_TEST_GUESTS").map_or_else(|| guests().join("wasm32-wasip2/release"), PathBuf::from);
    built(folder.join(format!("{}.wasm", name.replace('-', "_"))), "")
}

/// A component in another language, `python` or `javascript`, that `scripts/build-guests LANGUAGE` has built.
pub fn guest_in(language: &str, name: &str) -> PathBuf {
    built(guests().join(language).join(format!("{name}.wasm")), language)
}

fn guests() -> PathBuf {
    target_folder().expect("tests run from cargo's target folder").join("guests")
}

fn built(component: PathBuf, language: &str) -> PathBuf {
    assert!(component.is_file(), "{} is not there: run scripts/build-guests {language}", component.display());
    component
}

/// A binary of this workspace, as cargo built it beside this test.
fn binary(name: &str) -> Result<PathBuf> {
    let folder =
        std::env::current_exe()?.parent().and_then(Path::parent).context("tests run from cargo's target folder")?.to_path_buf();
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is not there: run `cargo build --workspace`", path.display());
    Ok(path)
}

/// A library of this workspace that is loaded into other processes, as cargo built it beside this test.
pub fn library(name: &str) -> Result<PathBuf> {
    binary(&format!("lib{name}.so"))
}

fn target_folder() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let profile = exe.parent().and_then(Path::parent).context("tests run from cargo's target folder")?;
    Ok(profile.parent().context("a profile's folder lies in the target folder")?.to_path_buf())
}
