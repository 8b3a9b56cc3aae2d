//! Retention, beside everything else that a worker does: one worker at a time, every hour, in batches with a pause after each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use currant_core::retention::{self, Filter, Pass};
use currant_core::schedules;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::causes;
use crate::worker::Services;

/// How often to look whether a pass is due.
const LOOK: Duration = Duration::from_secs(60);

/// Deletes what is kept long enough until told to stop.
pub(crate) async fn sweep_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            swept = sweep(&services) => if let Err(error) = swept && !services.outage.explains(&error) {
                warn!(error = causes(&error), "what is kept long enough could not be deleted; trying again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK.mul_f64(rand::random_range(0.5..1.0))) => {}
        }
    }
}

async fn sweep(services: &Services) -> Result<(), currant_core::Error> {
    let pool = &services.pool;
    if !retention::take_duty(pool).await? {
        return Ok(());
    }
    let mut pass = Pass::new(Filter::default());
    let mut deleted = 0;
    loop {
        let began = Instant::now();
        let batch = pass.delete(pool).await?;
        deleted += batch.executions;
        if batch.is_last {
            break;
        }
        retention::renew_duty(pool).await?;
        // As long a pause as the batch took: it takes half of a connection at most.
        tokio::time::sleep(began.elapsed()).await;
    }
    let modules = retention::forget_modules(pool).await?;
    retention::forget_environments(pool).await?;
    schedules::forget_fires(pool).await?;
    retention::end_duty(pool).await?;
    if deleted + modules > 0 {
        info!(executions = deleted, modules, "deleted what was kept long enough");
    }
    Ok(())
}
