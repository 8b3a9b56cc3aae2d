//! Schedules: any worker fires what is due. That it fires once is the database's concern.

use std::sync::Arc;
use std::time::Duration;

use currant_core::schedules;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::causes;
use crate::worker::Services;

/// Fires what is due whenever maintenance finds that something is, until told to stop. It may have to wait for somebody's transaction: so it is
/// a loop of its own.
pub(crate) async fn fire_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = services.schedules.notified() => {}
        }
        match fire(&services).await {
            // What comes next is another time now: maintenance looks for it.
            Ok(true) => services.due.expect_in(Duration::ZERO),
            Ok(false) => {}
            Err(error) if services.outage.explains(&error) => {}
            Err(error) => warn!(error = causes(&error), "schedules could not be looked at; trying again"),
        }
    }
}

/// True when something was done.
async fn fire(services: &Services) -> Result<bool, currant_core::Error> {
    let tick = schedules::tick(&services.pool).await?;
    for fire in &tick.fires {
        info!(schedule = fire.schedule, at = %fire.at, "schedule: {}", fire.fate);
    }
    for (schedule, count) in &tick.missed {
        warn!(schedule, count, "times were missed: no worker ran within the catch-up window");
    }
    for (schedule, reason) in &tick.broken {
        warn!(schedule, "the schedule cannot be kept, and is paused: {reason}");
    }
    Ok(!(tick.fires.is_empty() && tick.missed.is_empty() && tick.broken.is_empty()))
}
