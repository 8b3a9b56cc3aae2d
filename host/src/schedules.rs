//! Schedules: any worker looks whether a time has come, and fires it. That it fires once is the database's concern.

use std::sync::Arc;
use std::time::Duration;

use currant_core::schedules;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::causes;
use crate::worker::Services;

/// How often to look at least: schedules are made and changed by others.
const LOOK: Duration = Duration::from_secs(5);

/// Fires what is due until told to stop.
pub(crate) async fn fire_until(services: Arc<Services>, stop: CancellationToken) {
    loop {
        let pause = match schedules::tick(&services.pool).await {
            Ok(tick) => {
                for fire in &tick.fires {
                    info!(schedule = fire.schedule, at = %fire.at, "schedule: {}", fire.fate);
                }
                for (schedule, count) in &tick.missed {
                    warn!(schedule, count, "times were missed: no worker ran within the catch-up window");
                }
                for (schedule, reason) in &tick.broken {
                    warn!(schedule, "the schedule cannot be kept, and is paused: {reason}");
                }
                tick.next
            }
            Err(error) => {
                if !services.outage.explains(&error) {
                    warn!(error = causes(&error), "schedules could not be looked at; trying again");
                }
                None
            }
        };
        let longest = LOOK.mul_f64(rand::random_range(0.75..1.0));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause.map_or(longest, |pause| pause.min(longest))) => {}
        }
    }
}
