//! Worker processes: this very program, as an operator starts it, with nothing of the caller's configuration.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use currant_core::modules::{self, DeploymentStatus};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::database::Database;
use super::procfs;

const WORKERS: &str = include_str!("queries/workers.sql");

/// How long a worker may take to start, to stop, or to decide a deployment. Compiling the module takes seconds on a small machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a worker is started.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerOptions {
    /// Executions at once; none: the default.
    pub(super) slots: Option<u32>,
    /// The queues that it serves; none: all.
    pub(super) queues: Option<&'static str>,
    /// Workflows that it keeps in memory; none: the default.
    pub(super) residents: Option<u32>,
}

/// Workers that run. Dropped, they are killed.
pub(super) struct Workers {
    children: Vec<Child>,
    log: PathBuf,
}

impl Workers {
    /// Starts one worker for each of these options, and waits until they can claim.
    pub(super) async fn start(database: &Database, folder: &Path, options: &[WorkerOptions]) -> Result<Workers> {
        let log = folder.join("workers.log");
        let mut workers = Workers { children: Vec::new(), log };
        for options in options {
            workers.children.push(spawn(database, folder, &workers.log, options)?);
        }
        let began = Instant::now();
        loop {
            let started: i64 = sqlx::query_scalar(WORKERS).fetch_one(&database.client).await?;
            if started == options.len() as i64 {
                return Ok(workers);
            }
            workers.check()?;
            ensure!(began.elapsed() < PATIENCE, "the workers do not start\n{}", workers.said());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Has a component deployed.
    pub(super) async fn deploy(&mut self, database: &Database, component: &[u8]) -> Result<()> {
        let requested = modules::upload(&database.client, component, false, None).await?;
        let began = Instant::now();
        loop {
            let deployment = modules::deployment(&database.client, requested).await?;
            match deployment.status {
                DeploymentStatus::Deployed => return Ok(()),
                DeploymentStatus::Refused => {
                    bail!("the benchmark's module is refused: {}", deployment.reason.unwrap_or_default())
                }
                DeploymentStatus::Requested => {}
            }
            self.check()?;
            ensure!(began.elapsed() < PATIENCE, "the worker does not decide the deployment\n{}", self.said());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Their processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.iter().filter_map(Child::id).collect()
    }

    /// The memory of the largest.
    pub(super) fn resident(&self) -> Option<u64> {
        self.pids().into_iter().filter_map(procfs::resident).max()
    }

    /// The memory of the largest that would be free without it.
    pub(super) fn own(&self) -> Option<u64> {
        self.pids().into_iter().filter_map(procfs::own).max()
    }

    /// Fails when one has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                bail!("a worker ended with {status}\n{}", self.said());
            }
        }
        Ok(())
    }

    /// Asks them to stop, and waits for their ends.
    pub(super) async fn stop(mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for child in &mut self.children {
            // One that does not come to its end is killed when it is dropped; what it held is forgotten with the rest.
            let _ = tokio::time::timeout(PATIENCE, child.wait()).await;
        }
        Ok(())
    }

    /// The end of what they have logged.
    fn said(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

fn spawn(database: &Database, folder: &Path, log: &Path, options: &WorkerOptions) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CURRANT_") {
            command.env_remove(name);
        }
    }
    command
        .arg("worker")
        .current_dir(folder)
        // Not among the arguments, which everybody can read.
        .env(currant_core::env::DATABASE_URL, &database.url)
        .env(currant_core::env::LOG, "warn")
        .env("XDG_CONFIG_HOME", folder)
        .env("XDG_CACHE_HOME", folder)
        .env("NO_COLOR", "1")
        // The longest workflow that is measured has as many steps as the default allows, and waits for a signal.
        .env("CURRANT_WORKER_OPERATIONS_LIMIT", "40000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::options().create(true).append(true).open(log)?)
        .kill_on_drop(true)
        // Ctrl-C is for the benchmark, which then stops its workers.
        .process_group(0);
    if let Some(slots) = options.slots {
        command.args(["--slots", &slots.to_string()]);
    }
    if let Some(queues) = options.queues {
        command.args(["--queues", queues]);
    }
    if let Some(residents) = options.residents {
        command.env(currant_core::env::WORKER_RESIDENT_COUNT, residents.to_string());
        command.env(currant_core::env::WORKER_RESIDENT_MEMORY, "64GiB");
    }
    command.spawn().context("a worker cannot be started")
}
