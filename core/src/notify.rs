//! Notifications: hints that save waiting. Whoever rests on them polls behind them.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::ids::{ExecutionId, WorkerId};

/// Something became claimable; the payload is the queue, and the priority unless that may be any.
pub const READY: &str = "currant_ready";
/// A running task's cancellation was requested; the payload is its worker.
pub const CANCEL: &str = "currant_cancel";
/// A deployment was requested or decided.
pub const DEPLOYMENTS: &str = "currant_deployments";
/// Executions that no workflow started have ended; the payload is their ids, between commas.
pub const ENDED: &str = "currant_ended";

/// What may have happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Hint {
    /// Something became claimable.
    Ready {
        /// In this queue.
        queue: String,
        /// Of this priority; none when it may be any.
        priority: Option<i16>,
    },
    /// A running task's cancellation was requested.
    Cancel {
        /// Its worker.
        worker: Option<WorkerId>,
    },
    /// A deployment was requested or decided.
    Deployment,
    /// Executions have ended.
    Ended {
        /// Which.
        ids: Vec<ExecutionId>,
    },
    /// Nobody listened for a while: anything may have happened.
    Reconnected,
}

/// Listens on a connection of its own, and connects again when that breaks.
pub struct Listener {
    pool: PgPool,
    channels: &'static [&'static str],
    connection: Option<PgListener>,
    pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Listener {
    /// A listener for what concerns a worker.
    pub fn new(pool: PgPool) -> Listener {
        Listener::to(pool, &[READY, CANCEL, DEPLOYMENTS])
    }

    /// A listener on these channels.
    pub fn to(pool: PgPool, channels: &'static [&'static str]) -> Listener {
        Listener { pool, channels, connection: None, pause: FIRST_PAUSE }
    }

    /// The next hint. The first one is `Reconnected`. May be dropped at any time.
    pub async fn next(&mut self) -> Hint {
        loop {
            let Some(connection) = &mut self.connection else {
                if self.connect().await.is_ok() {
                    self.pause = FIRST_PAUSE;
                    return Hint::Reconnected;
                }
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                continue;
            };
            match connection.try_recv().await {
                Ok(Some(notification)) => {
                    if let Some(hint) = read(notification.channel(), notification.payload()) {
                        return hint;
                    }
                }
                // The connection broke; what was said meanwhile is lost.
                Ok(None) | Err(_) => self.connection = None,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = PgListener::connect_with(&self.pool).await?;
        connection.listen_all(self.channels.iter().copied()).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

fn read(channel: &str, payload: &str) -> Option<Hint> {
    match channel {
        READY => Some(match payload.split_once(' ') {
            Some((queue, priority)) => Hint::Ready { queue: queue.into(), priority: priority.parse().ok() },
            None => Hint::Ready { queue: payload.into(), priority: None },
        }),
        CANCEL => Some(Hint::Cancel { worker: payload.parse().ok() }),
        DEPLOYMENTS => Some(Hint::Deployment),
        ENDED => Some(Hint::Ended { ids: payload.split(',').filter_map(|id| id.parse().ok()).collect() }),
        _ => None,
    }
}
