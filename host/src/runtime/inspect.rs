//! The inspection of a component before it is deployed: compiled, and asked what it offers, in a process of its own.
//!
//! A component comes from outside. Compiling it may take much memory and time, and may meet a defect of the compiler; so it is done
//! where that ends nothing but the inspection. The child gets the component and what follows from the settings on its stdin, no
//! environment and no grants; it answers on its stdout, and leaves the compiled code in the disk cache.

mod child;
mod contract;
mod description;

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use currant_core::modules::ModuleDescription;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

pub use self::child::inspect_child;
use super::settings::RuntimeSettings;

/// Bytes of the child's answer that are read: a description of the greatest length, as JSON, with room for escapes.
const ANSWER_BYTES: u64 = 8 << 20;
/// Bytes of its stderr that are read, to say why it crashed.
const STDERR_BYTES: u64 = 4 << 10;

/// Why a component cannot be deployed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is the component's fault. The text says what to do about it.
    #[error("{0}")]
    Module(String),
    /// The inspection could not be made. Another attempt, or another worker, may do better.
    #[error("the component could not be inspected: {0}")]
    Host(String),
}

/// What the parent writes before the component, in one line.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    cache_folder: Option<PathBuf>,
    cache_folder_limit: u64,
    memory_limit: usize,
    inspection_limit: Duration,
}

/// What the child answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Described(ModuleDescription),
    Refused(String),
    Failed(String),
}

/// Inspects components.
#[derive(Debug)]
pub struct Inspector {
    program: Option<PathBuf>,
    settings: RuntimeSettings,
}

impl Inspector {
    /// `program` is called with the argument `inspect`, and must then call [`inspect_child`]. None: this program.
    pub fn new(program: Option<PathBuf>, settings: &RuntimeSettings) -> Inspector {
        Inspector { program, settings: settings.clone() }
    }

    /// What a component offers, or why it cannot be deployed.
    pub async fn inspect(&self, component: &[u8]) -> Result<ModuleDescription, Refusal> {
        contract::check_kind(component).map_err(Refusal::Module)?;
        let limit = self.settings.inspection_limit;
        let ended = tokio::time::timeout(limit, self.run_child(component)).await;
        let (status, answer, stderr) = match ended {
            // Dropping the child killed it.
            Err(_) => return Err(Refusal::Module(too_slow(limit))),
            Ok(ended) => ended.map_err(|error| Refusal::Host(format!("{error:#}")))?,
        };
        match serde_json::from_slice(&answer) {
            Ok(Answer::Described(description)) => Ok(description),
            Ok(Answer::Refused(reason)) => Err(Refusal::Module(reason)),
            Ok(Answer::Failed(reason)) => Err(Refusal::Host(reason)),
            Err(_) => Err(Refusal::Module(crashed(status, &stderr))),
        }
    }

    async fn run_child(&self, component: &[u8]) -> anyhow::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => this_program()?,
        };
        let mut child = Command::new(&program)
            .arg("inspect")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (mut stdin, stdout, stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => anyhow::bail!("its pipes are missing"),
        };
        let mut request = serde_json::to_vec(&self.request())?;
        request.push(b'\n');
        let write = async {
            // A child that crashes early closes the pipe; what it says then is what counts.
            let _ = stdin.write_all(&request).await;
            let _ = stdin.write_all(component).await;
            drop(stdin);
        };
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(ANSWER_BYTES), stderr.take(STDERR_BYTES));
        let ((), read, heard) = tokio::join!(write, stdout.read_to_end(&mut answer), stderr.read_to_end(&mut said));
        read.and(heard)?;
        Ok((child.wait().await?, answer, said))
    }

    fn request(&self) -> Request {
        Request {
            cache_folder: self.settings.cache_folder.clone(),
            cache_folder_limit: self.settings.cache_folder_limit,
            memory_limit: self.settings.memory_limit,
            inspection_limit: self.settings.inspection_limit,
        }
    }
}

/// The program that runs now, even if another one has been installed over it since.
fn this_program() -> anyhow::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe().context("this program's own path is unknown")
}

fn too_slow(limit: Duration) -> String {
    let seconds = limit.as_secs_f64();
    format!("its compilation took more than {seconds} s (the setting `inspection_limit`): is it larger than it needs to be?")
}

fn crashed(status: ExitStatus, stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.map(|line| format!(": {line}")).unwrap_or_default();
    format!(
        "its inspection crashed ({status}){last}; it needs more memory or time than an inspection may take, or meets a defect of the compiler"
    )
}
