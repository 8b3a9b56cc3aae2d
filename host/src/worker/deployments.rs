//! Deployments: a component that was uploaded is inspected, compiled ahead, and made current, or refused with the reason.

use std::sync::Arc;

use currant_core::ids::Digest;
use currant_core::modules::{self, Requested, Verdict};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::services::Services;
use crate::error::causes;
use crate::runtime::{Inspector, ModuleSource, Refusal};

/// Components as Postgres keeps them.
pub(super) struct Stored(pub(super) PgPool);

impl ModuleSource for Stored {
    fn bytes<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, anyhow::Result<Vec<u8>>> {
        async move { Ok(modules::bytes(&self.0, digest).await?) }.boxed()
    }
}

/// Decides deployments until told to stop.
pub(super) async fn decide_until(services: Arc<Services>, stop: CancellationToken) {
    let inspector = Inspector::new(services.settings.inspector.clone(), &services.settings.runtime);
    while !stop.is_cancelled() {
        match decide_next(&services, &inspector, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => debug!(error = causes(&error), "deployments could not be looked up"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            // By a hint, or by maintenance, which looks whether there is one.
            () = services.deployments.notified() => {}
        }
    }
}

/// Decides one deployment; false when none waits.
async fn decide_next(
    services: &Services,
    inspector: &Inspector,
    stop: &CancellationToken,
) -> Result<bool, currant_core::Error> {
    let Some(Requested { deployment, digest, bytes }) = modules::next_requested(&services.pool, services.id).await? else {
        return Ok(false);
    };
    info!(module.digest = %digest, size = bytes.len(), "inspecting a module");
    let inspected = tokio::select! {
        inspected = inspector.inspect(&bytes) => inspected,
        // Its child process is killed; the next worker need not wait until that is noticed.
        () = stop.cancelled() => {
            modules::leave_inspection(&services.pool, deployment).await?;
            return Ok(false);
        }
    };
    let verdict = match inspected {
        Ok(description) => Verdict::Deployed(description),
        Err(refusal @ Refusal::Module(_)) => Verdict::Refused(refusal.to_string()),
        Err(refusal @ Refusal::Host(_)) => Verdict::Refused(format!("{refusal}; that is the worker's fault: deploy it again")),
    };
    if let Verdict::Refused(reason) = &verdict {
        warn!(module.digest = %digest, reason, "module refused");
    } else {
        // Inspection left its compiled code in the cache; if that cannot be read, it is compiled here or by the first execution.
        tokio::select! {
            loaded = services.runtime.load(&digest) => if let Err(error) = loaded {
                warn!(module.digest = %digest, error = causes(&error), "the inspected module could not be loaded ahead");
            },
            () = stop.cancelled() => {}
        }
    }
    modules::decide(&services.pool, services.id, deployment, verdict).await?;
    Ok(true)
}
