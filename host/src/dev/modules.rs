//! Deploys modules, and deploys them again when their file changes.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use currant_core::modules::{self, DeploymentStatus};
use sqlx::PgPool;

use super::say;

/// How often files are looked at. Polled, because file notifications differ by system and miss network and container mounts, while
/// two `stat` a second cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the worker's verdict is looked for.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A file at one time.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
}

struct Module<'a> {
    path: &'a Path,
    /// As it was at the last look; none if it was not there.
    seen: Option<Stamp>,
    /// As it was when it was deployed last.
    deployed: Option<Stamp>,
}

/// Never returns: dropped when `currant dev` ends.
pub(super) async fn deploy_and_watch(pool: &PgPool, paths: &[PathBuf]) -> Infallible {
    let mut modules: Vec<Module> = paths.iter().map(|path| Module { path, seen: stamp(path), deployed: None }).collect();
    for module in modules.iter().filter(|module| module.seen.is_none()) {
        say(&format!("{} is not there yet; it is deployed as soon as it is", module.path.display()));
    }
    loop {
        for module in &mut modules {
            let now = stamp(module.path);
            // Only what stood still for one look: a compiler writes its output in pieces.
            if now.is_some() && now == module.seen && now != module.deployed {
                module.deployed = now;
                let name = module.path.display();
                match deploy(pool, module.path).await {
                    Ok(verdict) => say(&format!("{name}: {verdict}")),
                    Err(error) => say(&format!("{name}: not deployed: {error:#}")),
                }
            }
            module.seen = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: found.modified().ok()?, size: found.len() })
}

/// Deploys a module and waits for the worker's verdict, however long it takes: it is our own worker.
async fn deploy(pool: &PgPool, path: &Path) -> Result<String> {
    let bytes = tokio::fs::read(path).await.context("cannot read it")?;
    let requested = modules::upload(pool, &bytes, false, None).await?;
    loop {
        let deployment = modules::deployment(pool, requested).await?;
        match deployment.status {
            DeploymentStatus::Requested => tokio::time::sleep(ASK_EVERY).await,
            DeploymentStatus::Deployed => {
                let name = deployment.module.unwrap_or_default();
                return Ok(format!("deployed as {name}, sha256:{}", deployment.digest.short()));
            }
            DeploymentStatus::Refused => return Ok(format!("refused: {}", deployment.reason.unwrap_or_default())),
        }
    }
}
