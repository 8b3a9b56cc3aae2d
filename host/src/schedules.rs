//! Schedules: any worker fires what is due. That it fires once is the database's concern.

use currant_core::schedules;
use tracing::{info, warn};

use crate::worker::Services;

/// Fires what is due. True when something was done, and there is another time to wait for.
pub(crate) async fn fire(services: &Services) -> Result<bool, currant_core::Error> {
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
